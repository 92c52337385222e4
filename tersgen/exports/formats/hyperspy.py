"""HyperSpy's own file, .hspy, of one field: ``hs.load`` opens it, also lazily."""

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import h5py
import numpy as np

from ...plugins import register
from ...schema.base import Frozen, field
from ..about import TERSGEN_VERSION
from ..exporter import Exporter, Report, one_field, plain, plain_dtype, row_blocks
from ..hdf5 import new_file
from ..signals import SignalAxis, signal_axes

if TYPE_CHECKING:
    from ...dataset.dataset import Dataset

_VERSION = "3.3"
"""Of the format, as HyperSpy 2 writes it."""
_CHUNK_BYTES = 1 << 20
"""Bytes of a chunk: lazy signals read arrays in chunks, and refuse those without."""
_NONE = "_None_"


@register("tersgen.exporters", "hyperspy")
class HyperSpy(Exporter):
    """Samples, and rows and columns of cubes, are navigation axes; Raman shifts the signal axis."""

    format = "HyperSpy file of spectra, cubes or maps"
    ending = ".hspy"

    class Settings(Frozen):
        """How HyperSpy takes the signal."""

        signal_type: str = field(
            "type of the signal, such as Luminescence for LumiSpy  [default: none]", "1", ""
        )

    def write(
        self, dataset: "Dataset", fields: Sequence[str] | None, out: Path, report: Report
    ) -> None:
        """Write the file."""
        name = one_field(dataset, fields, ("spectra", "cube", "maps"))
        spec = dataset[name].spec
        axes = signal_axes(dataset, name)
        with new_file(out) as file:
            file.attrs.update({"file_format": "HyperSpy", "file_format_version": _VERSION})
            group = file.create_group(f"Experiments/{name}")
            group.attrs.update({"package": "tersgen", "package_version": TERSGEN_VERSION})
            shape = tuple(axis.size for axis in axes)
            dtype = plain_dtype(spec)
            chunk = max(1, _CHUNK_BYTES // (dtype.itemsize * math.prod(spec.shape)))
            chunks = (min(chunk, shape[0]), *spec.shape)
            data = group.create_dataset("data", shape, dtype, chunks=chunks)
            for rows in row_blocks(dataset, [name]):
                data[rows] = plain(spec, dataset[name][rows])
                report(rows.stop, len(dataset))
            for k, axis in enumerate(axes):
                _write_axis(group.create_group(f"axis-{k}"), axis)
            _write_metadata(group, dataset, name, self.settings.signal_type)


def _write_axis(group: h5py.Group, axis: SignalAxis) -> None:
    group.attrs.update(
        {
            "_type": "UniformDataAxis" if axis.values is None else "DataAxis",
            "is_binned": False,
            "name": axis.name,
            "navigate": axis.navigate,
            "units": axis.units or _NONE,
        }
    )
    if axis.values is None:
        group.attrs.update({"offset": axis.offset, "scale": axis.scale, "size": axis.size})
    else:
        group.create_dataset("axis", data=np.asarray(axis.values, np.float64))


def _write_metadata(group: h5py.Group, dataset: "Dataset", name: str, signal_type: str) -> None:
    tree: dict[str, Any] = {
        "attributes": {"_lazy": False, "ragged": False},
        "learning_results": {},
        "metadata": {
            "General": {"title": f"{name} of {dataset.path.name}"},
            "Signal": {"signal_type": signal_type, "quantity": dataset[name].spec.description},
            "Sample": {"description": ", ".join(dataset.classes)},
        },
        "original_metadata": {
            "identity": dataset.identity,
            "recipe": json.dumps(dataset.document.content),
            "classes": json.dumps(dataset.classes),
        },
    }
    if "label" in dataset:
        tree["original_metadata"]["label"] = dataset["label"][:]
    _write_tree(group, tree)


def _write_tree(group: h5py.Group, tree: dict[str, Any]) -> None:
    """Write tables as groups, arrays and long texts as arrays, and the rest as attributes."""
    for key, value in tree.items():
        if isinstance(value, dict):
            _write_tree(group.create_group(key), value)
        elif isinstance(value, np.ndarray):
            group.create_dataset(key, data=value, chunks=value.shape)
        elif isinstance(value, str) and len(value) > 1 << 15:
            # attributes end at 64 KiB
            group.create_dataset(f"_str_{key}", data=value, dtype=h5py.string_dtype())
        else:
            group.attrs[key] = value
