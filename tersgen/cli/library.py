"""``tersgen library``."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..schema.columns import HAS
from ..text import command as shell_command
from .common.messages import say, say_json
from .common.options import FILE, Choice, json_option, option_group, plugin_option
from .common.program import Group
from .library_output import (
    load_library,
    output_option,
    overwrite_option,
    refuse_existing,
    write_library,
    write_once,
)
from .library_response import image, respond
from .options import compute_options, intensity_options, worker_options

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..schema.library import Library
    from ..schema.species import Species


_filter_options = option_group(
    click.option("--formula", help="Only species of this formula, in any order: C6H6."),
    click.option("--has", multiple=True, type=Choice(sorted(HAS)),
                 help="Only species of which this is known; may be repeated."),
    click.option("--name", metavar="PATTERN", help="Only names like 'random-*'."),
)  # fmt: skip


@click.group("library", cls=Group)
def command() -> None:
    """List, show, import and compute species."""


command.add_command(respond)
command.add_command(image)


@command.command("list")
@click.argument("sources", nargs=-1)
@_filter_options
@intensity_options
@json_option
@plugin_option
def list_species(sources: tuple[str, ...], formula: str | None, has: tuple[str, ...],
                 name: str | None, as_json: bool, **said: Any) -> None:  # fmt: skip
    """List the species of SOURCES, by default the built-in ones of all groups."""
    from ..library.builtin import GROUPS
    from ..library.filtering import list_rows

    library = _filtered(sources, said, formula, has, name, tuple(GROUPS))
    rows = list_rows(library)
    if as_json:
        say_json(rows)
        return
    headings = {} if sources else _group_headings(library.names)
    say(f"{'name':<30} {'formula':<12} {'symm.':<6} {'atoms':>5} {'modes':>5}  has")
    for row in rows:
        if row["name"] in headings:
            say("")
            say(headings[row["name"]])
        say(
            f"{row['name']:<30} {row['formula'] or '-':<12} {row['point_group'] or '-':<6} "
            f"{row['n_atoms']:>5} {row['n_modes']:>5}  {', '.join(row['has'])}"
        )


def _group_headings(names: "Sequence[str]") -> dict[str, str]:
    """Return the heading of each built-in group, by the first of some names that it has."""
    from ..library.builtin import GROUPS, group_names

    headings = {}
    for group, what in GROUPS.items():
        own = set(group_names(group)).intersection(names)
        if own:
            first = next(name for name in names if name in own)
            headings[first] = f"{group}: {what} ({len(own)})"
    return headings


@command.command("merge")
@click.argument("sources", nargs=-1, required=True)
@output_option
@_filter_options
@intensity_options
@overwrite_option
@plugin_option
def merge(sources: tuple[str, ...], output: Path, formula: str | None, has: tuple[str, ...],
          name: str | None, overwrite: bool, **said: Any) -> None:  # fmt: skip
    """Write the species of all SOURCES, or those that pass the filters, as one library file."""
    refuse_existing(output, overwrite)
    write_library(_filtered(sources, said, formula, has, name), output)


@command.command("show")
@click.argument("source")
@click.option("--name", metavar="PATTERN", help="Only names that match, e.g. 'random-00*'.")
@click.option(
    "--plot",
    "picture",
    type=FILE,
    help="Draw the spectrum, or the images that library image computed, into this file.",
)
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
            from ..plotting.tip_images import draw_tip_images, tip_images

            images = tip_images(one)
            with styled():
                save(draw_tip_images(one, images) if images else draw_species(one), picture)


def _filtered(
    sources: tuple[str, ...], said: dict[str, Any], formula: str | None, has: tuple[str, ...],
    name: str | None, default: tuple[str, ...] = (),
) -> "Library":  # fmt: skip
    """Return the species of some sources, or else the default ones, that pass the filters."""
    from ..errors import LibraryError
    from ..library.filtering import choose_species

    library = load_library(sources or default, said)
    chosen = choose_species(library, formula, has, name)
    if not len(chosen):
        raise LibraryError(
            f"expected a species that passes the filters, got none of {len(library)}; see them "
            f"all: {shell_command('tersgen', 'library', 'list', *sources)}"
        )
    return library.chosen(chosen)


def _print_modes(one: "Species") -> None:
    from ..library.degeneracy import bands
    from ..library.uncertainty import frequency_uncertainty

    origin = one.provenance
    charge = f"charge {one.charge:+d}" if one.charge else None
    say("  ".join(filter(None, (one.name, one.formula, one.point_group, charge))))
    importer = origin.importer and f"read by {origin.importer}"
    scaled = f"frequencies scaled by {origin.scaling:g}" if origin.scaling != 1.0 else None
    uncertain = f"uncertainty of the frequencies {frequency_uncertainty(one):g} cm^-1"
    levels = (f"{what}: {level}" for what, level in (origin.levels or {}).items())
    for text in (
        *(origin.program, origin.method, *levels, scaled, uncertain),
        *(origin.file, importer, origin.note),
    ):
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
@output_option
@click.option("--name", help="Name of the species.  [default: from the file's name]")
@overwrite_option
@click.option("--peaks", type=FILE, help="Peak table with widths and irreps for phonopy modes.")
@click.option(
    "--scale",
    type=float,
    metavar="FACTOR",
    help="Factor on calculated frequencies, such as 0.97; recorded in the provenance.",
)
@click.option(
    "--uncertainty",
    type=float,
    metavar="CM-1",
    help="Uncertainty of the frequencies (standard deviation).  [default: by their source]",
)
@intensity_options
@click.option("--importer", metavar="NAME", help="Importer of FILE.  [default: by its content]")
@plugin_option
def import_file(
    file: Path, output: Path, name: str | None, overwrite: bool, peaks: Path | None,
    scale: float | None, uncertainty: float | None, importer: str | None, **said: Any,
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

    statement = take_statement(said)
    library = Library(read_species(file, name, peaks, importer, statement, scale, uncertainty))
    write_once(library, output, overwrite)


@command.command("isotopes")
@click.argument("source")
@output_option
@click.option(
    "--substitute",
    "substitutions",
    multiple=True,
    required=True,
    metavar="ATOMS=ISOTOPE",
    help="H=D for all hydrogens, H3=D for the third, C1=13C; may be repeated.",
)
@click.option("--name", help="Name of the isotopologue.  [default: such as benzene-d6]")
@overwrite_option
@plugin_option
def isotopes(source: str, output: Path, substitutions: tuple[str, ...], name: str | None,
             overwrite: bool) -> None:  # fmt: skip
    """Write an isotopologue of the molecule SOURCE.

    SOURCE is a built-in name or a file with one molecule, which must have all its modes and their
    atom tensors. Force constants and derivatives of the polarizability stay the same.
    """
    from ..errors import LibraryError
    from ..library.isotopes import substitute
    from ..schema.library import Library

    library = load_library((source,), {})
    if len(library) > 1:
        raise LibraryError(
            f"{source}: expected one molecule, got {len(library)}; write it to a file of its own "
            "with tersgen library merge --name"
        )
    write_once(Library([substitute(library[0], substitutions, name)]), output, overwrite)


@command.command("compute")
@click.argument("source", metavar="SMILES|FILE")
@output_option
@click.option("--name", help="Name of the species.  [default: from the file, or from --output]")
@overwrite_option
@click.option(
    "--engine",
    metavar="NAME[:ARGUMENT]",
    default="pyscf",
    show_default=True,
    help="pyscf, xtb, xtb:gfn2, hybrid:ONE+OTHER (geometry and Hessian of one, tensors of "
    "the other), ase:MODULE:FUNCTION, or one of a plug-in.",
)
@compute_options
@worker_options
@plugin_option
def compute(
    source: str, output: Path, name: str | None, overwrite: bool, engine: str, **options: Any
) -> None:
    """Compute the modes and Raman tensors of a SMILES, or of the molecules in FILE.

    FILE is a list of SMILES and names (.smi), or has geometries (.xyz, .mol, .sdf). Geometries are
    optimised first. To resume a run that was stopped, repeat the command. Needs pip install
    'tersgen[xtb]', or 'tersgen[qm]' for the engine pyscf.

    \b
    Examples:
      tersgen library compute c1ccncc1 -o pyridine.tlib --engine xtb
      tersgen library compute list.smi -o many.tlib --engine xtb --workers 2 --skip-bad
      tersgen library compute molecule.xyz -o molecule.json
      tersgen library compute list.smi -o many.tlib --engine hybrid:xtb:gfn2+xtb:gfn1
      tersgen library compute list.smi -o mine.tlib --engine ase:my_module:make_calculator
    """  # fmt: skip
    from .library_compute import compute_library

    compute_library(source, output, name, overwrite, engine, options)
