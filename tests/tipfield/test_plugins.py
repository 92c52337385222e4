"""Importers of fields and tip fields from plug-ins, those of CONTRIBUTING.md among them."""

import re
import shlex
from contextlib import chdir
from pathlib import Path

import numpy as np
import pytest

import tersgen
from tersgen.cli import main
from tersgen.errors import ConfigError
from tersgen.plugins import import_module
from tersgen.tipfield.analytic import sphere_field
from tersgen.tipfield.file import read_tip_field

PAGE = (Path(__file__).parents[2] / "CONTRIBUTING.md").read_text("utf-8")
DIPOLE = """
from tersgen.library.nearfield import dipole_field
from tersgen.plugins import register
from tersgen.tipfield.model import TipFieldModel
import numpy as np


@register("tersgen.tip_fields", "dipole_above")
class Dipole(TipFieldModel):
    def __init__(self, argument):
        self.up = np.array([0.0, 0.0, float(argument)])

    def at_laser(self, points):
        return dipole_field(points - self.up, np.array([0.0, 0.0, 1.0]))
"""

pytestmark = pytest.mark.usefixtures("forgotten_plugins")


def block(exercise, part):
    """Return a block of code of the page."""
    (found,) = re.findall(rf"<!-- {exercise}: {part} -->\n```\w*\n(.*?)```\n", PAGE, re.DOTALL)
    return found


def run(folder, command):
    """Run a command of the page in a folder."""
    with chdir(folder):
        main(shlex.split(command)[1:], standalone_mode=False)


def test_an_importer_of_fields_from_outside(tmp_path):
    (tmp_path / "nfx.py").write_text(block("field importer", "code"))
    axes = np.linspace(-4, 4, 5), np.linspace(-3, 3, 4), np.linspace(-9, -3, 3)
    points = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 3)
    field = np.cos(points)
    rows = np.random.default_rng(1).permutation(np.hstack([points / 10, field]))
    lines = [" ".join(f"{value:.9g}" for value in row) for row in rows]
    (tmp_path / "tip.nfx").write_text("\n".join(["NFX nm=633", *lines]) + "\n")
    run(tmp_path, block("field importer", "commands"))
    found = read_tip_field(tmp_path / "tip.npz")
    for axis, expected in zip(found.axes, axes, strict=True):
        np.testing.assert_allclose(axis, expected, atol=1e-6)
    np.testing.assert_allclose(np.moveaxis(found.e_in, 0, 3).reshape(-1, 3), field, atol=1e-6)


def test_a_tip_field_from_outside(tmp_path):
    (tmp_path / "sphere.py").write_text(block("tip field", "code"))
    small = " --library builtin:formaldehyde --set map.height=8 --set map.width=8"
    run(tmp_path, block("tip field", "commands").strip() + small)
    found = tersgen.open(tmp_path / "sphere.zarr").recipe.tip_field
    points = np.stack(np.meshgrid(*found.axes, indexing="ij"), axis=-1)
    expected = sphere_field(points - [0.0, 0.0, 25.0], 25.0, -11.7 + 1.26j)
    np.testing.assert_allclose(np.moveaxis(found.e_in, 0, 3), expected, rtol=1e-5, atol=1e-5)
    with pytest.raises(ConfigError, match=r"tip field 'sphere' .*: expected a radius above 0"):
        tersgen.resolve(tersgen.Recipe(nearfield=on_grid("model:sphere:-1")))


def on_grid(model):
    """Return a section with a field from outside."""
    return {"tip_field": "grid", "grid_field": model}


def test_a_dipole_from_outside_makes_the_maps_of_ours(tmp_path):
    (tmp_path / "dipole_from_outside.py").write_text(DIPOLE)
    import_module(str(tmp_path / "dipole_from_outside.py"))
    near = {"frame_angstrom": (10.0, 10.0), "height_angstrom": (3.5, 3.5)}
    common = {
        "library": ("builtin:formaldehyde",),
        "map": {"height": 12, "width": 12},
        "noise": {"map": (0.0, 0.0)},
    }
    ours = {**near, "tip_field": "dipole", "apex_radius_angstrom": (2.0, 2.0)}
    theirs = {**near, **on_grid("model:dipole_above:2")}
    one, other = (
        tersgen.generate(tersgen.Recipe(nearfield=section, **common), 0, 4)["maps"]
        for section in (ours, theirs)
    )
    np.testing.assert_allclose(other, one, atol=0.01)
    with pytest.raises(ConfigError, match="expected one of dipole_above"):
        tersgen.resolve(tersgen.Recipe(nearfield=on_grid("model:dipol"), **common))
