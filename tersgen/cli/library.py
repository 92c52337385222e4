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
    """List the built-in molecules and crystals."""
    from ..library.builtin import builtin_names, crystal_names, load_builtin
    from ..library.selection import active_modes

    species = [load_builtin(name) for name in builtin_names() + crystal_names()]
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
    species = _load(source)
    if picture is not None and len(species) > 1:
        raise click.BadParameter(
            f"expected one species to draw, got the {len(species)} of {source}; name one of them",
            param_hint="--plot",
        )
    for one in species:
        if as_json:
            say_json(one.model_dump(mode="json"))
        else:
            _print_modes(one)
        if picture is not None:
            from .picture import draw_species

            draw_species(one, picture)


def _load(source: str) -> "tuple[Species, ...]":
    from ..library.builtin import builtin_names, crystal_names
    from ..library.sources import build_library
    from ..schema.recipe import Recipe

    if source in builtin_names() + crystal_names() and not Path(source).is_file():
        source = f"builtin:{source}"
    return build_library(Recipe(library=(source,))).species


def _print_modes(one: "Species") -> None:
    from ..library.selection import bands

    origin = one.provenance
    say(f"{one.name}  {one.formula or ''}  {one.point_group or ''}".rstrip())
    for text in (origin.program, origin.method, origin.file, origin.note):
        if text:
            say(f"  {text}")
    say("  frequency  irrep      g   activity  relative  rho_p   rho_n    width")
    say("      cm^-1                  A^4/amu         %                   cm^-1")
    rows = bands(one)
    strongest = max(row.activity for row in rows)
    for row in rows:
        depolarization = f"{'-':>6}  {'-':>6}"
        if row.active:
            depolarization = f"{row.depolarization_plane:6.4f}  {row.depolarization_natural:6.4f}"
        width = "-" if row.fwhm_cm1 is None else f"{row.fwhm_cm1:.2f}"
        relative = 100.0 * row.activity / strongest if strongest > 0 else 0.0
        say(
            f"  {row.frequency_cm1:>9.2f}  {row.irrep or '-':<8} {row.degeneracy:>3} "
            f"{row.activity:>10.4f} {relative:>9.2f}  {depolarization}  {width:>7}"
        )
    say("  g: partners, whose activities are added; rho: depolarization ratios of plane-polarised")
    say("  and natural light, - where a mode is not Raman-active")


@command.command("import")
@click.argument("file", type=FILE)
@click.option("-o", "--output", type=FILE, required=True, help="Library file to write (JSON).")
@click.option("--name", help="Name of the species.  [default: from the file's name]")
@_overwrite
@click.option("--peaks", type=FILE, help="Peak table with widths and irreps for phonopy modes.")
def import_file(
    file: Path, output: Path, name: str | None, overwrite: bool, peaks: Path | None
) -> None:
    """Read FILE and write a library file.

    FILE is told by its content: a Gaussian .fchk, an output of ORCA, Q-Chem, Gaussian and others
    (pip install 'tersgen[chem]'), phonopy YAML, vasp_raman.dat, a table of Raman tensors or of
    sticks, a JCAMP-DX table of peaks, or a library.
    """
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
@click.option(
    "--raman-basis",
    default="aug-cc-pvdz",
    show_default=True,
    help="Basis set of the tensors, at the same geometry.",
)
@click.option("--charge", type=int, default=0, show_default=True, help="Charge.")
@click.option(
    "--grid", type=click.IntRange(0, 9), default=3, show_default=True, help="PySCF grid level."
)
@click.option(
    "--analytic-hessian",
    is_flag=True,
    help="Solve the CPKS equations instead of displacing atoms: faster where symmetry is low.",
)
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
