"""One HDF5 file with all there is: float32, axes as dimension scales, names and recipe as text."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import h5py
import numpy as np
from numpy.typing import NDArray

from ...plugins import register
from ...schema.fields import SAMPLE, FieldSpec
from ..exporter import Exporter, Report
from ..hdf5 import Counter, new_file, write_field, write_text

if TYPE_CHECKING:
    from ...dataset.dataset import Dataset

_CLASS = "class"
"""Dimension of the names of classes."""


@register("tersgen.exporters", "hdf5")
class Hdf5(Exporter):
    """Fields under their names; netCDF-4 programs and xarray (engine h5netcdf) read it, too."""

    format = "one HDF5 file in float32, with axes as dimension scales"
    ending = ".h5"

    def write(
        self, dataset: "Dataset", fields: Sequence[str] | None, out: Path, report: Report
    ) -> None:
        """Write the file."""
        names = list(dataset.fields) if fields is None else list(fields)
        count = Counter(len(names), len(dataset), report)
        with new_file(out) as file:
            specs = [dataset[name].spec for name in names]
            scales = _write_scales(file, dataset, specs)
            for spec in specs:
                item = write_field(file, spec.name, dataset, spec.name, count)
                item.attrs.update({"units": spec.unit, "long_name": spec.description})
                for k, dim in enumerate((SAMPLE, *spec.dims)):
                    item.dims[k].attach_scale(scales[dim])
                beside = [one.name for one in dataset.coordinates.values() if one.dim in spec.dims]
                if beside:
                    item.attrs["coordinates"] = " ".join(beside)
            for one in dataset.coordinates.values():
                if one.dim in scales:
                    item = file.create_dataset(one.name, data=one.points())
                    item.attrs.update({"units": one.unit, "long_name": one.description})
                    item.dims[0].attach_scale(scales[one.dim])
            _write_texts(file, dataset, scales[_CLASS])


def _write_scales(
    file: h5py.File, dataset: "Dataset", specs: Sequence[FieldSpec]
) -> dict[str, h5py.Dataset]:
    """Write an array for each dimension: positions with a unit, or numbers from 0."""
    sizes = {SAMPLE: len(dataset), _CLASS: len(dataset.classes)}
    sizes |= {dim: n for spec in specs for dim, n in zip(spec.dims, spec.shape, strict=True)}
    scales = {}
    values: NDArray[Any]
    for dim, size in sizes.items():
        axis = dataset.axes.get(dim)
        if dim == SAMPLE:
            values, unit, text = dataset.row_numbers, "1", "number of the row in the dataset"
        elif axis is None:
            values, unit, text = np.arange(size), "1", "number, from 0"
        else:
            values, unit, text = axis.points(), axis.unit, axis.description
        scales[dim] = file.create_dataset(dim, data=values)
        scales[dim].make_scale(dim)
        scales[dim].attrs.update({"units": unit, "long_name": text})
    return scales


def _write_texts(file: h5py.File, dataset: "Dataset", numbers: h5py.Dataset) -> None:
    """Write names of classes, and the recipe or what was measured, as JSON."""
    names = write_text(file, "classes", list(dataset.classes))
    names.attrs["long_name"] = "names of the classes in the order of their labels"
    names.dims[0].attach_scale(numbers)
    write_text(file, "recipe", json.dumps(dataset.document.content))
    file["recipe"].attrs["long_name"] = "what the rows rest on, as JSON"
    file.attrs.update({"identity": dataset.identity, "dataset": dataset.path.name})
