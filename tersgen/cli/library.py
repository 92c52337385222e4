"""``tersgen library``."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..schema.columns import HAS
from ..text import command as shell_command
from .common.messages import say, say_json
from .common.options import FILE, Choice, F, json_option, plugin_option
from .common.program import Group
from .options import intensity_options

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..schema.library import Library
    from ..schema.species import Species


def _filter_options(function: F) -> F:
    """Add the options that choose species."""
    for option in reversed(
        (
            click.option("--formula", help="Only species of this formula, in any order: C6H6."),
            click.option(
                "--has", multiple=True, type=Choice(sorted(HAS)),
                help="Only species of which this is known; may be repeated.",
            ),
            click.option("--name", metavar="PATTERN", help="Only names like 'random-*'."),
        )
    ):  # fmt: skip
        function = option(function)
    return function


class _LibraryFile(click.Path):
    """A library file to write; its ending says the format."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the path, or fail in one line."""
        path = Path(str(super().convert(value, param, ctx)))
        if path.suffix.lower() not in (".tlib", ".json"):
            self.fail(
                f"expected a name that ends in .tlib or .json, got {str(value)!r}", param, ctx
            )
        return path


_output = click.option(
    "-o", "--output", type=_LibraryFile(path_type=Path), required=True,
    help="Library file to write: molecules.tlib, or JSON with the ending .json.",
)  # fmt: skip
_overwrite = click.option("--overwrite", is_flag=True, help="Replace the file at --output.")


@click.group("library", cls=Group)
def command() -> None:
    """List, show, import and compute species."""


@command.command("list")
@click.argument("sources", nargs=-1)
@_filter_options
@intensity_options
@json_option
@plugin_option
def list_species(sources: tuple[str, ...], formula: str | None, has: tuple[str, ...],
                 name: str | None, as_json: bool, **said: Any) -> None:  # fmt: skip
    """List the species of SOURCES, by default the built-in molecules and crystals."""
    from ..library.filtering import list_rows

    library = _filtered(sources or ("builtin", "crystals"), said, formula, has, name)
    rows = list_rows(library)
    if as_json:
        say_json(rows)
        return
    say(f"{'name':<24} {'formula':<12} {'group':<6} {'atoms':>5} {'modes':>5}  has")
    for row in rows:
        say(
            f"{row['name']:<24} {row['formula'] or '-':<12} {row['point_group'] or '-':<6} "
            f"{row['n_atoms']:>5} {row['n_modes']:>5}  {', '.join(row['has'])}"
        )


@command.command("merge")
@click.argument("sources", nargs=-1, required=True)
@_output
@_filter_options
@intensity_options
@_overwrite
@plugin_option
def merge(sources: tuple[str, ...], output: Path, formula: str | None, has: tuple[str, ...],
          name: str | None, overwrite: bool, **said: Any) -> None:  # fmt: skip
    """Write the species of all SOURCES, or those that pass the filters, as one library file."""
    _refuse_existing(output, overwrite)
    _write_library(_filtered(sources, said, formula, has, name), output)


@command.command("show")
@click.argument("source")
@click.option("--name", metavar="PATTERN", help="Only names that match, e.g. 'random-00*'.")
@click.option("--plot", "picture", type=FILE, help="Draw the spectrum into this file.")
@intensity_options
@json_option
@plugin_option
def show(source: str, name: str | None, picture: Path | None, as_json: bool, **said: Any) -> None:
    """Print the modes of SOURCE: a built-in name, a file, or any other --library of build."""
    library = _filtered((source,), said, None, (), name)
    if picture is not None and len(library) > 1:
        raise click.BadParameter(
            f"expected one species to draw, got the {len(library)} of {source}; name one of them",
            param_hint="--plot",
        )
    for one in library.species:
        if as_json:
            say_json(one.model_dump(mode="json"))
        else:
            _print_modes(one)
        if picture is not None:
            from ..plotting.spectra import draw_species
            from ..plotting.style import save, styled

            with styled():
                save(draw_species(one), picture)


def _load(sources: tuple[str, ...], said: dict[str, Any]) -> "Library":
    from ..library.builtin import builtin_names, crystal_names
    from ..recipe import Recipe
    from ..resolution import build_library
    from .recipes import take_statement

    known = builtin_names() + crystal_names()
    return build_library(
        Recipe(
            library=tuple(
                f"builtin:{one}" if one in known and not Path(one).is_file() else one
                for one in sources
            )
        ),
        take_statement(said),
    )


def _filtered(
    sources: tuple[str, ...], said: dict[str, Any], formula: str | None, has: tuple[str, ...],
    name: str | None,
) -> "Library":  # fmt: skip
    """Return the species of some sources that pass the filters."""
    from ..errors import LibraryError
    from ..library.filtering import choose_species

    library = _load(sources, said)
    chosen = choose_species(library, formula, has, name)
    if not len(chosen):
        raise LibraryError(
            f"expected a species that passes the filters, got none of {len(library)}; see them "
            f"all: {shell_command('tersgen', 'library', 'list', *sources)}"
        )
    return library.chosen(chosen)


def _print_modes(one: "Species") -> None:
    from ..library.degeneracy import bands

    origin = one.provenance
    say(f"{one.name}  {one.formula or ''}  {one.point_group or ''}".rstrip())
    importer = origin.importer and f"read by {origin.importer}"
    scaled = f"frequencies scaled by {origin.scaling:g}" if origin.scaling != 1.0 else None
    for text in (origin.program, origin.method, scaled, origin.file, importer, origin.note):
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
@_output
@click.option("--name", help="Name of the species.  [default: from the file's name]")
@_overwrite
@click.option("--peaks", type=FILE, help="Peak table with widths and irreps for phonopy modes.")
@click.option(
    "--scale",
    type=float,
    metavar="FACTOR",
    help="Factor on calculated frequencies, such as 0.97; recorded in the provenance.",
)
@intensity_options
@click.option("--importer", metavar="NAME", help="Importer of FILE.  [default: by its content]")
@plugin_option
def import_file(
    file: Path, output: Path, name: str | None, overwrite: bool, peaks: Path | None,
    scale: float | None, importer: str | None, **said: Any,
) -> None:  # fmt: skip
    """Read FILE and write a library file.

    The format of FILE is detected from its content: a Gaussian .fchk, an ORCA .hess, an output of
    ORCA, Gaussian, xtb, Q-Chem, GAMESS, Firefly, Dalton, CASTEP, CRYSTAL or Quantum ESPRESSO,
    phonopy YAML, vasp_raman.dat, a table of Raman tensors or of sticks, a JCAMP-DX table of peaks,
    a library, or a format of a plug-in.
    """
    from ..library.importing import read_species
    from ..schema.library import Library
    from .recipes import take_statement

    library = Library(read_species(file, name, peaks, importer, take_statement(said), scale))
    if not overwrite and _holds(output, _library_parts(library, output)):
        say(f"{output}: holds {', '.join(library.names[:6])} already, nothing to do")
        return
    _refuse_existing(output, overwrite)
    _write_library(library, output)


@command.command("compute")
@click.argument("file", type=FILE)
@_output
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
    from ..schema.library import Library

    _write_library(Library([compute_species(file, name or file.stem, chosen, report)]), output)


def _refuse_existing(output: Path, overwrite: bool) -> None:
    from ..dataset.output_file import check_output_file
    from ..errors import OutputError

    check_output_file(output)
    if output.exists() and not overwrite:
        raise OutputError(f"{output}: exists already; pass --overwrite to replace it")


def _library_parts(library: "Library", output: Path) -> "Sequence[bytes]":
    """Return the pieces of a library file, or of JSON if the name ends in .json."""
    from ..library.libraryfile import library_json, library_parts

    is_json = output.suffix.lower() == ".json"
    return [library_json(library)] if is_json else library_parts(library)


def _holds(output: Path, parts: "Sequence[bytes]") -> bool:
    """Return whether a file is there and holds just this: the same command has written it."""
    try:
        if not output.is_file() or output.stat().st_size != sum(map(len, parts)):
            return False
        with output.open("rb") as file:
            return all(file.read(len(part)) == part for part in parts)
    except OSError:
        return False


def _write_library(library: "Library", output: Path) -> None:
    from ..dataset.output_file import write_output

    write_output(output, _library_parts(library, output))
    names = ", ".join(library.names[:6]) + (", ..." if len(library) > 6 else "")
    n_modes = len(library.array("frequency")[0])
    say(f"wrote {output}: {len(library)} species ({names}), {n_modes} modes")
