"""Near-field cubes of one molecule beside NumPy, in one run.

``plain`` is the formula as it is written, one pixel after the other in float64, on some of the
pixels and scaled up; ``matrix`` is what an engineer writes who knows BLAS: all pixels at once in
float32, products of field components as one matrix. Both mix Lorentzians into channels. Before any
timing all three are compared.
"""

import argparse
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from machine import describe, spread, write_json

import tersgen
from tersgen.generator import Generator
from tersgen.library.builtin import load_builtin
from tersgen.library.importing import read_species
from tersgen.library.nearfield import atom_positions, centred, principal_axes, rotation_quaternion
from tersgen.library.sites import place_sites
from tersgen.numeric.crosssection import FOURTH_POWER, stokes_factor
from tersgen.schema.library import Library

EXTENT, WIDTH, HEIGHT, CHANNEL, FWHM = 18.0, 5.0, 3.0, 40.0, 15.0
BANDS = ((200.0, 900.0), (900.0, 1300.0), (1300.0, 1800.0), (2800.0, 3400.0))
_OFF = dict.fromkeys(("spectra", "maps", "sticks", "tensors"), False)


RECORDED = {
    "gain": (0.5, 0.5),
    "bias": (300.0, 300.0),
    "read_noise": (3.0, 3.0),
    "bits": 16,
    "scan": {"drift_px": 2.0, "blur_px": (1.0, 1.0), "blinks": 1.5, "dead": 1.0},
    "cube": {"electrons": (200.0, 200.0), "dark": (2.0, 2.0), "cosmic_rays": 0.003},
}


def recipe(species, pixels, noise=False, instrument=None, **fields):
    """Return the recipe of cubes of a molecule that lies as its principal axes say."""
    level = (0.01, 0.02) if noise else (0.0, 0.0)
    still = {"shift_cm1": 0.0, "mode_shift_cm1": 0.0, "intensity": 0.0, "width": (1.0, 1.0)}
    return tersgen.resolve(
        tersgen.Recipe(
            library=Library(species=(species,)),
            grid={"start_cm1": 0.0, "stop_cm1": 4000.0},
            lineshape={"fwhm_cm1": FWHM},
            geometry={
                "detection": "power",
                "orientation": "fixed",
                "quaternion": rotation_quaternion(principal_axes(atom_positions(species))),
            },
            map={"height": pixels, "width": pixels, "background": (0.0, 0.0)},
            nearfield={"channel_cm1": CHANNEL, **({"bands": BANDS} if fields.get("maps") else {})},
            noise={"map": level},
            instrument=instrument,
            perturbations=still,
            fields={"precision": "float32", **_OFF, **fields},
        )
    )


def with_sites(species):
    """Return a species with a random response at sites, which takes as long as any other."""
    symbols = [atom.symbol for atom in species.atoms]
    sites = place_sites(symbols, atom_positions(species))
    size = 3 * len(sites)
    drawn = np.random.default_rng(0).normal(size=(len(species.modes), size * (size + 1) // 2))
    modes = [
        mode.model_copy(update={"site_response": tuple(row)})
        for mode, row in zip(species.modes, drawn.astype(np.float32).tolist(), strict=True)
    ]
    places = tuple(map(tuple, sites.tolist()))
    return species.model_copy(update={"modes": tuple(modes), "sites": places})


def at_sites(one):
    """Return a recipe with the response at sites."""
    near = one.nearfield.model_copy(update={"response": "sites"})
    return tersgen.resolve(one.model_copy(update={"nearfield": near}))


class Numpy:
    """The same cube, from NumPy alone."""

    def __init__(self, species, pixels):
        self.species, self.turn = species, principal_axes(atom_positions(species))
        self.atoms = centred(atom_positions(species)) @ self.turn.T
        shares = np.array([mode.atom_tensors for mode in species.modes])
        self.shares = np.einsum("ai,mnij,bj->mnab", self.turn, shares, self.turn)
        axis = ((np.arange(pixels) + 0.5) / pixels - 0.5) * EXTENT
        x, y = np.meshgrid(axis, axis, indexing="ij")
        z = np.full(x.size, self.atoms[:, 2].max() + HEIGHT)
        self.tips = np.column_stack([x.ravel(), y.ravel(), z])
        shift = np.array([mode.frequency_cm1 for mode in species.modes])
        factor = [stokes_factor(one, 1e7 / 632.8, 298.15, FOURTH_POWER) for one in shift]
        edges = np.arange(0.0, 4000.0 + CHANNEL / 2, CHANNEL)
        share = np.arctan((edges[:, None] - shift) / (FWHM / 2)) / np.pi
        self.mixing = (np.diff(share, axis=0) * factor).T  # modes, channels

    def plain(self, which):
        """Return the spectra of some pixels, one after the other, in float64."""
        out = np.empty((len(which), self.mixing.shape[1]))
        for row, pixel in enumerate(which):
            d = self.atoms - self.tips[pixel]
            length = np.sqrt((d * d).sum(axis=1))
            field = np.exp(-4 * np.log(2) * (d / WIDTH) ** 2).prod(axis=1)[:, None] * d
            field /= length[:, None]
            amplitude = np.einsum("ia,miab,ib->m", field, self.shares, field)
            out[row] = amplitude**2 @ self.mixing
        return out

    def matrix(self):
        """Return the spectra of all pixels, as two matrix products in float32."""
        d = self.atoms.astype(np.float32)[:, None] - self.tips.astype(np.float32)
        dx, dy, dz = np.moveaxis(d, -1, 0)
        squared = dx * dx + dy * dy + dz * dz
        g = np.exp(np.float32(-8 * np.log(2) / WIDTH**2) * squared) / squared
        pairs = ((dx, dx), (dy, dy), (dz, dz), (dx, dy), (dx, dz), (dy, dz))
        features = np.stack([g * a * b for a, b in pairs])  # 6, atoms, pixels
        s = self.shares
        six = [s[..., k, k] for k in range(3)]
        six += [2 * s[..., 0, 1], 2 * s[..., 0, 2], 2 * s[..., 1, 2]]
        left = np.stack(six, axis=1).reshape(len(s), -1).astype(np.float32)
        amplitudes = left @ features.reshape(left.shape[1], -1)
        return (amplitudes**2).T @ self.mixing.astype(np.float32)


def compare(peer, species, pixels):
    """Return the largest differences from the plain formula, over its largest value."""
    which = np.arange(0, pixels * pixels, 97)
    expected = peer.plain(which)
    expected /= expected.max()
    block = tersgen.generate(recipe(species, pixels, cube=True), 0, 1)
    ours = block["cube"][0].reshape(pixels * pixels, -1)[which]
    matrix = peer.matrix()[which]
    return {
        "ours": float(np.abs(ours / ours.max() - expected).max()),
        "matrix": float(np.abs(matrix / matrix.max() - expected).max()),
    }


def timed(action):
    """Return wall and processor seconds of a call; those of this process, threads included."""
    wall, cpu = time.perf_counter(), time.process_time()
    action()
    return time.perf_counter() - wall, time.process_time() - cpu


class Ours:
    """Images made one after the other by each of some threads."""

    def __init__(self, one, threads):
        self.generator, self.threads = Generator(one), threads
        self.buffers = [self.generator.buffer(1) for _ in range(threads)]
        self.pool = ThreadPoolExecutor(threads)
        self.run()

    def run(self):
        """Make one image in every thread."""
        starts = range(self.threads)
        list(self.pool.map(self.generator.fill, starts, self.buffers, [1] * self.threads))


def main():
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--fchk", type=Path, help="modes of a molecule; by default naphthalene's")
    parser.add_argument("--pixels", type=int, default=256)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    species = load_builtin("naphthalene")
    if options.fchk is not None:
        (species,) = read_species(options.fchk)
    peer = Numpy(species, options.pixels)
    differences = compare(peer, species, options.pixels)
    print(f"largest differences from the formula in float64, of the peak: {differences}")
    some = np.linspace(0, options.pixels**2 - 1, 1024).astype(int)
    whole = options.pixels**2 / len(some)
    settings = {
        "cube": recipe(species, options.pixels, cube=True),
        "cube, noise, float16": recipe(
            species, options.pixels, True, cube=True, precision="float16"
        ),
        "cube, recorded": recipe(species, options.pixels, instrument=RECORDED, cube=True),
        "cube, response at sites": at_sites(recipe(with_sites(species), options.pixels, cube=True)),
        "four bands": recipe(species, options.pixels, maps=True),
        "four bands, 64 x 64": recipe(species, 64, maps=True),
        "four bands, 64 x 64, response at sites": at_sites(
            recipe(with_sites(species), 64, maps=True)
        ),
    }
    cases = {f"{name}, {n} thread": Ours(one, n) for name, one in settings.items() for n in (1, 2)}
    wall, cpu = {}, {}
    for _ in range(options.rounds):
        for name, ours in cases.items():
            seconds = timed(ours.run)
            for times, one in zip((wall, cpu), seconds, strict=True):
                times.setdefault(name, []).append(one / ours.threads)
        for name, action, factor in (
            ("NumPy, plain formula", lambda: peer.plain(some), whole),
            ("NumPy, matrix products", peer.matrix, 1.0),
        ):
            seconds = timed(action)
            for times, one in zip((wall, cpu), seconds, strict=True):
                times.setdefault(name, []).append(one * factor)
    table = {}
    for name in wall:
        ratios = [other / own for other, own in zip(cpu[name], cpu["cube, 1 thread"], strict=True)]
        table[name] = {
            "wall_ms": spread([1e3 * one for one in wall[name]]),
            "cpu_ms": spread([1e3 * one for one in cpu[name]]),
            "cpu_over_cube_1_thread": spread(ratios),
        }
        row = table[name]
        print(
            f"{name:48} {row['wall_ms']['median']:9.4g} ms wall ({row['wall_ms']['min']:.4g} - "
            f"{row['wall_ms']['max']:.4g}), {row['cpu_ms']['median']:9.4g} ms cpu, "
            f"ratio {row['cpu_over_cube_1_thread']['median']:.4g}"
        )
    result = {
        "machine": describe(),
        "molecule": f"{len(species.modes)} modes, {len(species.atoms)} atoms",
        "pixels": options.pixels,
        "channels": peer.mixing.shape[1],
        "differences": differences,
        "cases": table,
    }
    write_json(options.json, result)


if __name__ == "__main__":
    main()
