"""Measured rows as a dataset: resampled to one axis, in a random order, with their sources."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..dataset.splits import make_split
from ..errors import MeasurementError
from ..measured.collection import Collection, Rows, by_note
from ..measured.labels import misspelt_part, ordered_classes, positions
from ..measured.reader import RowArrays
from ..measured.resample import extrapolated, resample
from ..measured.spectrum import Spectrum
from ..random.philox import philox
from ..random.streams import MEASURED_ORDER
from ..schema.grid import Grid
from ..schema.intervals import LARGEST
from ..schema.loading import validate
from ..schema.manifest import Format
from ..schema.measured import Measured
from ..schema.measured_fields import measured_table
from ..schema.split import SplitRule
from ..store.location import DatasetLocation
from .finish import Origin
from .plan import Plan, make_plan
from .progress import Report
from .run import Built, run

Values = NDArray[np.generic]

_POINTS = 1024
_LEAST_COMMON = 0.5
"""Least range that all spectra cover, as a share of that of the median file."""
_WORTH_SAYING = 0.01


class Target(NamedTuple):
    """What measured rows are brought to."""

    grid: Grid | None = None
    """Axis; by default what all spectra cover, in 1024 points."""
    classes: tuple[str, ...] = ()
    """Classes that come first, in their order, whether rows have them or not."""
    precision: str = "float32"
    scale: str = "unit"
    allow_extrapolation: bool = False
    laser_nm: float | None = None
    seed: int = 0


def describe(collection: Collection, target: Target) -> Measured:
    """Return what a dataset of some measured rows rests on.

    Raises
    ------
    MeasurementError
        If files cannot be put together: some with maps and some without, or no common axis.
    ConfigError
        If a class has a name that is not allowed.
    """
    rows, known = collection.rows, collection.known
    n_raw = max(one.n_points for one in rows)
    shapes = sorted({one.map_shape or () for one in rows})
    if len(shapes) > 1 or (n_raw and not all(one.n_points for one in rows)):
        raise MeasurementError(
            "expected the same kinds of signals in all files, got spectra or maps in some only, or "
            f"maps of shapes {', '.join(map(str, shapes))}"
        )
    grid = target.grid or _common_grid(collection)
    table = {
        "grid": grid.model_dump(),
        "classes": ordered_classes([one.label for one in known], target.classes),
        "edges": "repeated" if target.allow_extrapolation else "refused",
        "laser_nm": target.laser_nm,
        "precision": target.precision,
        "scale": target.scale,
        "n_raw": n_raw,
        "raw_axis": not _all_on(grid, collection),
        "positions": any(_position(rows, 0) is not None for rows in collection.rows),
        "map": shapes[0] or None,
        "seed": target.seed,
        "parts": _named("part", [one.part for one in known]),
        "groups": _named("group", [one.group for one in known]),
        "readers": [one.model_dump() for one in collection.readers],
        "files": [one.model_dump() for one in collection.files],
    }
    return validate(Measured, table, "measured rows")


def repeated_edges(collection: Collection, grid: Grid) -> list[str]:
    """Return how much of an axis files have not measured, files of the same share together."""
    axis = grid.points()
    found = []
    for file, rows in zip(collection.files, collection.rows, strict=True):
        shares = [extrapolated(one, axis) for one in rows.axes()]
        if shares and max(shares) >= _WORTH_SAYING:
            upto = "up to " if min(shares) < max(shares) else ""
            text = f"{upto}{max(shares):.0%} of the axis was not measured: edges repeated"
            found.append((file.name, text))
    return by_note(found)


def _common_grid(collection: Collection) -> Grid:
    """Return the axis that all spectra cover."""
    ranges = [
        (float(axis[0]), float(axis[-1]), file.name)
        for file, rows in zip(collection.files, collection.rows, strict=True)
        for axis in rows.axes()
    ]
    if not ranges:
        return Grid()
    low, _, last = max(ranges, key=lambda one: one[0])
    _, high, first = min(ranges, key=lambda one: one[1])
    low = max(low, 0.0)  # the laser line, and what is anti-Stokes, are no part of a dataset
    if low >= high:
        raise MeasurementError(
            f"expected spectra that overlap above 0 cm^-1, got one that begins at {low:g} and one "
            f"that ends at {high:g} cm^-1; give the axis: --grid START:STOP:POINTS, and "
            "--allow-extrapolation"
        )
    if high > LARGEST:
        raise MeasurementError(
            f"expected Raman shifts up to {LARGEST:g} cm^-1, got {low:g} to {high:g}; is the "
            "axis in another unit? The heading, or --unit, may state it"
        )
    widths: dict[str, float] = {}
    for begin, end, name in ranges:
        widths[name] = max(widths.get(name, 0.0), end - max(begin, 0.0))
    usual = float(np.median([*widths.values()]))
    if high - low < _LEAST_COMMON * usual:
        bounds = f"{last} begins at {low:g} and {first} ends at {high:g} cm^-1; leave one out"
        if first == last:
            bounds = f"{first} has no more; leave it out"
        raise MeasurementError(
            f"expected spectra over about the same range, got only {low:g} to {high:g} cm^-1 in "
            f"common, less than half of the {usual:g} cm^-1 of the median file: {bounds}, or give "
            "the axis: --grid START:STOP:POINTS, and --allow-extrapolation where it is not covered"
        )
    return Grid(start_cm1=low, stop_cm1=high, n_points=_POINTS)


def _all_on(grid: Grid, collection: Collection) -> bool:
    """Return whether every spectrum was measured at the points of the grid."""
    axis = grid.points()
    return all(
        len(shift) == len(axis) and np.allclose(shift, axis, rtol=0.0, atol=1e-6 * grid.step_cm1)
        for rows in collection.rows
        for shift in rows.axes()
    )


def _position(rows: Rows, row: int) -> tuple[float, float] | None:
    """Return where a row was measured, if its file says so; files say it of all rows or none."""
    return None if isinstance(rows.spectra, RowArrays) else rows.spectra[row].position_um


def _named(what: str, values: Sequence[str | None]) -> tuple[str, ...]:
    """Return the names that rows were given, if any: then all rows must have one."""
    if all(value is None for value in values):
        return ()
    missing = sum(value is None for value in values)
    if missing:
        raise MeasurementError(
            f"expected a {what} of every row, as some have one, got none of {missing} rows"
        )
    names = {value for value in values if value is not None}
    if what == "part":
        misspelt = misspelt_part(names)
        if misspelt is not None:
            raise MeasurementError(f"part: {misspelt[1]}")
        first = [one for one in ("train", "val", "test") if one in names]
        return (*first, *sorted(names - set(first)))
    return tuple(sorted(names))


def _random_order(n_rows: int, seed: int) -> NDArray[np.int64]:
    """Return a permutation of rows: the same one with every version of NumPy."""
    words = [philox(0, row, 0, seed, MEASURED_ORDER) for row in range(n_rows)]
    keys = np.array([(int(w0) << 32) | int(w1) for w0, w1, _, _ in words], np.uint64)
    return np.argsort(keys, kind="stable")


class MeasuredRuns:
    """Rows of a collection on the axis of a dataset, in a random order."""

    def __init__(self, collection: Collection, measured: Measured) -> None:
        self._rows = collection.rows
        self._measured = measured
        self._table = measured_table(measured)
        self._axis = measured.grid.points()
        counts = [one.n_rows for one in collection.rows]
        self._file = np.repeat(np.arange(len(counts)), counts)
        self._row = np.concatenate([np.arange(count) for count in counts])
        self._order = _random_order(len(self._file), measured.seed)
        self._classes = positions(measured.classes)
        self._parts, self._groups = positions(measured.parts), positions(measured.groups)

    def make(self, start: int, n_rows: int) -> Mapping[str, Values]:
        """Return rows by field.

        Raises
        ------
        MeasurementError
            If a spectrum does not cover the axis.
        """
        out: dict[str, Values] = {
            spec.name: np.zeros((n_rows, *spec.shape), spec.dtype) for spec in self._table
        }
        for k, place in enumerate(self._order[start : start + n_rows].tolist()):
            file, row = int(self._file[place]), int(self._row[place])
            rows = self._rows[file]
            known = rows.known[row]
            out["label"][k] = self._classes[known.label]
            out["source/file"][k], out["source/row"][k] = file, rows.place(row)
            if known.part is not None:
                out["source/part"][k] = self._parts[known.part]
            if known.group is not None:
                out["source/group"][k] = self._groups[known.group]
            if "source/x" in out:
                out["source/x"][k], out["source/y"][k] = _position(rows, row) or (np.nan, np.nan)
            if "spectra" in out:
                self._put_spectrum(out, k, rows.spectrum(row), file)
            if "maps" in out:
                self._put_map(out, k, rows.map(row))
        return out

    def _put_spectrum(self, out: dict[str, Values], k: int, spectrum: Spectrum, file: int) -> None:
        measured = self._measured
        name = measured.files[file].name
        if not spectrum.name.startswith(name):
            spectrum = Spectrum(f"{name}: {spectrum.name}", spectrum.shift_cm1, spectrum.intensity)
        out["spectra"][k] = resample(
            spectrum,
            self._axis,
            low=-1.0 if measured.scale == "symmetric" else 0.0,
            allow_extrapolation=measured.edges == "repeated",
        )
        count = len(spectrum.shift_cm1)
        if "raw/shift" in out:
            out["raw/shift"][k, :count] = spectrum.shift_cm1
        out["raw/intensity"][k, :count] = spectrum.intensity
        out["raw/count"][k] = count
        out["source/extrapolated"][k] = extrapolated(spectrum.shift_cm1, self._axis)

    def _put_map(self, out: dict[str, Values], k: int, image: NDArray[np.float64]) -> None:
        """Put a map in place, min-max scaled over all channels."""
        least, largest = float(image.min()), float(image.max())
        scaled = (image - least) / (largest - least)
        low = -1.0 if self._measured.scale == "symmetric" else 0.0
        out["maps"][k] = low + (1.0 - low) * scaled


def plan_ingest(
    collection: Collection, target: Target, format: Format
) -> tuple[Plan, MeasuredRuns]:
    """Return the plan of a dataset of measured rows, and what makes them.

    Raises
    ------
    MeasurementError, ConfigError
        As ``describe``.
    """
    measured = describe(collection, target)
    plan = make_plan(measured, collection.n_rows, format)
    return plan, MeasuredRuns(collection, measured)


def ingest(
    plan: Plan,
    rows: MeasuredRuns,
    out: Path | DatasetLocation,
    overwrite: bool = False,
    threads: int | None = None,
    report: Report | None = None,
) -> Built:
    """Write a dataset of measured rows, and the split of the parts that rows were given, if any.

    Raises
    ------
    MeasurementError
        If a spectrum does not cover the axis.
    OutputError
        If the output holds something else, or cannot be written.
    """
    measured = plan.recipe
    parts = measured.parts if isinstance(measured, Measured) else ()

    def split(path: Path) -> None:
        if parts:
            shares = (1.0 / len(parts),) * len(parts)
            make_split(path, "default", SplitRule(names=parts, ratios=shares, by="given"))

    return run(plan, out, overwrite, threads, report, Origin("ingest", rows=rows), finish=split)
