"""Options that several commands of ``tersgen`` share."""

import re
from collections.abc import Callable
from contextlib import suppress
from typing import get_args

import click

from ..schema.fixed_point import Precision
from ..schema.presets import PRESETS
from ..schema.species import Observed
from .common.options import COUNT, FILE, Choice, F, option_group, plugin_option


def _shard_range(text: str) -> tuple[int, int | None]:
    """Return first and last of shards ``a:b``, b not included; ``a:`` goes to the end."""
    match = re.fullmatch(r"([0-9]{0,15}):([0-9]{0,15})", text)
    if match is None:
        raise click.BadParameter(f"expected shards such as 0:500 or 500:, got {text!r}")
    first, last = match.groups()
    return int(first or 0), int(last) if last else None


def _seconds(text: str | float) -> float:
    """Return a time in seconds, or fail in one line."""
    with suppress(ValueError):
        seconds = float(text)
        if 0 < seconds < float("inf"):
            return seconds
    raise click.BadParameter(f"expected seconds, more than 0, got {text!r}")


def shift_range(text: str) -> tuple[float, float]:
    """Return both ends of a range of Raman shifts, ``200:1800``, or fail in one line."""
    with suppress(ValueError):
        low, high = map(float, text.split(":"))
        if low < high < float("inf"):
            return low, high
    raise click.BadParameter(f"expected LOW:HIGH in cm^-1, such as 200:1800, got {text!r}")


FORMATS = Choice(["zarr", "hdf5"])


def overwrite_option(name: str) -> Callable[[F], F]:
    """Return what adds ``--overwrite`` for the dataset that an option or argument names."""
    return click.option(
        "--overwrite", is_flag=True,
        help=f"Replace the dataset at {name}. It stays until the new one is complete: there must "
        "be room for both.",
    )  # fmt: skip


layout_options = option_group(
    click.option("--chunk-rows", type=COUNT,
                 help="Rows of a chunk.  [default: from a row's bytes]"),
    click.option("--shard-rows", type=COUNT,
                 help="Rows of a shard.  [default: from a row's bytes]"),
    click.option("--compression", type=Choice(["lz4", "none"]),
                 help="For Zarr: lz4 is smaller, none is faster to read.  [default: lz4]"),
)  # fmt: skip


take_over_option = click.option(
    "--take-over", is_flag=True,
    help="Take over from a builder on another machine that you know to be dead.",
)  # fmt: skip


worker_options = option_group(
    click.option(
        "--workers", type=COUNT,
        help="Worker processes on this machine; with --cluster, jobs.  [default: none]",
    ),
    click.option("--scheduler", metavar="ADDRESS|NAME",
                 help="Running Dask scheduler, e.g. tcp://host:8786; or the name of an "
                 "executor: threads, local, slurm, pbs, lsf, or one of a plug-in."),
    click.option("--cluster", "system", metavar="NAME",
                 help="Start workers as jobs of a batch system: slurm, pbs or lsf."),
    click.option("--cores", type=COUNT, help="Processors of a job.  [default: 1]"),
    click.option("--memory", help="Memory of a job, e.g. 8GB.  [default: estimated]"),
    click.option("--walltime", help="Longest time of a job, e.g. 4:00:00."),
    click.option("--partition", "--queue", "queue", help="Partition or queue of the jobs."),
    click.option("--account", help="Account or project of the jobs."),
    click.option("--wait-workers", "wait_s", type=_seconds, default=600.0,
                 show_default=True, metavar="SECONDS",
                 help="Seconds to wait for workers to start or respond."),
)  # fmt: skip
"""Options that say which workers build."""


job_options = option_group(
    click.option("--shard-range", type=_shard_range, metavar="A:B",
                 help="Build only these shards, as one of many jobs; then: tersgen finalize."),
    click.option("--script-only", is_flag=True, help="Print the script of a job; start nothing."),
)  # fmt: skip


compute_options = option_group(
    click.option("--charge", type=int, default=0, show_default=True,
                 help="Charge, for an .xyz file."),
    click.option("--scaling", type=float,
                 help="Factor on the frequencies.  [default: as published, or 1]"),
    click.option("--conformers", type=COUNT, default=1, show_default=True,
                 help="Embed this many geometries of a SMILES, and store each "
                 "conformer with its population at 298 K."),
    click.option("--flag-imaginary", is_flag=True,
                 help="Leave imaginary modes out, instead of following them to a minimum."),
    click.option("--skip-bad", is_flag=True,
                 help="Leave out molecules that cannot be computed; see --report."),
    click.option("--report", type=FILE, metavar="FILE",
                 help="Write number, name, status, seconds and reason of each molecule "
                 "(comma-separated)."),
    click.option("--functional", default="b3lyp", show_default=True,
                 help="pyscf: functional, or hf."),
    click.option("--basis", default="6-311+g(d,p)", show_default=True,
                 help="pyscf: basis set."),
    click.option("--raman-basis", default="aug-cc-pvdz", show_default=True,
                 help="pyscf: basis set of the tensors, at the same geometry."),
    click.option("--grid", type=click.IntRange(0, 9), default=3, show_default=True,
                 help="pyscf: level of the integration grid."),
    click.option("--analytic-hessian", is_flag=True,
                 help="pyscf: solve the CPKS equations instead of displacing atoms: faster "
                 "where symmetry is low."),
)  # fmt: skip
"""Options that say how molecules are computed."""


intensity_options = option_group(
    click.option(
        "--intensity", type=Choice(["activity", *get_args(Observed)]),
        help="What strengths in tables of sticks or peaks are, if the files do not say.",
    ),
    click.option(
        "--laser-nm", type=float,
        help="Laser wavelength of observed strengths, nm.",
    ),
    click.option(
        "--temperature-k", type=float,
        help="Sample temperature of observed strengths, K.  [default: 298]",
    ),
)  # fmt: skip
"""Options that say what strengths in tables of sticks and peaks are."""


def _keep_maps(
    _context: click.Context, _parameter: click.Parameter, presets: tuple[str, ...]
) -> tuple[str, ...]:
    """Refuse a preset that leaves maps out after one with maps, whose maps would be lost."""
    stored = [PRESETS[name].get("fields", {}).get("maps") for name in presets]
    for k in range(1, len(presets)):
        if stored[k] is False and True in stored[:k]:
            first = presets[stored.index(True)]
            raise click.BadParameter(
                f"expected {presets[k]}, which leaves maps out, before {first}; use "
                f"--preset {presets[k]} --preset {first}"
            )
    return presets


recipe_options = option_group(
    plugin_option,
    click.option(
        "--config", type=FILE, help="Recipe file: TOML, YAML or JSON. [default: none]"
    ),
    click.option(
        "--preset", "presets", multiple=True, type=Choice(sorted(PRESETS)), callback=_keep_maps,
        help="Settings by name; may be repeated: later ones override earlier ones. A "
        "recipe file and other options override them.  [default, if there are maps or cubes "
        "and no --config: nearfield, or nearfield_atoms with a --library]",
    ),
    click.option(
        "--library", multiple=True, metavar="SOURCE",
        help="A built-in group (builtin, gfn, crystals, measured, positions, sites), "
        "builtin:NAME, sites:NAME, random:K, unknown:K, or a file (.fchk, phonopy YAML, stick "
        "table, library); may be repeated.  [default: that of the preset, or builtin]",
    ),
    click.option("--seed", type=click.IntRange(0, 2**32 - 1), help="Seed.  [default: 0]"),
    click.option(
        "--precision", type=Choice(get_args(Precision)),
        help="How spectra and maps are stored: as numbers, or as integers with a scale.  "
        "[default: uint8 where noise covers its steps, else float16]",
    ),
    click.option(
        "--set", "settings", multiple=True, metavar="FIELD=VALUE",
        help="Set a field of the recipe, e.g. grid.n_points=2048; may be repeated.",
    ),
)  # fmt: skip
"""Options that make up a recipe."""
