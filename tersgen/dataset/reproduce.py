"""Reproduction: some rows generated again from the recipe, and compared to the bit."""

import time
from pathlib import Path

import numpy as np

from ..errors import ConfigError
from ..generator import Generator
from ..schema.base import Frozen, field
from ..urls import as_path
from .documents import check_generator
from .opening import open_version
from .versions import find_version, locate_version

_RUN = 256
_MOST_SHOWN = 20


class Reproduced(Frozen):
    """What came of making rows again."""

    path: str = field("the dataset", "1")
    equal: bool = field("whether every value was the same, to the bit", "1")
    n_rows: int = field("rows generated again", "row")
    n_samples: int = field("rows of the dataset", "row")
    n_different: int = field("rows of which a value differs", "row")
    different: tuple[tuple[str, int], ...] = field("field and row of the first differences", "1")
    seconds: float = field("time taken", "s")


def reproduce(
    path: str | Path,
    fraction: float = 0.01,
    seed: int = 0,
    threads: int | None = None,
    follow_links: bool = False,
) -> Reproduced:
    """Make a random part of a dataset's rows again, and compare every bit with what is stored.

    Parameters
    ----------
    path
        The dataset, or a version of one.
    fraction
        Share of the rows, above 0 and up to 1; taken in runs of 256 rows.
    seed
        Seed of the choice of rows.
    threads
        Threads to use; by default one for each processor.
    follow_links
        Whether files of the dataset may be links.
    """
    if not 0 < fraction <= 1:
        raise ConfigError(f"fraction: expected a number above 0 and up to 1, got {fraction:g}")
    start = time.perf_counter()
    location, reference = locate_version(path, follow_links)
    dataset = open_version(location, find_version(location, reference))
    generator = Generator(check_generator(location.path, dataset.contents, dataset.document))
    n_runs = -(-dataset.n_samples // _RUN)
    n_chosen = max(1, round(fraction * n_runs))
    chosen = np.random.default_rng(seed).choice(n_runs, n_chosen, replace=False, shuffle=False)
    n_rows = n_different = 0
    shown: list[tuple[str, int]] = []
    for run in np.sort(chosen).tolist():
        first = run * _RUN
        rows = slice(first, min(first + _RUN, dataset.n_samples))
        made = generator.block(rows.start, rows.stop, threads)
        bad = np.zeros(rows.stop - rows.start, bool)
        for name in (spec.name for spec in dataset.contents.fields):
            stored = np.ascontiguousarray(dataset[name][rows])
            mine = np.ascontiguousarray(made[name])
            if stored.tobytes() == mine.tobytes():
                continue
            n = len(mine)
            differs = stored.view(np.uint8).reshape(n, -1) != mine.view(np.uint8).reshape(n, -1)
            rows_off = differs.any(axis=1)
            bad |= rows_off
            shown += [(name, first + int(k)) for k in np.flatnonzero(rows_off)]
            shown = shown[:_MOST_SHOWN]
        n_rows += len(bad)
        n_different += int(bad.sum())
    return Reproduced(
        path=str(as_path(path)),
        equal=n_different == 0,
        n_rows=n_rows,
        n_samples=dataset.n_samples,
        n_different=n_different,
        different=tuple(shown),
        seconds=time.perf_counter() - start,
    )
