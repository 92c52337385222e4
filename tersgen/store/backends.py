"""The back ends of datasets, by the name of their format."""

from ..schema.contents import Contents
from ..schema.manifest import Format
from .interface import Store
from .layout import Layout
from .zarr_store import ZarrStore


def make_store(format: Format, contents: Contents, layout: Layout) -> Store:
    """Return the back end of a dataset, wherever it is stored."""
    if format == "hdf5":
        from .hdf5_store import Hdf5Store  # HDF5 takes a while to load

        return Hdf5Store(contents, layout)
    return ZarrStore(contents, layout)
