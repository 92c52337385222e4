"""The arrays of measured datasets."""

from .fields import Axis, Coordinate, FieldSpec, band_limits, grid_axis, spec
from .measured import Measured


def _signal(measured: Measured, name: str, text: str, sizes: dict[str, int]) -> FieldSpec:
    span = (-1.0, 1.0) if measured.scale == "symmetric" else (0.0, 1.0)
    text = f"{text} to [{span[0]:g}, {span[1]:g}]"
    made = spec(name, measured.precision, "1", text, **sizes)
    return made.model_copy(update={"span": span})


def measured_table(measured: Measured) -> tuple[FieldSpec, ...]:
    """Return the arrays of measured rows."""
    table = []
    pixels = measured.pixels
    size = {} if pixels is None else {"row": pixels.rows, "column": pixels.columns}
    if measured.has_cubes:
        text = "measured spectra at the pixels of a map on the grid, min-max scaled over all"
        sizes = {**size, "shift_channel": measured.grid.n_points}
        table.append(_signal(measured, "cube", text, sizes))
    elif measured.n_raw:
        text = "measured spectra on the grid, min-max scaled"
        sizes = {"raman_shift": measured.grid.n_points}
        table.append(_signal(measured, "spectra", text, sizes))
    if measured.map is not None:
        text = "measured maps, min-max scaled over all channels"
        sizes = dict(zip(("channel", "row", "column"), measured.map, strict=True))
        table.append(_signal(measured, "maps", text, sizes))
    table.append(spec("label", "int32", "1", "class: position of its name in the list"))
    if measured.n_raw and not measured.has_cubes:
        text = "1 where the grid was measured, 0 where edges are repeated or a gap is bridged"
        sizes = {"raman_shift": measured.grid.n_points}
        table.append(spec("measured", "float16", "1", text, **sizes))
    if measured.n_raw:
        if measured.raw_axis:
            text = "Raman shifts as measured, rising; 0 beyond count"
            table.append(spec("raw/shift", "float32", "cm^-1", text, raw_point=measured.n_raw))
        text = "intensities as measured; 0 beyond count"
        sizes = {**size, "raw_point": measured.n_raw}
        table.append(spec("raw/intensity", "float32", "1", text, **sizes))
        table.append(spec("raw/count", "int32", "1", "points as measured"))
        text = "share of the grid that was not measured, where edges are repeated or gaps bridged"
        table.append(spec("source/extrapolated", "float32", "1", text))
    table.append(spec("source/file", "int32", "1", "position of its file in the list of files"))
    table.append(spec("source/row", "int32", "1", "which spectrum of that file it is"))
    if measured.positions:
        for name in ("x", "y"):
            place = "its first pixel" if measured.pixels else "the place where it was measured"
            text = f"{name} of {place}; NaN if its file does not say"
            table.append(spec(f"source/{name}", "float32", "um", text))
    for name, text in (("part", "part it was given to"), ("group", "group it was given to")):
        if measured.parts if name == "part" else measured.groups:
            table.append(spec(f"source/{name}", "int32", "1", f"{text}, a position in the list"))
    for name in measured.columns:
        text = "number that the table of labels has for its file; NaN where it has none"
        table.append(spec(f"table/{name}", "float32", "1", text))
    return tuple(table)


def measured_axes(measured: Measured) -> tuple[Axis, ...]:
    """Return the axes of the arrays; those of pixels begin at 0 in each map."""
    axes = [grid_axis(measured.grid)] if measured.n_raw else []
    if measured.pixels is None:
        return tuple(axes)
    if measured.has_cubes:
        text = "Raman shift of each channel"
        axes = [axes[0].model_copy(update={"name": "shift_channel", "description": text})]
    pixels = measured.pixels
    for name, along, n, step in (
        ("row", "y", pixels.rows, pixels.step_y_um),
        ("column", "x", pixels.columns, pixels.step_x_um),
    ):
        if step is not None:
            text = f"{along} of each {name}, from the first"
            axes.append(
                Axis(name=name, unit="um", description=text, start=0.0, stop=step * (n - 1), n=n)
            )
    return tuple(axes)


def measured_coordinates(measured: Measured) -> tuple[Coordinate, ...]:
    """Return the limits of the bands of measured maps, where they are known."""
    return tuple(band_limits(measured.bands)) if measured.bands else ()
