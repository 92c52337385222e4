"""``tersgen library``."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from .options import FILE, json_option
from .saying import say, say_json

if TYPE_CHECKING:
    from ..schema.library import Species


_overwrite = click.option("--overwrite", is_flag=True, help="Replace the file at --output.")


@click.group("library")
def command() -> None:
    """List, show, import and compute species."""


@command.command("list")
@json_option
def list_species(as_json: bool) -> None:
    """List the built-in molecules."""
    from ..library.builtin import builtin_names, load_builtin
    from ..library.selection import active_modes

    species = [load_builtin(name) for name in builtin_names()]
    if as_json:
        rows = [
            {"name": one.name, "formula": one.formula, "n_modes": len(one.modes)} for one in species
        ]
        say_json(rows)
        return
    say(f"{'name':<18} {'formula':<9} {'group':<6} {'modes':>5}  Raman-active")
    for one in species:
        say(
            f"{one.name:<18} {one.formula or '-':<9} {one.point_group or '-':<6} "
            f"{len(one.modes):>5}  {len(active_modes(one)):>12}"
        )


@command.command("show")
@click.argument("source")
@click.option("--plot", "picture", type=FILE, help="Draw the spectrum into this file.")
@json_option
def show(source: str, picture: Path | None, as_json: bool) -> None:
    """Print the modes of SOURCE: a built-in name, a file, or any other --library of build."""
    for one in _load(source):
        if as_json:
            say_json(one.model_dump(mode="json"))
        else:
            _print_modes(one)
        if picture is not None:
            from .picture import draw_species

            draw_species(one, picture)


def _load(source: str) -> "tuple[Species, ...]":
    from ..library.builtin import builtin_names
    from ..library.sources import build_library
    from ..schema.recipe import Recipe

    if source in builtin_names() and not Path(source).is_file():
        source = f"builtin:{source}"
    return build_library(Recipe(library=(source,))).species


def _print_modes(one: "Species") -> None:
    import numpy as np

    from ..kernels.tensor import activity, depolarization_plane

    origin = one.provenance
    say(f"{one.name}  {one.formula or ''}  {one.point_group or ''}".rstrip())
    for text in (origin.program, origin.method, origin.file, origin.note):
        if text:
            say(f"  {text}")
    say("  mode  frequency  activity   depol.  irrep   width")
    say("           cm^-1    A^4/amu                   cm^-1")
    for number, mode in enumerate(one.modes):
        tensor = np.array(mode.tensor, np.float64)
        width = "-" if mode.fwhm_cm1 is None else f"{mode.fwhm_cm1:.2f}"
        say(
            f"  {number:>4} {mode.frequency_cm1:>10.2f} {activity(tensor):>10.4f} "
            f"{depolarization_plane(tensor):>8.4f}  {mode.irrep or '-':<6} {width:>6}"
        )


@command.command("import")
@click.argument("file", type=FILE)
@click.option("-o", "--output", type=FILE, required=True, help="Library file to write (JSON).")
@click.option("--name", help="Name of the species.  [default: from the file's name]")
@_overwrite
@click.option("--peaks", type=FILE, help="Peak table with widths and irreps for phonopy modes.")
def import_file(
    file: Path, output: Path, name: str | None, overwrite: bool, peaks: Path | None
) -> None:
    """Read FILE (Gaussian .fchk, phonopy YAML, stick table, library) and write a library file."""
    from ..library.importing import read_species

    _refuse_existing(output, overwrite)
    _write_library(read_species(file, name, peaks), output)


@command.command("compute")
@click.argument("file", type=FILE)
@click.option("-o", "--output", type=FILE, required=True, help="Library file to write (JSON).")
@click.option("--name", help="Name of the species.  [default: from the file's name]")
@_overwrite
@click.option("--functional", default="b3lyp", show_default=True, help="Functional, or hf.")
@click.option("--basis", default="6-311+g(d,p)", show_default=True, help="Basis set.")
@click.option("--charge", type=int, default=0, show_default=True, help="Charge.")
@click.option("--scaling", type=float, help="Factor on the frequencies.  [default: as published]")
def compute(file: Path, output: Path, name: str | None, overwrite: bool, **level: Any) -> None:
    """Compute the modes and Raman tensors of the molecule in FILE (.xyz) with PySCF.

    The geometry is optimised first. Needs pip install 'tersgen[qm]'.
    """
    from ..library.level import Level
    from ..library.quantum import compute_species
    from ..schema.loading import validate

    def report(line: str) -> None:
        say(line, err=True)

    _refuse_existing(output, overwrite)
    chosen = validate(Level, level, "level of theory")
    _write_library((compute_species(file, name or file.stem, chosen, report),), output)


def _refuse_existing(output: Path, overwrite: bool) -> None:
    from ..errors import OutputError

    if output.exists() and not overwrite:
        raise OutputError(f"{output}: exists already; pass --overwrite to replace it")


def _write_library(species: "tuple[Species, ...]", output: Path) -> None:
    from ..errors import OutputError
    from ..schema.library import Library
    from ..store.files import write_durably

    try:
        write_durably(output, [Library(species=species).model_dump_json(indent=1).encode() + b"\n"])
    except OSError as error:
        raise OutputError(f"{output}: cannot be written: {error.strerror}") from None
    modes = sum(len(one.modes) for one in species)
    say(f"wrote {output}: {', '.join(one.name for one in species)}, {modes} modes")
