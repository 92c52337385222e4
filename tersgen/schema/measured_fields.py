"""The arrays of measured datasets."""

from .fields import FieldSpec, spec
from .measured import Measured


def _signal(measured: Measured, name: str, text: str, sizes: dict[str, int]) -> FieldSpec:
    span = (-1.0, 1.0) if measured.scale == "symmetric" else (0.0, 1.0)
    text = f"{text} to [{span[0]:g}, {span[1]:g}]"
    made = spec(name, measured.precision, "1", text, **sizes)
    return made.model_copy(update={"span": span})


def measured_table(measured: Measured) -> tuple[FieldSpec, ...]:
    """Return the arrays of measured rows."""
    table = []
    if measured.n_raw:
        text = "measured spectra on the grid, min-max scaled"
        sizes = {"raman_shift": measured.grid.n_points}
        table.append(_signal(measured, "spectra", text, sizes))
    if measured.map is not None:
        text = "measured maps, min-max scaled over all channels"
        sizes = dict(zip(("channel", "row", "column"), measured.map, strict=True))
        table.append(_signal(measured, "maps", text, sizes))
    table.append(spec("label", "int32", "1", "class: position of its name in the list"))
    if measured.n_raw:
        if measured.raw_axis:
            text = "Raman shifts as measured, rising; 0 beyond count"
            table.append(spec("raw/shift", "float32", "cm^-1", text, raw_point=measured.n_raw))
        text = "intensities as measured; 0 beyond count"
        table.append(spec("raw/intensity", "float32", "1", text, raw_point=measured.n_raw))
        table.append(spec("raw/count", "int32", "1", "points as measured"))
        text = "share of the grid that was not measured: there the edges are repeated"
        table.append(spec("source/extrapolated", "float32", "1", text))
    table.append(spec("source/file", "int32", "1", "position of its file in the list of files"))
    table.append(spec("source/row", "int32", "1", "which spectrum of that file it is"))
    if measured.positions:
        for name in ("x", "y"):
            text = f"{name} of the place where it was measured; NaN if its file does not say"
            table.append(spec(f"source/{name}", "float32", "um", text))
    for name, text in (("part", "part it was given to"), ("group", "group it was given to")):
        if measured.parts if name == "part" else measured.groups:
            table.append(spec(f"source/{name}", "int32", "1", f"{text}, a position in the list"))
    return tuple(table)
