"""Zarr v3 arrays: shards written whole, and read through TensorStore, which never returns a hole.

TensorStore aborts after a fork: start worker processes with ``spawn``.
"""

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import tensorstore
from numpy.typing import NDArray

from ..errors import DamagedDataError, DatasetError
from ..schema.fields import FieldSpec
from ..schema.recipe import Recipe
from .encode import Chunk, checksum, little_endian, shard_parts
from .files import DirectFile, write_durably, write_text
from .layout import Layout
from .metadata import SHIFT_COORDINATE, Json

Values = NDArray[np.generic]


def _context(threads: int | None) -> tensorstore.Context:
    spec: Json = {"cache_pool": {"total_bytes_limit": 0}}
    if threads is not None:
        spec["data_copy_concurrency"] = {"limit": threads}
    return tensorstore.Context(spec)


def _spec(kvstore: Json, metadata: Json) -> Json:
    names = ("shape", "data_type", "chunk_grid", "chunk_key_encoding", "fill_value", "codecs")
    return {
        "driver": "zarr3",
        "kvstore": kvstore,
        "metadata": {name: metadata[name] for name in names},
        "fill_missing_data_reads": False,
        "store_data_equal_to_fill_value": True,
        "recheck_cached_metadata": False,
        "recheck_cached_data": False,
    }


def create(folder: Path, recipe: Recipe, nodes: dict[str, Json]) -> None:
    """Write the metadata of all groups and arrays, and the Raman shift coordinate."""
    for name, metadata in nodes.items():
        node = folder / name
        node.mkdir(parents=True, exist_ok=True)
        write_text(node / "zarr.json", json.dumps(metadata, indent=1) + "\n")
    if SHIFT_COORDINATE in nodes:
        grid = recipe.grid
        axis = grid.start_cm1 + np.arange(grid.n_points) * grid.step_cm1
        payload = little_endian(axis).tobytes()
        (folder / SHIFT_COORDINATE / "c").mkdir()
        write_durably(folder / SHIFT_COORDINATE / "c" / "0", [payload, checksum(payload)])


def shard_path(folder: Path, spec: FieldSpec, shard: int) -> Path:
    """Return where a shard of an array is stored."""
    return folder.joinpath(spec.name, "c", str(shard), *["0"] * len(spec.dims))


def write_shard(
    folder: Path, spec: FieldSpec, shard: int, chunks: list[Chunk], layout: Layout, file: DirectFile
) -> int:
    """Write one shard of one array durably and return its size in bytes.

    Raises
    ------
    OSError
        If the file system refuses, for instance because it is full.
    """
    path = shard_path(folder, spec, shard)
    path.parent.mkdir(parents=True, exist_ok=True)
    return write_durably(path, shard_parts(chunks, layout.shard_rows // layout.chunk_rows), file)


def _first_line(error: Exception) -> str:
    return str(error).split("[", maxsplit=1)[0].strip()


_reading_process: int | None = None


def _refuse_fork() -> None:
    """TensorStore aborts, or hangs its caller, where a process that has read from it forked."""
    global _reading_process
    if _reading_process is None:
        _reading_process = os.getpid()
    elif _reading_process != os.getpid():
        raise DatasetError(
            "this process was forked from one that had read a dataset, which cannot work; "
            "start workers with multiprocessing's spawn or forkserver, or open only in the workers"
        )


class ZarrReader:
    """Reads rows of the arrays of a dataset; a hole or a failed checksum is an error."""

    def __init__(self, folder: Path, nodes: dict[str, Json]) -> None:
        self._folder = folder
        self._nodes = nodes
        self._context = _context(None)
        self._arrays: dict[str, Any] = {}

    def _array(self, name: str) -> Any:
        _refuse_fork()
        if name not in self._arrays:
            kvstore = {"driver": "file", "path": f"{self._folder / name}/"}
            spec = _spec(kvstore, self._nodes[name])
            try:
                self._arrays[name] = tensorstore.open(
                    spec, open=True, read=True, write=False, context=self._context
                ).result()
            except ValueError as error:
                raise DatasetError(
                    f"{self._folder}: the metadata of {name} is missing or not what the manifest "
                    f"says: {_first_line(error)}"
                ) from None
        return self._arrays[name]

    def read(self, name: str, rows: slice | NDArray[np.intp]) -> Values:
        """Return rows of an array: a slice with positive step, or an array of row numbers.

        Raises
        ------
        DamagedDataError
            If stored bytes are missing or fail their checksum.
        """
        array = self._array(name)
        try:
            values: Values = array[rows].read().result()
        except ValueError as error:
            raise DamagedDataError(
                f"{self._folder}: {name}: stored data is missing or damaged: {_first_line(error)}"
            ) from None
        return values
