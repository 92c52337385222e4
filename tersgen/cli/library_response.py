"""``tersgen library respond`` and ``image``: ab-initio response of a molecule to a tip."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from .common.messages import say
from .common.options import option_group
from .library_output import (
    load_library,
    output_option,
    overwrite_option,
    refuse_existing,
    write_library,
)
from .options import worker_options

if TYPE_CHECKING:
    from ..schema.species import Species


def _heights(_ctx: click.Context, _param: click.Parameter, value: str) -> tuple[float, ...]:
    """Return heights from text such as 3.5,5."""
    try:
        heights = tuple(float(word) for word in value.split(","))
    except ValueError:
        heights = ()
    if not heights or not all(0.5 <= height <= 100 for height in heights):
        raise click.BadParameter(
            f"expected heights from 0.5 to 100 Angstrom, such as 3.5,5, got {value!r:.80}"
        )
    return heights


_ab_initio_options = option_group(
    overwrite_option,
    worker_options,
    click.option("--functional", default="hf", show_default=True, help="Functional, or hf."),
    click.option("--basis", default="aug-cc-pvdz", show_default=True,
                 help="Basis set; it needs diffuse functions (docs/nearfield.md)."),
    click.option("--charge", type=int, default=None,
                 help="Charge; by default what the molecule states, else 0."),
    click.option("--smearing", type=float, default=0.0, show_default=True,
                 help="Radius of the tip's Gaussian charges, bohr; 0 for points."),
)  # fmt: skip


@click.command("respond")
@click.argument("source")
@output_option
@_ab_initio_options
def respond(source: str, output: Path, overwrite: bool, **options: Any) -> None:
    """Compute the response of the modes of SOURCE to the field of a tip, at sites.

    Maps and cubes with nearfield.response = "sites" need it. SOURCE is a molecule: a built-in name
    or a library file. Every atom is displaced in turn; to resume, repeat the command. Needs pip
    install 'tersgen[qm]'.
    """
    from ..library.responding import respond as compute_response

    _compute_each(source, output, overwrite, compute_response, options)


@click.command("image")
@click.argument("source")
@output_option
@click.option("--heights", required=True, metavar="A,B,...", callback=_heights,
              help="Heights of the tip's dipole above the highest atom, Angstrom.")  # fmt: skip
@click.option("--step", type=click.FloatRange(0.05, 10), default=0.5, show_default=True,
              help="Spacing of the positions of the tip, Angstrom.")  # fmt: skip
@click.option("--margin", type=click.FloatRange(0, 100), default=3.0, show_default=True,
              help="Margin of tip positions beyond the outermost atoms, Angstrom.")  # fmt: skip
@_ab_initio_options
def image(source: str, output: Path, heights: tuple[float, ...], step: float, margin: float,
          overwrite: bool, **options: Any) -> None:  # fmt: skip
    """Compute ab-initio images of the modes of SOURCE under a dipole, without a model.

    The molecule lies flat. Every atom is displaced in turn; to resume, repeat the command. Needs
    pip install 'tersgen[qm]'.
    """
    from ..library.responding import image as compute_images
    from ..library.responding import tip_grid

    def compute(species: "Species", *others: Any) -> "Species":
        return compute_images(species, tip_grid(species, heights, step, margin), *others)

    _compute_each(source, output, overwrite, compute, options)


def _compute_each(
    source: str, output: Path, overwrite: bool, compute: Any, options: dict[str, Any]
) -> None:
    """Write the species of a source, each with the results of a computation."""
    from ..jobs.tasks import open_mapper
    from ..library.displacing import Finished, ResponseLevel
    from ..schema.library import Library
    from ..schema.loading import validate
    from .workers import take_workers

    refuse_existing(output, overwrite)
    workers = take_workers(None, options)
    level = validate(ResponseLevel, options, "level of theory")
    finished = Finished(output.with_name(output.name + ".parts"))
    done = []
    with open_mapper(workers) as mapper:
        for one in load_library((source,), {}):

            def report(line: str, name: str = one.name) -> None:
                say(f"{name}: {line}", err=True)

            done.append(compute(one, finished, level, mapper, report))
    write_library(Library(done), output)
    finished.remove()
