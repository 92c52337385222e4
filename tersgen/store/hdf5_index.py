"""The index file of an HDF5 dataset: whole arrays, as virtual datasets over the shard files.

For other software only: our own readers use the manifest, and check the index only to see whether
other software would find the shards. Sources are named relative to the index, which with its folder
can be moved; groups follow NeXus, so that viewers plot at once.
"""

import io
from collections.abc import Mapping, Sequence

import h5py
import numpy as np

from ..errors import DamagedDataError
from ..schema.contents import Contents
from ..schema.fields import SAMPLE, Axis, Coordinate, FieldSpec
from .hdf5_objects import (
    H5PY_ERRORS,
    create_file,
    create_groups,
    describe,
    open_array,
    open_file,
    set_text,
)
from .layout import Layout

_ENTRY = "entry"


def _escaped(name: str) -> str:
    """Return the name of a source as HDF5 wants it, which replaces %b by a number, and %% by %."""
    return name.replace("%", "%%")


def _mapped(
    spec: FieldSpec, n_samples: int, layout: Layout, sources: Sequence[str]
) -> h5py.h5p.PropDCID:
    """Return how a virtual dataset is made up of the arrays of all shards."""
    creation = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    creation.set_obj_track_times(False)
    creation.set_fill_value(np.array(spec.fill_value, np.dtype(spec.dtype).newbyteorder("<")))
    whole = h5py.h5s.create_simple((n_samples, *spec.shape))
    # a selection, not all of it: the last shard may have more rows by now than are mapped
    inside = h5py.h5s.create_simple((layout.shard_rows, *spec.shape))
    origin = (0,) * len(spec.shape)
    for shard, source in enumerate(sources):
        shape = (layout.rows_of(shard, n_samples), *spec.shape)
        whole.select_hyperslab((shard * layout.shard_rows, *origin), shape)
        inside.select_hyperslab((0, *origin), shape)
        creation.set_virtual(whole, _escaped(source).encode(), f"/{spec.name}".encode(), inside)
    return creation


def _create_array(file: h5py.File, spec: FieldSpec, creation: h5py.h5p.PropDCID, n: int) -> None:
    kind = h5py.h5t.py_create(np.dtype(spec.dtype).newbyteorder("<"))
    space = h5py.h5s.create_simple((n, *spec.shape))
    h5py.h5d.create(file.id, spec.name.encode(), kind, space, dcpl=creation)


def _create_axis(file: h5py.File, axis: Axis | Coordinate) -> None:
    """Create the positions along a dimension as a dimension scale."""
    points = axis.points()
    dataset = file.create_dataset(
        axis.name,
        data=points.astype("<f8"),
        chunks=points.shape,
        fletcher32=True,
        fillvalue=np.nan,
        track_times=False,
    )
    set_text(dataset, "units", axis.unit)
    set_text(dataset, "long_name", axis.description)
    dataset.make_scale(axis.name)


def _attach_axes(file: h5py.File, contents: Contents) -> None:
    """Name the dimensions of all arrays, and attach to each the positions along it."""
    for spec in contents.fields:
        for at, dim in enumerate((SAMPLE, *spec.dims)):
            place = file[spec.name].dims[at]
            place.label = dim
            for one in contents.positions:
                if one.dim == dim:
                    place.attach_scale(file[one.name])


def _create_plots(file: h5py.File, signals: Sequence[FieldSpec], axes: Sequence[str]) -> None:
    """Create the NeXus groups: an entry with a plot of each signal, the first one by default."""
    create_groups(file, [f"{_ENTRY}/"] + [f"{_ENTRY}/{spec.name}/" for spec in signals])
    set_text(file, "default", _ENTRY)
    entry = file[_ENTRY]
    set_text(entry, "NX_class", "NXentry")
    set_text(entry, "default", signals[0].name)
    for spec in signals:
        plot = entry[spec.name]
        set_text(plot, "NX_class", "NXdata")
        set_text(plot, "signal", spec.name)
        known = [name if name in axes else "." for name in spec.dims]
        set_text(plot, "axes", [".", *known])
        plot[spec.name] = file[spec.name]
        for at, name in enumerate(known, start=1):
            if name in axes:
                plot[name] = file[name]
                plot.attrs.create(f"{name}_indices", at, dtype="<i4")
        set_text(file[spec.name], "interpretation", "spectrum" if len(known) == 1 else "image")


def index_file(
    contents: Contents,
    n_samples: int,
    layout: Layout,
    sources: Sequence[str],
    attributes: Mapping[str, str],
) -> bytes:
    """Return the index file over the shards of ``n_samples`` rows.

    ``sources`` are the paths of their files relative to the index.
    """
    table = contents.fields
    image = io.BytesIO()
    with create_file(image) as file:
        set_text(file, "NX_class", "NXroot")
        for name, text in attributes.items():
            set_text(file, name, text)
        create_groups(file, [spec.name for spec in table])
        for spec in table:
            creation = _mapped(spec, n_samples, layout, sources)
            _create_array(file, spec, creation, n_samples)
            describe(file[spec.name], spec, contents.classes)
        for one in contents.positions:
            _create_axis(file, one)
        _attach_axes(file, contents)
        signals = [spec for spec in table if spec.is_dense]
        if signals:
            _create_plots(file, signals, [axis.name for axis in contents.axes])
    return image.getvalue()


def check_first_source(index: bytes, spec: FieldSpec, expected: str) -> None:
    """Refuse an index that looks elsewhere for the first shard of an array."""
    try:
        with open_file(io.BytesIO(index)) as file:
            creation = open_array(file, spec.name).get_create_plist()
            if creation.get_layout() != h5py.h5d.VIRTUAL or not creation.get_virtual_count():
                raise DamagedDataError(f"{spec.name}: expected a virtual dataset, found another")
            found = creation.get_virtual_filename(0)
    except DamagedDataError:
        raise
    except H5PY_ERRORS as error:
        raise DamagedDataError(f"HDF5 cannot read it: {error}") from None
    if found != _escaped(expected):
        raise DamagedDataError(
            f"expected it to name {_escaped(expected)}, got {found}, as after a renaming"
        )
