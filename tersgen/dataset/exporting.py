"""Datasets as lazy arrays of Dask and xarray, whose reads are checked like any other."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from ..schema.fields import SAMPLE
from .field import Field

if TYPE_CHECKING:
    import dask.array
    import xarray

    from .dataset import Dataset

_CHUNK_ROWS = 4096


def chosen_fields(dataset: "Dataset", fields: Iterable[str] | None) -> dict[str, Field]:
    """Return some fields of a dataset by name, or all."""
    if isinstance(fields, str):
        fields = [fields]
    names = dataset.fields if fields is None else fields
    return {name: dataset[name] for name in names}


def to_dask(
    dataset: "Dataset", fields: Iterable[str] | None = None
) -> "dict[str, dask.array.Array]":
    """Return lazy arrays by the names of their fields, chunked by rows."""
    import dask.array

    return {
        name: dask.array.from_array(
            field, chunks=(_CHUNK_ROWS, *field.spec.shape), asarray=False, name=False
        )
        for name, field in chosen_fields(dataset, fields).items()
    }


def to_xarray(dataset: "Dataset", fields: Iterable[str] | None = None) -> "xarray.Dataset":
    """Return a lazy dataset of xarray with units and coordinates."""
    import xarray

    variables = {}
    for name, lazy in to_dask(dataset, fields).items():
        spec = dataset[name].spec
        attributes: dict[str, Any] = {"units": spec.unit, "long_name": spec.description}
        if spec.is_label:
            attributes["classes"] = list(dataset.classes)
        dims = (SAMPLE, *spec.dims)
        variables[name.replace("/", "_")] = xarray.Variable(dims, lazy, attributes)
    coordinates = {
        one.name: xarray.Variable(
            (one.dim,), one.points(), {"units": one.unit, "long_name": one.description}
        )
        for one in dataset.contents.positions
    }
    origin = "view" if dataset.is_view else "generated"
    return xarray.Dataset(variables, coordinates, {"digest": dataset.digest or origin})
