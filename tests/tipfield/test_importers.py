"""Importers of fields: each format gives the field that was written."""

import re
import subprocess
from pathlib import Path

import numpy as np
import pytest
from scipy.io import savemat

from tersgen.errors import ConfigError
from tersgen.library.nearfield import dipole_field
from tersgen.tipfield.file import npz_bytes, parse_tip_field, read_tip_field
from tersgen.tipfield.importing import Choice, choose_importer, import_tip_field
from tersgen.tipfield.points import Sampled, regular
from tersgen.tipfield.sources import Placement
from tersgen.units import BOHR_ANGSTROM

HERE = Path(__file__).parent
ANY = Choice()
NOWHERE = Placement(None, None, None)
AXES = (np.linspace(-6, 6, 7), np.linspace(-4, 4, 5), np.linspace(-9, -3, 4))
POINTS = np.stack(np.meshgrid(*AXES, indexing="ij"), axis=-1)
TIP = (0.0, 0.0, 1.0)


def wave(k):
    """Return a complex field, shape (7, 5, 4, 3)."""
    return np.exp(1j * k * (POINTS @ [0.1, -0.2, 0.3]))[..., None] * [1.0, 2.0j, 3.0 - k]


ONE, OTHER = wave(1.0), wave(1.7)


def imported(path, laser=ANY, scattered=ANY, **more):
    return import_tip_field(path, TIP, more.pop("placement", NOWHERE), laser, scattered, **more)


def check(field, e_in=ONE, e_out=None):
    for axis, expected in zip(field.axes, AXES, strict=True):
        np.testing.assert_allclose(axis, expected, atol=1e-6)
    np.testing.assert_allclose(field.e_in, np.moveaxis(e_in, -1, 0), atol=1e-5)
    assert (field.e_out is None) == (e_out is None)
    if e_out is not None:
        np.testing.assert_allclose(field.e_out, np.moveaxis(e_out, -1, 0), atol=1e-5)
    assert field.tip == TIP


def lumerical(path, axes=AXES, fields=(ONE, OTHER)):
    flat = [one.reshape(-1, 3, order="F") for one in fields]
    table = {name: axis[:, None] * 1e-10 for name, axis in zip("xyz", axes, strict=True)}
    table |= {"E": np.stack(flat, axis=-1), "lambda": np.array([[633e-9], [700e-9]])}
    savemat(path, {"E": table})
    return path


def mnpbem(path):
    order = np.random.default_rng(1).permutation(POINTS.size // 3)
    fields = np.stack([ONE.reshape(-1, 3)[order], OTHER.reshape(-1, 3)[order]], axis=-1)
    points = POINTS.reshape(-1, 3)[order] / 10
    savemat(path, {"pos": points, "e": fields, "enei": np.array([[633.0, 700.0]])})
    return path


def comsol(path, unit="nm"):
    names = [f"emw.E{c} (V/m) @ lambda0={nm} nm" for nm in (633, 700) for c in "xyz"]
    head = ["% Model:              tip.mph", "% Dimension:          3"]
    head += [f"% Length unit:        {unit}"] if unit else []
    lines = [
        *head,
        "% x                       y                        z  " + "  " + "  ".join(names),
    ]
    rows = zip(POINTS.reshape(-1, 3) / 10, ONE.reshape(-1, 3), OTHER.reshape(-1, 3), strict=True)
    for at, one, other in rows:
        values = [f"{v.real:.9g}{v.imag:+.9g}i" for v in (*one, *other)]
        lines.append("  ".join([*(f"{v:.9g}" for v in at), *values]))
    path.write_text("\n".join(lines) + "\n", "utf-8")
    return path


@pytest.mark.parametrize("between", [" ", "\t"])
def test_columns_of_comsol_one_blank_or_tab_apart(between, tmp_path):
    path = comsol(tmp_path / "field.txt")
    text = re.sub("  +", between, path.read_text("utf-8"))
    path.write_text(text.replace(f"%{between}x", "% x"), "utf-8")
    check(imported(path, Choice(633)))


@pytest.mark.parametrize("write", [lumerical, mnpbem, comsol])
def test_formats_that_state_wavelengths(write, tmp_path):
    path = write(tmp_path / ("field.txt" if write is comsol else "field.mat"))
    assert choose_importer(path).name == write.__name__
    check(imported(path, Choice(633)))
    check(imported(path, Choice(633), Choice(700)), e_out=OTHER)
    check(imported(path, Choice(None, 2), Choice(None, 1)), OTHER, ONE)
    with pytest.raises(ConfigError, match=r"expected one field, got 2 \(633, 700\)"):
        imported(path)
    with pytest.raises(ConfigError, match="expected a field at 800 nm, got 633, 700 nm"):
        imported(path, Choice(800))


def test_lumerical_of_version_7_3(tmp_path):
    import h5py

    path = tmp_path / "field.mat"
    with h5py.File(path, "w", userblock_size=512) as file:
        for name, axis in zip("xyz", AXES, strict=True):
            file[f"E/{name}"] = axis[None] * 1e-10
        flat = ONE.reshape(-1, 3, order="F").T
        kind = np.dtype([("real", "f8"), ("imag", "f8")])
        values = np.empty(flat.shape, kind)
        values["real"], values["imag"] = flat.real, flat.imag
        file["E/E"] = values
    content = bytearray(path.read_bytes())
    content[:19] = b"MATLAB 7.3 MAT-file"
    path.write_bytes(content)
    assert choose_importer(path).name == "lumerical"
    check(imported(path))


def test_uneven_steps_become_even_ones(tmp_path):
    uneven = (np.array([-6, -5, -3, -1, 0.0, 3, 6]), *AXES[1:])
    grid = np.stack(np.meshgrid(*uneven, indexing="ij"), axis=-1)
    linear = (grid @ [0.1, 0.2, 0.3])[..., None] * [1.0, 2.0j, 3.0]
    field = imported(lumerical(tmp_path / "field.mat", uneven, (linear, linear)), Choice(633))
    assert field.steps[0] == pytest.approx(1.0)
    points = np.stack(np.meshgrid(*field.axes, indexing="ij"), axis=-1)
    expected = (points @ [0.1, 0.2, 0.3])[..., None] * [1.0, 2.0j, 3.0]
    np.testing.assert_allclose(field.e_in, np.moveaxis(expected, -1, 0), atol=1e-5)
    axis = np.array([0.0, 0.01, 1.0])
    with pytest.raises(ConfigError, match="steps within a factor"):
        regular(Sampled((axis, AXES[1], AXES[2]), np.ones((3, 3, 5, 4))))


def cube(path, potential, axes):
    lines = [
        "potential",
        "of a test",
        f"    1 {' '.join(f'{a[0] / BOHR_ANGSTROM:.9f}' for a in axes)}",
    ]
    for k, axis in enumerate(axes):
        vector = np.eye(3)[k] * (axis[1] - axis[0]) / BOHR_ANGSTROM
        lines.append(f"{len(axis):5d} {' '.join(f'{one:.9f}' for one in vector)}")
    lines.append("    1    1.000000    0.000000    0.000000    0.000000")
    lines += [" ".join(f"{v:.9E}" for v in row) for row in potential.reshape(-1, len(axes[2]))]
    path.write_text("\n".join(lines) + "\n")
    return path


def test_the_potential_of_a_cube(tmp_path):
    axes = [np.linspace(-3, 3, 25), np.linspace(-3, 3, 25), np.linspace(-8, -4, 17)]
    points = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1)
    moment = np.array([0.0, 0.0, 1.0])
    potential = points[..., 2] / np.linalg.norm(points, axis=-1) ** 3
    path = cube(tmp_path / "tip.cube", potential, axes)
    assert choose_importer(path).name == "cube"
    field = imported(path)
    expected = np.moveaxis(dipole_field(points, moment), -1, 0)
    np.testing.assert_allclose(field.e_in, expected, atol=0.03 * np.abs(expected).max())
    assert not field.e_in.imag.any()


def test_files_that_are_refused(tmp_path):
    path = tmp_path / "field.txt"
    path.write_text("x y z\n1 2 3\n")
    with pytest.raises(ConfigError, match="got another file; name its format with --format"):
        imported(path)
    with pytest.raises(ConfigError, match="Length unit: nm"):
        imported(comsol(path, ""), Choice(633))
    text = comsol(path).read_text("utf-8").split("\n")
    path.write_text("\n".join(text[:-3]), "utf-8")
    with pytest.raises(ConfigError, match="every point of a grid once"):
        imported(path, Choice(633))
    in_angstrom = lumerical(tmp_path / "unit.mat", tuple(1e10 * axis for axis in AXES))
    with pytest.raises(ConfigError, match=r"0\.1 nm to 1 mm wide, got 1\.2e\+10 nm"):
        imported(in_angstrom, Choice(633))
    savemat(tmp_path / "other.mat", {"a": np.ones(3)})
    with pytest.raises(ConfigError, match="expected x, y, z with E"):
        imported(tmp_path / "other.mat", format="lumerical")
    damaged = tmp_path / "damaged.mat"
    damaged.write_bytes((tmp_path / "other.mat").read_bytes()[:150])
    with pytest.raises(ConfigError, match=r"sound \.mat file"):
        imported(damaged, format="mnpbem")


def test_files_of_ours(tmp_path):
    field = imported(mnpbem(tmp_path / "field.mat"), Choice(633), Choice(700))
    path = tmp_path / "tip.npz"
    path.write_bytes(npz_bytes(field))
    assert read_tip_field(path) == field == parse_tip_field(path.read_bytes(), path)
    assert npz_bytes(read_tip_field(path)) == path.read_bytes()
    import h5py

    with h5py.File(tmp_path / "tip.h5", "w") as file:
        for name, values in field.arrays.items():
            file[name] = values
    assert read_tip_field(tmp_path / "tip.h5") == field
    (tmp_path / "half.npz").write_bytes(path.read_bytes()[:-400])
    with pytest.raises(ConfigError, match="expected"):
        read_tip_field(tmp_path / "half.npz")


# ---- Meep: see make_meep_field.py


def check_meep(path):
    """Compare a field of Meep with the formula that it must have near a dipole."""
    step = 1.0  # a quarter of a unit
    field = import_tip_field(
        path, (0.0, 0.0, 0.0),
        Placement(np.full(3, step), np.array([-6.5, -6.5, -11.5]), None), Choice(), Choice(),
    )  # fmt: skip
    points = np.stack(np.meshgrid(*field.axes, indexing="ij"), axis=-1)
    expected = dipole_field(points, np.array([0.0, 0.0, 1.0]))
    found = np.moveaxis(field.e_in, 0, -1).astype(np.complex128)
    overlap = np.vdot(expected, found) / np.linalg.norm(expected) / np.linalg.norm(found)
    return abs(overlap)


def test_a_field_that_meep_made():
    path = HERE / "data" / "meep_dipole.h5"
    assert choose_importer(path).name == "meep"
    assert check_meep(path) > 0.99
    with pytest.raises(ConfigError, match="expected --step and --origin"):
        imported(path)


@pytest.mark.exhaustive
def test_meep_makes_it_again(tmp_path):
    python = Path("/usr/bin/python3")
    has = (
        python.exists()
        and subprocess.run(
            [python, "-c", "import meep"], capture_output=True, check=False
        ).returncode
        == 0
    )
    if not has:
        pytest.skip("Meep is not installed (Debian: apt install python3-meep)")
    script = HERE / "make_meep_field.py"
    subprocess.run([python, script, tmp_path], check=True, capture_output=True)
    assert check_meep(tmp_path / "meep_dipole.h5") > 0.99
