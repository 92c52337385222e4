"""``tersgen field``."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from .common.messages import say, say_json
from .common.options import FILE, Choice, json_option, plugin_option
from .common.program import Group

if TYPE_CHECKING:
    from ..schema.tipfield import TipField

_UNITS = {"angstrom": 1.0, "nm": 10.0, "um": 1e4, "m": 1e10, "bohr": 0.529177210903}


@click.group("field", cls=Group)
def command() -> None:
    """Import and show tip fields on grids."""


@command.command("import")
@click.argument("path", type=FILE, metavar="FILE")
@click.option("-o", "--output", type=FILE, required=True, help="File to write, .npz.")
@click.option("--tip", required=True, metavar="X,Y,Z",
              help="Position of the tip's apex in the coordinates of FILE, Angstrom.")  # fmt: skip
@click.option("--format", "kind", metavar="NAME",
              help="Format of FILE: meep, lumerical, mnpbem, comsol, cube, or that of a plug-in.  "
              "[default: detected]")  # fmt: skip
@click.option("--step", metavar="A[,B,C]", help="Spacing of grid points, Angstrom (Meep).")
@click.option("--origin", metavar="X,Y,Z", help="First grid point, Angstrom (Meep).")
@click.option("--unit", type=Choice(tuple(_UNITS)),
              help="Unit of positions, if FILE does not state it (COMSOL).")  # fmt: skip
@click.option("--laser-nm", type=float, help="Wavelength of the field at the laser, nm.")
@click.option("--number", type=int, help="Or its number in FILE, from 1.")
@click.option("--scattered-nm", type=float,
              help="Wavelength of the field for scattered light, nm.  [default: the field at the "
              "laser]")  # fmt: skip
@click.option("--scattered-number", type=int, help="Or its number, from 1.")
@click.option("--scattered", type=FILE, metavar="FILE",
              help="File with the field at scattered wavelengths, on the same grid.")  # fmt: skip
@click.option("--overwrite", is_flag=True, help="Replace the file at --output.")
@plugin_option
def import_field(
    path: Path, output: Path, tip: str, kind: str | None, step: str | None, origin: str | None,
    unit: str | None, laser_nm: float | None, number: int | None, scattered_nm: float | None,
    scattered_number: int | None, scattered: Path | None, overwrite: bool,
) -> None:  # fmt: skip
    """Import the electric field near a tip from FILE, for nearfield.grid_field in a recipe.

    \b
    meep       HDF5 of output_efield or output_dft; give --step and --origin
    lumerical  .mat of matlabsave, a monitor's E with x, y, z
    mnpbem     .mat with pos, e and enei
    comsol     text with columns x, y, z, Ex, Ey, Ez
    cube       Gaussian cube of a potential, E = -grad phi

    z points from the surface to the tip.
    """
    import numpy as np

    from ..dataset.output_file import write_output
    from ..errors import OutputError
    from ..tipfield.file import npz_bytes
    from ..tipfield.importing import Choice as Wanted
    from ..tipfield.importing import import_tip_field
    from ..tipfield.points import numbers
    from ..tipfield.sources import Placement

    if output.suffix.lower() != ".npz":
        raise OutputError(f"{output}: expected a name that ends in .npz, got {output.name!r}")
    if output.exists() and not overwrite:
        raise OutputError(f"{output}: exists already; pass --overwrite to replace it")
    steps = None if step is None else numbers(step, "--step", (1, 3)) * np.ones(3)
    first = None if origin is None else numbers(origin, "--origin", (3,))
    x, y, z = numbers(tip, "--tip", (3,)).tolist()
    made = import_tip_field(
        path, (x, y, z), Placement(steps, first, _UNITS.get(unit or "")),
        Wanted(laser_nm, number), Wanted(scattered_nm, scattered_number), scattered, kind,
    )  # fmt: skip
    write_output(output, npz_bytes(made))
    _print(made)
    say(f"use it: tersgen build --set nearfield.tip_field=grid --set nearfield.grid_field={output}")


@command.command("show")
@click.argument("path", type=FILE, metavar="FILE")
@json_option
def show(path: Path, as_json: bool) -> None:
    """Show the grid and digest of a FILE that tersgen field import wrote."""
    from ..tipfield.file import read_tip_field

    found = read_tip_field(path)
    if as_json:
        say_json(_facts(found))
    else:
        _print(found)


def _facts(field: "TipField") -> dict[str, Any]:
    return {
        "digest": field.digest,
        "points": [len(axis) for axis in field.axes],
        "step_angstrom": field.steps,
        "from_apex_angstrom": field.reach,
        "separate_scattered": field.e_out is not None,
    }


def _print(field: "TipField") -> None:
    say(f"{field}")
    for name, n, step, (low, high) in zip(
        "xyz", map(len, field.axes), field.steps, field.reach, strict=True
    ):
        say(f"  {name}: {n} points, {low:g} to {high:g} Angstrom from the apex, step {step:g}")
    scattered = "same field" if field.e_out is None else "separate field"
    say(f"  at scattered wavelengths: {scattered}")
