"""Measured files as rows on one axis, as a model is fed them; many files are read by processes."""

import multiprocessing
import signal
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..errors import MeasurementError
from ..plugins import Imported, import_again, imported
from ..text import printable
from .quality import fault_of
from .reader import NOTHING_SAID, ReadOptions, RowArrays
from .reading import read_file
from .resample import extrapolated, measured_points, resample
from .spectrum import Spectrum

_FILES_A_TASK = 32
_FEW_FILES = 256
"""So many files are read before other processes have started."""
_STEP = 1e-6
"""Share of a step of an axis by which another may differ and still be the same."""


class TargetAxis(NamedTuple):
    """What spectra are brought to."""

    shift_cm1: NDArray[np.float64]
    """Evenly spaced, rising, shape (L,)."""
    low: float = 0.0
    """Lower end of the range of intensities: 0 or -1."""
    allow_extrapolation: bool = False
    """Whether a spectrum may be shorter than the axis."""


class AxisRow(NamedTuple):
    """A spectrum on the axis."""

    row: int | None
    """Which spectrum of its file it is; None if there is one only."""
    intensity: NDArray[np.float32]
    """Scaled, shape (L,)."""
    extrapolated: float
    """Share of the axis that was not measured: there, edges are repeated or gaps are bridged."""
    measured: NDArray[np.bool_]
    """Which points of the axis were measured, shape (L,)."""
    summary: dict[str, Any]
    """What is worth showing of the spectrum, as JSON takes it."""
    fault: str | None = None
    """What is wrong with it within the axis, see ``quality.py``."""


FileRows = tuple[AxisRow | MeasurementError, ...]
"""The spectra of a file; in place of one that cannot be used, an error that names the file."""


def read_on_axis(path: Path, target: TargetAxis, options: ReadOptions = NOTHING_SAID) -> FileRows:
    """Return the spectra of a file, on an axis; a file that cannot be read is one error."""
    shown = printable(str(path))
    try:
        content = read_file(path, options).content
    except MeasurementError as error:
        return (error,)
    if isinstance(content, RowArrays):
        try:
            return _array_rows(content, target, shown)
        except MeasurementError as error:
            return (type(error)(f"{shown}: {error}"),)
    several = len(content) > 1
    return tuple(
        type(one)(f"{shown}: {one}")
        if isinstance(one, MeasurementError)
        else _row(one, target, number if several else None, shown)
        for number, one in enumerate(content)
    )


def _row(
    spectrum: Spectrum, target: TargetAxis, row: int | None, shown: str
) -> AxisRow | MeasurementError:
    axis = target.shift_cm1
    try:
        values = resample(
            spectrum, axis, low=target.low, allow_extrapolation=target.allow_extrapolation
        )
    except MeasurementError as error:
        where = "" if row is None else f"row {row}: "
        reason = str(error).removeprefix(f"{spectrum.name}: ")
        return type(error)(f"{shown}: {where}{reason}")
    measured = spectrum.shift_cm1
    return AxisRow(
        row, values, extrapolated(measured, axis), measured_points(measured, axis),
        spectrum.summary(), _fault_within(spectrum, axis),
    )  # fmt: skip


def _fault_within(spectrum: Spectrum, axis: NDArray[np.float64]) -> str | None:
    """Return what is wrong with the points of a spectrum that lie on an axis, as measured."""
    inside = (spectrum.shift_cm1 >= axis[0]) & (spectrum.shift_cm1 <= axis[-1])
    return fault_of(spectrum.intensity[inside]) if inside.any() else None


def _array_rows(arrays: RowArrays, target: TargetAxis, shown: str) -> FileRows:
    if arrays.spectra is None or arrays.shift_cm1 is None:
        raise MeasurementError("expected spectra, got maps; they need a model of maps")
    bad = dict(arrays.bad)
    axis = target.shift_cm1
    # Most arrays are on one axis with the model: their rows need no interpolation.
    same = len(axis) == len(arrays.shift_cm1) and np.allclose(
        axis, arrays.shift_cm1, rtol=0, atol=_STEP * (axis[1] - axis[0])
    )
    rows: list[AxisRow | MeasurementError] = []
    for number in range(arrays.n_rows):
        if number in bad:
            rows.append(MeasurementError(f"{shown}: {bad[number]}"))
            continue
        values = np.asarray(arrays.spectra[number], np.float64)
        one = Spectrum(f"row {number}", arrays.shift_cm1, values)
        if same:
            least = values.min()
            scaled = (values - least) / (values.max() - least)
            intensity = np.asarray(target.low + (1.0 - target.low) * scaled, np.float32)
            whole = np.ones(len(axis), bool)
            rows.append(AxisRow(number, intensity, 0.0, whole, one.summary(), fault_of(values)))
        else:
            rows.append(_row(one, target, number, shown))
    return tuple(rows)


def _start(plugins: tuple[Imported, ...]) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the process that asked ends this one
    import_again(plugins)


def _read_some(paths: Sequence[Path], target: TargetAxis, options: ReadOptions) -> list[FileRows]:
    return [read_on_axis(path, target, options) for path in paths]


def read_many_on_axis(
    paths: Sequence[Path],
    target: TargetAxis,
    options: ReadOptions = NOTHING_SAID,
    processes: int = 1,
) -> Iterator[FileRows]:
    """Yield the spectra of each file, in order; at most a few hundred files are read ahead.

    Parameters
    ----------
    paths
        The files.
    target
        The axis.
    options
        What the user states about files.
    processes
        How many processes read; few files are read by this one alone.
    """
    if processes < 2 or len(paths) < _FEW_FILES:
        for path in paths:
            yield read_on_axis(path, target, options)
        return
    tasks = (paths[first : first + _FILES_A_TASK] for first in range(0, len(paths), _FILES_A_TASK))
    waiting: deque[Future[list[FileRows]]] = deque()
    # A fork of a process with threads, as one with torch has them, may hang.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(processes, context, _start, (imported(),)) as pool:
        try:
            for task in tasks:
                waiting.append(pool.submit(_read_some, task, target, options))
                if len(waiting) > 4 * processes:
                    yield from waiting.popleft().result()
            while waiting:
                yield from waiting.popleft().result()
        except BrokenProcessPool:
            raise MeasurementError(
                "expected the processes that read files to go on, got one that was killed, "
                "perhaps for its memory; read with --threads 1"
            ) from None
        finally:
            for one in waiting:
                one.cancel()
