"""One recipe, equal bits: whatever CPU the kernels are compiled for, or none at all."""

import os
import platform
import subprocess
import sys

import pytest

pytestmark = pytest.mark.exhaustive

KERNELS = """
import hashlib
import numpy as np
from tersgen.numeric.elementary import arctan, exp, minus_two_log
from tersgen.numeric.half import to_half
from tersgen.effects.instrument.kernels import convert, curve_weights, fill_curve
from tersgen.numeric.lineshape import add_gaussian, add_lorentzian
from tersgen.effects.nearfield.kernels import RADIAL, TILE, fill_features, multiply_tile
from tersgen.random.normal import fill_normals
from tersgen.random.poisson import draw_counts, poisson_inverted
from tersgen.effects.scan.kernels import move_lines
from tersgen.effects.structure.kernels import GAUSSIAN, paint_line
from tersgen.numeric.transforms import blur, blur_weights
from tersgen.numeric.voigt import add_voigt

normals = np.empty(64, np.float32)
fill_normals(normals, 2**40 + 3, 1, 2**32 - 1, 8)
band = np.zeros(64, np.float32)
add_gaussian(band, 100.0, 7.0, 310.7, 45.0, 3.0)
add_lorentzian(band, 100.0, 7.0, 411.3, 20.0, 2.0)
points = np.linspace(-45.0, 80.0, 64).astype(np.float32)
exps = np.array([exp(x) for x in points], np.float32)
logs = np.array([minus_two_log(x) for x in np.abs(points)], np.float32)
halves = np.array([to_half(x) for x in normals], np.uint16)
angles = np.array([arctan(float(x)) for x in points], np.float64)
atoms = normals[:6].reshape(2, 3)
tips = np.resize(normals, 2 * TILE)
features = np.empty(12 * TILE, np.float32)
width = np.array([5.0, 4.0, 6.0])
fill_features(features, atoms, tips[:TILE], tips[TILE:], 4.5, width, RADIAL)
product = np.empty(4 * TILE, np.float32)
multiply_tile(normals[:48].reshape(4, 12), features, product)
curve = np.empty(200, np.float32)
fill_curve(curve, np.array([[1.5, 0.4, 0.3], [-0.7, 0.1, 0.2]]), curve_weights(200))
add_voigt(band, 100.0, 7.0, 377.7, 12.0, 9.0, 2.0, np.empty_like(band))
words = np.arange(64, dtype=np.uint32) * np.uint32(67108859)
few = np.array([poisson_inverted(0.5 * k, w) for k, w in enumerate(words)], np.float64)
many = np.resize(np.array([0.0, 0.4, 5.0, 6.0, 9.5, 300.0, 1e5], np.float32), 300)
draw_counts(many, np.empty(300, np.float32), 5, 0, 3, 33)
counts = np.array([convert(n, *np.float32([0.3, 9.0, 2.0, 1e4, 4095.0])) for n in many], np.float32)
image = np.resize(normals, (9, 10))
moved = np.empty_like(image)
move_lines(image, 3.0 * angles[:9], -2.0 * angles[9:18], moved)
weights = np.empty(7, np.float32)
blur_weights(0.7, weights)
blur(image, weights, np.empty_like(image))
mask = np.zeros((9, 11), np.uint16)
paint_line(mask, 0.3, -0.7, 1.9, 0.4, 0.6, GAUSSIAN, np.array([0.5, 0.4]))
digest = hashlib.sha256()
parts = (normals, band, exps, logs, halves, angles, features, product, few, many, mask,
         curve, counts, moved, image)
for array in parts:
    digest.update(array.tobytes())
print(digest.hexdigest())
"""

GENERATOR = """
import hashlib
import warnings
import tersgen
from tersgen.schema.loading import validate
from tersgen.schema.presets import PRESETS, merged

warnings.filterwarnings("ignore", "no effect")  # recipes are made from each other
hotspots = {
    "seed": 3,
    "library": ["random:3"],
    "grid": {"n_points": 100},
    "lineshape": {"profile": "pseudo_voigt", "fwhm_cm1": 80.0},
    "map": {"height": 9, "width": 9, "channels": 2, "blur_px": 0.7},
    "perturbations": {"roll_bins": 3, "symmetry": True},
    "random": {"n_modes": (3, 6)},
    "fields": {"scale": "symmetric"},
}
mixture = {**hotspots, "mixture": {"least": 0.1}, "fields": {"maps": False}}
near = {
    "seed": 3,
    "library": ["builtin:benzene", "builtin:water"],
    "map": {"height": 9, "width": 16},
    "nearfield": {"orientation": "tilted", "apex_angstrom": 1.0, "channel_cm1": 200.0},
    "structure": {"shape": "gaussian", "radius_angstrom": 2.0, "bond_width_angstrom": 2.1},
    "fields": {"spectra": False, "cube": True},
}
recorded = {
    "seed": 3,
    "library": ["builtin:benzene", "builtin:water"],
    "grid": {"n_points": 300},
    "lineshape": {"fwhm_cm1": 40.0},
    "map": {"height": 30, "width": 17, "channels": 2},
    "instrument": {"scan": {"electrons": [20.0, 2000.0]}},
}
scene = {
    **near,
    "nearfield": {"orientation": "tilted", "channel_cm1": 200.0, "width_angstrom": [3.0, 4.0]},
    "structure": None,
    "scene": {
        "domains": [1, 3], "vacancies": [0.1, 0.3], "jitter_angstrom": 0.2, "turn_deg": 9.0,
        "events": {"tip_change": 0.5, "second_apex": 0.5, "blinking": 0.5, "picocavities": 1.0},
    },
    "mixture": {"n_species": [1, 2], "of": "molecules"},
}
cubes = {
    "seed": 3,
    "library": ["sites:ethylene", "sites:water"],
    "map": {"height": 3, "width": 4},
    "nearfield": {"channel_cm1": 1000.0},
}
tables = (merged(PRESETS["realistic"], recorded), merged(PRESETS["realistic_cube"], cubes))
# in one process, as most of what is compiled is the same
for table in (hotspots, mixture, near, scene, *tables):
    recipe = tersgen.resolve(validate(tersgen.Recipe, table, "test"))
    arrays = tersgen.generate(recipe, 5, 25)
    digest = hashlib.sha256()
    for name in sorted(arrays):
        digest.update(name.encode() + arrays[name].tobytes())
    print(digest.hexdigest())
"""

X86 = platform.machine().lower() in ("x86_64", "amd64")
NATIVE = {}
GENERIC = {"NUMBA_CPU_NAME": "generic", "NUMBA_CPU_FEATURES": ""}
HASWELL = {"NUMBA_CPU_NAME": "haswell", "NUMBA_CPU_FEATURES": ""}
PYTHON = {"NUMBA_DISABLE_JIT": "1"}


def digest(script, folder, setting):
    """Run a script in a process of its own; its machine code lies in ``folder``, None for usual."""
    own = ("NUMBA_CPU_NAME", "NUMBA_CPU_FEATURES", "NUMBA_DISABLE_JIT")
    environment = {name: value for name, value in os.environ.items() if name not in own}
    environment["PYTHONPATH"] = os.pathsep.join(sys.path)
    if folder is not None:
        environment["NUMBA_CACHE_DIR"] = str(folder)
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", script],
        env=environment | setting,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.fixture(scope="module")
def native_kernels(tmp_path_factory):
    return digest(KERNELS, tmp_path_factory.mktemp("native"), NATIVE)


@pytest.mark.parametrize(
    "setting",
    [
        pytest.param(GENERIC, id="generic"),
        pytest.param(
            HASWELL, id="haswell", marks=pytest.mark.skipif(not X86, reason="not an x86 CPU")
        ),
        pytest.param(PYTHON, id="python"),
    ],
)
def test_kernels(setting, native_kernels, tmp_path):
    assert len(native_kernels) == 64
    assert digest(KERNELS, tmp_path, setting) == native_kernels


def test_generator(tmp_path):
    native = digest(GENERATOR, None, NATIVE)
    assert [len(line) for line in native.splitlines()] == 6 * [64]
    assert digest(GENERATOR, tmp_path, GENERIC) == native
