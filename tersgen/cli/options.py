"""Options that several commands share."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar, get_args

import click

from ..schema.presets import PRESETS
from ..schema.species import Observed

F = TypeVar("F", bound=Callable[..., Any])


class Count(click.ParamType[int]):
    """A whole number of at least 1; ``1e6`` and ``1_000_000`` are understood."""

    name = "count"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Return the number, or fail in one line."""
        if isinstance(value, int):
            return value
        text = str(value)
        try:
            number = int(text)
        except ValueError:
            try:
                decimal = float(text)
                number = int(decimal)
                if number != decimal:
                    raise ValueError(text)
            except (ValueError, OverflowError):
                self.fail(
                    f"expected a whole number such as 100000 or 1e5, got {text!r}", param, ctx
                )
        if number < 1:
            self.fail(f"expected at least 1, got {text}", param, ctx)
        return number


COUNT = Count()


class ShardRange(click.ParamType[tuple[int, int | None]]):
    """Shards ``a:b``, b not included; ``a:`` goes to the end."""

    name = "range"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[int, int | None]:
        """Return first and last, or fail in one line."""
        if isinstance(value, tuple):
            return value
        match = re.fullmatch(r"([0-9]{0,15}):([0-9]{0,15})", str(value))
        if match is None:
            self.fail(f"expected shards such as 0:500 or 500:, got {value!r}", param, ctx)
        first, last = match.groups()
        return int(first or 0), int(last) if last else None


class Seconds(click.ParamType[float]):
    """A time in seconds."""

    name = "seconds"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """Return the time, or fail in one line."""
        try:
            seconds = float(value)
        except ValueError:
            seconds = -1.0
        if not 0 < seconds < float("inf"):
            self.fail(f"expected seconds, more than 0, got {value!r}", param, ctx)
        return seconds


FILE = click.Path(path_type=Path)


def links_option(function: F) -> F:
    """Add ``--follow-links``."""
    return click.option(
        "--follow-links", is_flag=True,
        help="Follow links, as git-annex and the Hugging Face cache use.",
    )(function)  # fmt: skip


def _import_plugins(_: click.Context, __: click.Parameter, modules: tuple[str, ...]) -> None:
    from ..plugins import import_module  # --help stays quick

    for module in modules:
        import_module(module)


def plugin_option(function: F) -> F:
    """Add ``--plugin``, whose modules are imported before anything else is done."""
    return click.option(
        "--plugin", multiple=True, metavar="MODULE", expose_value=False, is_eager=True,
        callback=_import_plugins,
        help="Module of your own with readers or other parts: a name, or a file my_module.py; may "
        "be repeated.",
    )(function)  # fmt: skip


def json_option(function: F) -> F:
    """Add ``--json``."""
    return click.option("--json", "as_json", is_flag=True, help="Print JSON.")(function)


FORMATS = click.Choice(["zarr", "hdf5"])


def overwrite_option(name: str) -> Callable[[F], F]:
    """Return what adds ``--overwrite`` for the dataset that an option or argument names."""
    return click.option(
        "--overwrite", is_flag=True,
        help=f"Replace the dataset at {name}. It stays until the new one is complete: there must "
        "be room for both.",
    )  # fmt: skip


def threads_option(function: F) -> F:
    """Add ``--threads``."""
    return click.option("--threads", type=COUNT, help="Threads to use.  [default: all processors]")(
        function
    )


def layout_options(function: F) -> F:
    """Add ``--chunk-rows``, ``--shard-rows`` and ``--compression``."""
    function = click.option(
        "--compression", type=click.Choice(["lz4", "none"]),
        help="For Zarr: lz4 is smaller, none is faster to read.  [default: lz4]",
    )(function)  # fmt: skip
    for name in ("shard", "chunk"):
        function = click.option(
            f"--{name}-rows", type=COUNT, help=f"Rows of a {name}.  [default: from a row's bytes]"
        )(function)
    return function


def take_over_option(function: F) -> F:
    """Add ``--take-over``."""
    return click.option(
        "--take-over", is_flag=True,
        help="Take over from a builder on another machine that you know to be dead.",
    )(function)  # fmt: skip


def worker_options(function: F) -> F:
    """Add the options that say which workers build."""
    for option in reversed(
        (
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
            click.option("--wait-workers", "wait_s", type=Seconds(), default=600.0,
                         show_default=True,
                         help="Seconds to wait for workers to start or respond."),
        )
    ):  # fmt: skip
        function = option(function)
    return function


def job_options(function: F) -> F:
    """Add ``--script-only`` and ``--shard-range``."""
    function = click.option(
        "--script-only", is_flag=True, help="Print the script of a job; start nothing."
    )(function)
    return click.option(
        "--shard-range", type=ShardRange(), metavar="A:B",
        help="Seal only these shards, as one of many jobs; then: tersgen finalize.",
    )(function)  # fmt: skip


def intensity_options(function: F) -> F:
    """Add the options that say what strengths in tables of sticks and peaks are."""
    for option in reversed(
        (
            click.option(
                "--intensity", type=click.Choice(["activity", *get_args(Observed)]),
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
        )
    ):  # fmt: skip
        function = option(function)
    return function


def recipe_options(function: F) -> F:
    """Add the options that make up a recipe."""
    for option in reversed(
        (
            plugin_option,
            click.option(
                "--config", type=FILE, help="Recipe file: TOML, YAML or JSON. [default: none]"
            ),
            click.option(
                "--preset", "presets", multiple=True, type=click.Choice(sorted(PRESETS)),
                help="Settings by name; may be repeated: later ones override earlier ones. A "
                "recipe file and other options override them.",
            ),
            click.option(
                "--library", multiple=True, metavar="SOURCE",
                help="builtin (all molecules), builtin:NAME, crystals, random:K, or a file (.fchk, "
                "phonopy YAML, stick table, library); may be repeated.  [default: builtin]",
            ),
            click.option("--seed", type=click.IntRange(0, 2**32 - 1), help="Seed.  [default: 0]"),
            click.option(
                "--precision", type=click.Choice(["float16", "float32"]),
                help="Type of spectra and maps.  [default: float16]",
            ),
            click.option(
                "--set", "settings", multiple=True, metavar="FIELD=VALUE",
                help="Set a field of the recipe, e.g. grid.n_points=2048; may be repeated.",
            ),
        )
    ):  # fmt: skip
        function = option(function)
    return function


def human_bytes(count: float) -> str:
    """Return a size in decimal units.

    >>> human_bytes(12_300_000)
    '12.3 MB'
    """
    if count < 1000:
        return f"{count:.0f} B"
    units = ["PB", "TB", "GB", "MB", "kB"]
    while count >= 1000 and units:
        count /= 1000
        unit = units.pop()
    return f"{count:.1f} {unit}"


def human_time(seconds: float) -> str:
    """Return a duration.

    >>> human_time(3720)
    '1 h 2 min'
    """
    if seconds < 100:
        return f"{seconds:.1f} s"
    minutes, seconds = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {seconds} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours < 72 else f"{hours / 24:.1f} days"
