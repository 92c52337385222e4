"""OME-Zarr 0.5: maps or cubes as images, one for each row, with lengths and Raman shifts."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ...errors import ConfigError
from ...plugins import register
from ...store.files import sync_tree
from ..exporter import (
    Exporter,
    Report,
    one_field,
    plain,
    plain_dtype,
    row_blocks,
    species_of,
)

if TYPE_CHECKING:
    from ...dataset.dataset import Dataset
    from ...schema.fields import Axis

VERSION = "0.5"
_MOST_CHANNELS = 64
"""More than these are an axis of Raman shifts rather than pictures to overlay."""
_UNITS = {"Angstrom": "angstrom", "um": "micrometer", "nm": "nanometer"}
_COLOURS = ("0072B2", "E69F00", "009E73", "CC79A7", "56B4E9", "D55E00", "F0E442", "FFFFFF")


@register("tersgen.exporters", "ome-zarr")
class OmeZarr(Exporter):
    """A collection (``bioformats2raw.layout``) with the image of each row in order: 0, 1, 2, ..."""

    resumes = True
    format = "OME-Zarr 0.5: the maps or cube of each row as an image"
    ending = ".zarr"

    def write(
        self, dataset: "Dataset", fields: Sequence[str] | None, out: Path, report: Report
    ) -> None:
        """Write the folder."""
        import zarr

        name = one_field(dataset, fields, ("maps", "cube"))
        spec = dataset[name].spec
        if not {"row", "column"} <= {*spec.dims} or len(spec.dims) > 3:
            raise ConfigError(f"{name}: expected rows and columns for ome-zarr, got {spec.dims}")
        order = _order(spec.dims)
        dims = tuple(spec.dims[k] for k in order)
        shape = tuple(spec.shape[k] for k in order)
        image = _image(dataset, dims, shape)
        facts = {**_ome({"bioformats2raw.layout": 3}), "identity": dataset.identity}
        partial = out / ".partial"
        letters = [axis["name"] for axis in image["multiscales"][0]["axes"]]
        numbers = dataset.row_numbers
        for rows in row_blocks(dataset, [name]):
            new = [
                k for k in range(rows.stop - rows.start) if not (out / str(rows.start + k)).exists()
            ]
            if not new:
                continue
            values = plain(spec, dataset[name][rows])
            titles = [f"row {number}" for number in numbers[rows]]
            if "label" in dataset:
                named = zip(titles, species_of(dataset, rows), strict=True)
                titles = [f"{title}: {species}" for title, species in named]
            for k in new:
                image["multiscales"][0]["name"] = titles[k]
                group = zarr.open_group(partial, mode="w", zarr_format=3, attributes=_ome(image))
                array = group.create_array(
                    "0",
                    shape=shape,
                    dtype=plain_dtype(spec),
                    chunks=(min(shape[0], _MOST_CHANNELS), *shape[1:]) if len(shape) > 2 else shape,
                    dimension_names=letters,
                    fill_value=np.nan if values.dtype.kind == "f" else -1,
                )
                array[:] = values[k].transpose(order)
                sync_tree(partial)
                partial.rename(out / str(rows.start + k))
            report(rows.stop, len(dataset))
        root = zarr.open_group(out, mode="a", zarr_format=3, attributes=facts)
        names = [str(k) for k in range(len(dataset))]
        root.create_group("OME", attributes=_ome({"series": names}), overwrite=True)


def _ome(content: dict[str, Any]) -> dict[str, Any]:
    return {"ome": {"version": VERSION, **content}}


def _order(dims: tuple[str, ...]) -> list[int]:
    """Return the order of dimensions of an image: channels, rows (y), columns (x)."""
    last = {"row": 1, "column": 2}
    return sorted(range(len(dims)), key=lambda k: last.get(dims[k], 0))


def _image(dataset: "Dataset", dims: tuple[str, ...], shape: tuple[int, ...]) -> dict[str, Any]:
    """Return the metadata of each image."""
    axes, scale, shift = [], [], []
    for dim in dims:
        known = dataset.axes.get(dim)
        letter = {"row": "y", "column": "x"}.get(dim, "c")
        axis = {"name": letter, "type": "channel" if letter == "c" else "space"}
        if known is not None:
            axis["unit"] = _UNITS.get(known.unit, known.unit)
        axes.append(axis)
        scale.append(_step(known))
        shift.append(known.start if known else 0.0)
    transforms: list[dict[str, Any]] = [
        {"type": "scale", "scale": scale},
        {"type": "translation", "translation": shift},
    ]
    level = {"path": "0", "coordinateTransformations": transforms}
    content: dict[str, Any] = {"multiscales": [{"axes": axes, "datasets": [level]}]}
    if len(dims) == 3 and shape[0] <= _MOST_CHANNELS:
        content["omero"] = {"channels": _channels(dataset, dims[0], shape[0])}
    return content


def _step(axis: "Axis | None") -> float:
    return (axis.stop - axis.start) / (axis.n - 1) if axis is not None and axis.n > 1 else 1.0


def _channels(dataset: "Dataset", dim: str, n: int) -> list[dict[str, Any]]:
    """Return label, colour and range of each channel: its band, where that is known."""
    known = {name: one for name, one in dataset.coordinates.items() if one.dim == dim}
    low, high = (known.get(f"band_{end}") for end in ("low", "high"))
    axis = dataset.axes.get(dim)
    channels = []
    for k in range(n):
        label = f"{dim} {k}"
        if low is not None and high is not None:
            label = f"{low.values[k]:g} to {high.values[k]:g} {low.unit}"
        elif axis is not None:
            label = f"{axis.points()[k]:g} {axis.unit}"
        bottom = -1.0 if dataset.scale == "symmetric" else 0.0
        window = {"start": bottom, "end": 1.0, "min": bottom, "max": 1.0}
        colour = _COLOURS[k % len(_COLOURS)]
        channels.append({"label": label, "color": colour, "window": window, "active": k == 0})
    return channels
