"""Measured rows as a dataset: resampled to one axis, in a random order, with their sources."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from threading import Event
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..dataset.splits import make_split
from ..errors import MeasurementError
from ..measured.collection import Collection, by_note
from ..measured.cubes import band_areas
from ..measured.labels import misspelt_part, ordered_classes, positions
from ..measured.reader import RowArrays
from ..measured.resample import (
    check_range,
    extrapolated,
    interpolated,
    measured_points,
    resample,
)
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
Intensities = NDArray[np.float64]

_POINTS = 1024
_LEAST_COMMON = 0.5
"""Least range that all spectra cover, as a share of that of the median file."""
_WORTH_SAYING = 0.01
_SAME_STEP = 0.01
"""Part by which the steps of maps in one dataset may differ."""


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
    bands: tuple[tuple[float, float], ...] = ()
    """Bands whose areas are the channels of maps, in place of cubes, cm^-1."""


def describe(collection: Collection, target: Target) -> Measured:
    """Return what a dataset of some measured rows rests on."""
    rows, known = collection.rows, collection.known
    n_raw = max(one.n_points for one in rows)
    shapes = sorted({one.map_shape or () for one in rows})
    if len(shapes) > 1 or (n_raw and not all(one.n_points for one in rows)):
        raise MeasurementError(
            "expected the same kinds of signals in all files, got spectra or maps in some only, or "
            f"maps of shapes {', '.join(map(str, shapes))}"
        )
    pixels = _pixels(collection)
    if target.bands:
        if pixels is None:
            raise MeasurementError("expected maps to take bands from, got spectra")
        n_raw, shapes = 0, [(len(target.bands), pixels["rows"], pixels["columns"])]
    grid = target.grid or (Grid() if target.bands else _common_grid(collection))
    table = {
        "grid": grid.model_dump(),
        "classes": ordered_classes([one.label for one in known], target.classes),
        "edges": "repeated" if target.allow_extrapolation else "refused",
        "laser_nm": target.laser_nm,
        "precision": target.precision,
        "scale": target.scale,
        "n_raw": n_raw,
        "raw_axis": not target.bands and not _all_on(grid, collection),
        "positions": any(rows.position(0) is not None for rows in collection.rows),
        "map": shapes[0] or None,
        "pixels": pixels,
        "bands": target.bands,
        "seed": target.seed,
        "parts": _named("part", [one.part for one in known]),
        "groups": _named("group", [one.group for one in known]),
        "columns": tuple(dict.fromkeys(name for one in known for name in one.numbers)),
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
            text = f"{upto}{max(shares):.0%} of the axis was not measured: filled from its edges"
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


def _pixels(collection: Collection) -> dict[str, Any] | None:
    """Return the size and the steps that all cubes share; None for spectra and arrays of maps."""
    found: dict[str, tuple[int, int]] = {}
    steps: dict[tuple[float, float] | None, str] = {}
    for file, rows in zip(collection.files, collection.rows, strict=True):
        if isinstance(rows.spectra, RowArrays) and rows.spectra.cubes is not None:
            found[file.name] = rows.spectra.cubes.shape[1:3]
            steps.setdefault(rows.spectra.steps_um, file.name)
    if not found:
        return None
    (first, size), *others = found.items()
    for name, other in others:
        if other != size:
            raise MeasurementError(
                "expected maps of one size, got {} x {} pixels in {} and {} x {} in {}; make a "
                "dataset of each size".format(*size, first, *other, name)
            )
    (known, whose), *different = steps.items()
    for step, name in different:
        if step is None or known is None or not np.allclose(step, known, rtol=_SAME_STEP):
            shown = [f"{one[0]:g} x {one[1]:g} um" if one else "no steps" for one in (known, step)]
            raise MeasurementError(
                f"expected maps of the same steps, got {shown[0]} in {whose} and {shown[1]} in "
                f"{name}; make a dataset of each"
            )
    made: dict[str, Any] = {"rows": size[0], "columns": size[1]}
    if known is not None:
        made |= {"step_y_um": known[0], "step_x_um": known[1]}
    return made


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
        """Return rows by field."""
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
            for name in self._measured.columns:
                out[f"table/{name}"][k] = known.numbers.get(name, np.nan)
            if "source/x" in out:
                out["source/x"][k], out["source/y"][k] = rows.position(row) or (np.nan, np.nan)
            if "spectra" in out:
                self._put_spectrum(out, k, rows.spectrum(row), file)
            if "cube" in out:
                self._put_cube(out, k, rows.cube(row), rows.axes()[0], file)
            if "maps" in out and self._measured.bands:
                out["maps"][k] = self._scaled(
                    self._areas(rows.cube(row), rows.axes()[0], file), file
                )
            elif "maps" in out:
                out["maps"][k] = self._scaled(rows.map(row), file)
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
        out["measured"][k] = measured_points(spectrum.shift_cm1, self._axis)
        count = len(spectrum.shift_cm1)
        if "raw/shift" in out:
            out["raw/shift"][k, :count] = spectrum.shift_cm1
        out["raw/intensity"][k, :count] = spectrum.intensity
        out["raw/count"][k] = count
        out["source/extrapolated"][k] = extrapolated(spectrum.shift_cm1, self._axis)

    def _put_cube(
        self, out: dict[str, Values], k: int, cube: Intensities, shift: Intensities, file: int
    ) -> None:
        """Put a cube in place, its spectra on the axis of the dataset, and as it was measured."""
        measured, axis = self._measured, self._axis
        check_range(measured.files[file].name, shift, axis, measured.edges == "repeated")
        scale = float(np.abs(cube).max()) or 1.0  # so that no measured number is too large
        on_grid = [interpolated(shift, one / scale, axis) for line in cube for one in line]
        out["cube"][k] = self._scaled(np.reshape(on_grid, (*cube.shape[:2], len(axis))), file)
        count = len(shift)
        if "raw/shift" in out:
            out["raw/shift"][k, :count] = shift
        out["raw/intensity"][k, ..., :count] = cube
        out["raw/count"][k] = count
        out["source/extrapolated"][k] = extrapolated(shift, axis)

    def _areas(self, cube: Intensities, shift: Intensities, file: int) -> Intensities:
        """Return the areas of the bands at each pixel, shape (C, H, W)."""
        name = self._measured.files[file].name
        try:
            return np.stack([band_areas(cube, shift, *band) for band in self._measured.bands])
        except MeasurementError as error:
            raise MeasurementError(f"{name}: {error}") from None

    def _scaled(self, image: NDArray[Any], file: int) -> Intensities:
        """Return a map or cube, min-max scaled over all its channels."""
        least, largest = float(image.min()), float(image.max())
        if least == largest:
            raise MeasurementError(
                f"{self._measured.files[file].name}: expected a map with bands, got one that is "
                "constant over the axis or bands wanted"
            )
        scaled = (image - least) / (largest - least)
        low = -1.0 if self._measured.scale == "symmetric" else 0.0
        return np.asarray(low + (1.0 - low) * scaled)


def plan_ingest(
    collection: Collection, target: Target, format: Format
) -> tuple[Plan, MeasuredRuns]:
    """Return the plan of a dataset of measured rows, and what makes them."""
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
    cancel: Event | None = None,
) -> Built:
    """Write a dataset of measured rows, and the split of the parts that rows were given, if any."""
    measured = plan.recipe
    parts = measured.parts if isinstance(measured, Measured) else ()

    def split(path: Path) -> None:
        if parts:
            shares = (1.0 / len(parts),) * len(parts)
            make_split(path, "default", SplitRule(names=parts, ratios=shares, by="given"))

    origin = Origin("ingest", rows=rows)
    return run(plan, out, overwrite, threads, report, origin, finish=split, cancel=cancel)
