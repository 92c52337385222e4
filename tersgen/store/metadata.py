"""Zarr v3 metadata of a dataset, from the table of arrays.

What other Zarr libraries read: arrays with the sharding codec, blosc, a CRC32C after every chunk,
dimension names, units, and fill values that cannot be mistaken for data. Groups carry consolidated
metadata, as zarr-python and xarray read it.
"""

from typing import Any

import numpy as np

from ..schema.contents import Contents
from ..schema.fields import SAMPLE, Axis, Coordinate, FieldSpec
from ..schema.manifest import Compression
from .layout import Layout

Json = dict[str, Any]

_CRC: Json = {"name": "crc32c"}
_BYTES: Json = {"name": "bytes", "configuration": {"endian": "little"}}
_KEYS: Json = {"name": "default", "configuration": {"separator": "."}}
"""All shards of an array in one folder: few folders to make, to flush and to list."""


def blosc_settings(spec: FieldSpec, compression: Compression) -> Json | None:
    """Return how blosc compresses an array: signals bit-shuffled, targets shuffled, others not.

    Signals of 8 bits are not shuffled: LZ4 then leaves noise as it is, which costs next to nothing,
    and still shortens what repeats.
    """
    if compression == "none":
        return None
    if spec.is_dense and spec.dtype == "uint8":
        shuffle = "noshuffle"
    elif spec.is_dense:
        shuffle = "bitshuffle"
    elif spec.dims and not spec.name.startswith("params/"):
        shuffle = "shuffle"
    else:
        return None
    return {
        "cname": "lz4",
        "clevel": 5,
        "shuffle": shuffle,
        "typesize": np.dtype(spec.dtype).itemsize,
        "blocksize": 0,
    }


def chunk_codecs(spec: FieldSpec, compression: Compression) -> list[Json]:
    """Return the codecs of an inner chunk."""
    settings = blosc_settings(spec, compression)
    blosc = [] if settings is None else [{"name": "blosc", "configuration": settings}]
    return [_BYTES, *blosc, _CRC]


def array_metadata(spec: FieldSpec, n_samples: int, layout: Layout, contents: Contents) -> Json:
    """Return the ``zarr.json`` of one array of a dataset."""
    attributes: Json = {"units": spec.unit, "long_name": spec.description}
    if spec.is_label:
        attributes["classes"] = list(contents.classes)
    along = [one.name for one in contents.coordinates if one.dim in spec.dims]
    if along and "/" not in spec.name:  # CF's attribute: names in the same group
        attributes["coordinates"] = " ".join(along)
    if spec.fixed_point is not None:
        attributes |= {**spec.fixed_point.attributes, "_FillValue": spec.fill_value}
    return {
        "zarr_format": 3,
        "node_type": "array",
        "shape": [n_samples, *spec.shape],
        "data_type": spec.dtype,
        "chunk_grid": {
            "name": "regular",
            "configuration": {"chunk_shape": [layout.shard_rows, *spec.shape]},
        },
        "chunk_key_encoding": _KEYS,
        "fill_value": "NaN" if spec.dtype.startswith("float") else spec.fill_value,
        "codecs": [
            {
                "name": "sharding_indexed",
                "configuration": {
                    "chunk_shape": [layout.chunk_rows, *spec.shape],
                    "codecs": chunk_codecs(spec, layout.compression),
                    "index_codecs": [_BYTES, _CRC],
                    "index_location": "end",
                },
            }
        ],
        "attributes": attributes,
        "dimension_names": [SAMPLE, *spec.dims],
    }


def axis_metadata(axis: Axis | Coordinate) -> Json:
    """Return the ``zarr.json`` of positions along a dimension, one plain chunk."""
    return {
        "zarr_format": 3,
        "node_type": "array",
        "shape": [axis.n],
        "data_type": "float64",
        "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": [axis.n]}},
        "chunk_key_encoding": _KEYS,
        "fill_value": "NaN",
        "codecs": [_BYTES, _CRC],
        "attributes": {"units": axis.unit, "long_name": axis.description},
        "dimension_names": [axis.dim],
    }


def _group(attributes: Json, members: dict[str, Json]) -> Json:
    return {
        "zarr_format": 3,
        "node_type": "group",
        "attributes": attributes,
        "consolidated_metadata": {
            "kind": "inline",
            "must_understand": False,
            "metadata": members,
        },
    }


def hierarchy(
    contents: Contents, n_samples: int, layout: Layout, attributes: Json
) -> dict[str, Json]:
    """Return every ``zarr.json`` of a dataset by the path of its node; ``""`` is the root."""
    arrays = {
        spec.name: array_metadata(spec, n_samples, layout, contents) for spec in contents.fields
    }
    arrays |= {one.name: axis_metadata(one) for one in contents.positions}
    return with_groups(arrays, attributes)


def with_groups(arrays: dict[str, Json], attributes: Json) -> dict[str, Json]:
    """Return the ``zarr.json`` of arrays and of the groups that hold them, by path.

    ``attributes`` are those of the root, whose path is ``""``.
    """
    nodes: dict[str, Json] = {}
    for folder in sorted({name.split("/")[0] for name in arrays if "/" in name}):
        inside = {
            name.split("/")[1]: metadata
            for name, metadata in sorted(arrays.items())
            if name.startswith(folder + "/")
        }
        nodes[folder] = _group({}, inside)
    members = {
        name: {key: value for key, value in node.items() if key != "consolidated_metadata"}
        for name, node in sorted({**nodes, **arrays}.items())
    }
    return {"": _group(attributes, members), **nodes, **arrays}
