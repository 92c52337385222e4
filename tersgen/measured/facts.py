"""What is in a measured file, for people and programs: what `tersgen inspect` shows."""

import math
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..errors import MeasurementError
from ..text import printable
from .collection import problem_of
from .positions import map_grid
from .reader import ReadOptions, RowArrays, shown_name
from .reading import ReadFile, read_file
from .spectrum import Spectrum

_MOST_NOTES = 20


class MeasuredFacts(NamedTuple):
    """What a reader took from a file, and what it left."""

    name: str
    format: str
    axis: str
    """Kind and unit of the axis as the file has it."""
    laser_nm: float | None
    n_spectra: int
    n_points: tuple[int, int]
    """Points of the shortest and of the longest spectrum."""
    range_cm1: tuple[float, float] | None
    """Least and largest Raman shift; None for maps without spectra."""
    map: str
    """Size and steps of a map, or how many positions there are; nothing without any."""
    notes: tuple[str, ...]
    left: tuple[str, ...]

    def content(self) -> dict[str, Any]:
        """Return it as JSON takes it."""
        return {name: list(v) if isinstance(v, tuple) else v for name, v in self._asdict().items()}

    def lines(self) -> list[str]:
        """Return it as lines of text."""
        least, most = self.n_points
        points = f"{most}" if least == most else f"{least} to {most}"
        rows = [("axis", self.axis), ("laser", f"{self.laser_nm:g} nm" if self.laser_nm else "")]
        rows += [("spectra", f"{self.n_spectra} of {points} points")]
        if self.range_cm1 is not None:
            rows += [("range", "{:.2f} to {:.2f} cm^-1".format(*self.range_cm1))]
        rows += [("map", self.map)]
        rows += [("note", note) for note in self.notes] + [("left", one) for one in self.left]
        shown = [f"  {name:<8}{text}" for name, text in rows if text]
        return [f"{self.name}: {self.format}", *shown]


def inspect(
    path: Path, options: ReadOptions, reader: str | None = None
) -> tuple[MeasuredFacts, tuple[Spectrum, ...]]:
    """Return what is in a file, and its spectra; arrays have none of their own.

    Raises
    ------
    MeasurementError, MissingExtraError, ConfigError
        As ``read_file``; and if it holds spectra, none of which can be used.
    """
    found = read_file(path, options, reader)
    if isinstance(found.content, RowArrays):
        return _of_arrays(shown_name(path), found.format, found.content), ()
    spectra = tuple(one for one in found.content if isinstance(one, Spectrum))
    if not spectra:
        raise MeasurementError(
            f"{printable(str(path))}: expected a spectrum that can be used, got none: "
            f"{next(iter(found.content), 'it holds none')}"
        )
    return _of_spectra(shown_name(path), found, spectra), spectra


def _of_spectra(name: str, found: ReadFile, spectra: tuple[Spectrum, ...]) -> MeasuredFacts:
    taken = found.taken
    meaning = taken.meaning if taken else spectra[0].axis
    counts = [len(one.shift_cm1) for one in spectra]
    notes = dict.fromkeys(note for one in spectra for note in one.notes)
    return MeasuredFacts(
        name=name,
        format=found.format,
        axis=meaning.title if meaning else "Raman shifts, cm^-1",
        laser_nm=taken.laser_nm if taken else None,
        n_spectra=len(spectra),
        n_points=(min(counts), max(counts)),
        range_cm1=(
            float(min(one.shift_cm1[0] for one in spectra)),
            float(max(one.shift_cm1[-1] for one in spectra)),
        ),
        map=_map(spectra),
        notes=(*_refused(spectra), *notes)[:_MOST_NOTES],
        left=taken.left if taken else (),
    )


def _refused(spectra: tuple[Spectrum, ...]) -> tuple[str, ...]:
    """Return a note if spectra can be read, but not used as rows of a dataset."""
    problems = [text for text in map(problem_of, spectra) if text is not None]
    if not problems:
        return ()
    which = f"{len(problems)} of the {len(spectra)} spectra" if len(spectra) > 1 else "it"
    return (f"tersgen ingest refuses {which}: {problems[0]}",)


def _map(spectra: tuple[Spectrum, ...]) -> str:
    positions = [one.position_um for one in spectra if one.position_um is not None]
    return _grid(np.array(positions)) if positions else ""


def _grid(positions_um: NDArray[np.float64]) -> str:
    grid = map_grid(positions_um)
    return str(grid) if grid else f"{len(positions_um)} positions, on no regular grid"


def _of_arrays(name: str, format: str, arrays: RowArrays) -> MeasuredFacts:
    axis = arrays.shift_cm1
    n_points = 0 if axis is None else len(axis)
    return MeasuredFacts(
        name=name,
        format=format,
        axis="none" if axis is None else "Raman shifts, cm^-1",
        laser_nm=None,
        n_spectra=_n_spectra(arrays),
        n_points=(n_points, n_points),
        range_cm1=None if axis is None else (float(axis[0]), float(axis[-1])),
        map=_map_of_arrays(arrays),
        notes=(),
        left=(),
    )


def _n_spectra(arrays: RowArrays) -> int:
    if arrays.cubes is not None:
        return math.prod(arrays.cubes.shape[:3])
    return 0 if arrays.spectra is None else arrays.n_rows


def _map_of_arrays(arrays: RowArrays) -> str:
    if arrays.cubes is not None:
        rows, columns = arrays.cubes.shape[1:3]
        steps = "steps unknown"
        if arrays.steps_um is not None:
            steps = "step x {1:g} um, y {0:g} um".format(*arrays.steps_um)
        return f"cubes of {rows} rows x {columns} columns: {arrays.n_rows}, {steps}"
    if arrays.maps is not None:
        return f"{arrays.n_rows} arrays {arrays.maps.shape[1:]}"
    return "" if arrays.positions_um is None else _grid(arrays.positions_um)
