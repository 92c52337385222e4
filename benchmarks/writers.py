"""Other ways to put the same arrays on disk, to stand beside tersgen's own."""

import mmap
import os
import threading
from collections import deque
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import tensorstore
import zarr
from numpy_generator import NumpyGenerator

from tersgen.generator import Buffer, Generator
from tersgen.jobs.plan import Plan
from tersgen.store.files import sync_folder
from tersgen.store.metadata import hierarchy

_PAGE = 4096
_PIECE = 8 << 20


def _sync(path: Path) -> None:
    for file in [path] if path.is_file() else [p for p in path.rglob("*") if p.is_file()]:
        descriptor = os.open(file, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def numpy_to_hdf5(peer: NumpyGenerator, path: Path, n: int) -> None:
    """Write ``n`` rows of the NumPy generator with h5py, gzip at its default level 4."""
    rows = peer.rows
    with h5py.File(path, "w") as file:
        for spec in peer.table:
            file.create_dataset(
                spec.name, (n, *spec.shape), spec.dtype, chunks=(rows, *spec.shape),
                compression="gzip",
            )  # fmt: skip
        for start in range(0, n, rows):
            arrays = peer.batch()
            stop = min(n, start + rows)
            for spec in peer.table:
                file[spec.name][start:stop] = arrays[spec.name][: stop - start]
    _sync(path)


def numpy_to_zarr(peer: NumpyGenerator, path: Path, n: int) -> None:
    """Write ``n`` rows of the NumPy generator with zarr-python and its default codecs."""
    rows = peer.rows
    group = zarr.create_group(path, zarr_format=3)
    arrays = {
        spec.name: group.create_array(
            spec.name, shape=(n, *spec.shape), dtype=spec.dtype, chunks=(rows, *spec.shape)
        )
        for spec in peer.table
    }
    for start in range(0, n, rows):
        batch = peer.batch()
        stop = min(n, start + rows)
        for name, array in arrays.items():
            array[start:stop] = batch[name][: stop - start]
    _sync(path)


def _open_tensorstore(plan: Plan, folder: Path, threads: int) -> dict[str, Any]:
    """Create every array of a dataset with TensorStore's file driver."""
    context = tensorstore.Context(
        {
            "cache_pool": {"total_bytes_limit": 0},
            "data_copy_concurrency": {"limit": threads},
            "file_io_concurrency": {"limit": threads},
        }
    )
    nodes = hierarchy(plan.contents, plan.n_samples, plan.layout, {})
    names = ("shape", "data_type", "chunk_grid", "chunk_key_encoding", "fill_value", "codecs")
    opened = {
        spec.name: tensorstore.open(
            {
                "driver": "zarr3",
                "kvstore": {"driver": "file", "path": f"{folder / spec.name}/"},
                "metadata": {name: nodes[spec.name][name] for name in names},
                "store_data_equal_to_fill_value": True,
            },
            create=True,
            context=context,
        )
        for spec in plan.table
    }
    return {name: future.result() for name, future in opened.items()}


def tensorstore_build(plan: Plan, folder: Path, threads: int) -> None:
    """Build a dataset's arrays with TensorStore as the writer: one shard made, two written.

    Three buffers of a whole shard; no digests. TensorStore flushes each file to disk.
    """
    arrays = _open_tensorstore(plan, folder, threads)
    rows = plan.layout.shard_rows
    generator = Generator(plan.recipe)
    free = [generator.buffer(min(rows, plan.n_samples)) for _ in range(3)]
    writing: deque[tuple[Buffer, list[Any]]] = deque()

    def finish_oldest() -> None:
        buffer, futures = writing.popleft()
        for future in futures:
            future.result()
        free.append(buffer)

    with ThreadPoolExecutor(threads) as pool:
        for start in range(0, plan.n_samples, rows):
            if not free:
                finish_oldest()
            buffer = free.pop()
            count = min(rows, plan.n_samples - start)
            generator.fill(start, buffer, count, pool)
            futures = [
                array[start : start + count].write(buffer.arrays[name][:count])
                for name, array in arrays.items()
            ]
            writing.append((buffer, futures))
        while writing:
            finish_oldest()


def write_raw(folder: Path, sizes: Sequence[int], direct: bool, threads: int) -> None:
    """Write files of the given sizes and flush each; ``direct`` goes past the page cache."""
    folder.mkdir()
    local = threading.local()
    noise = np.random.default_rng(0).bytes(_PIECE)

    def write(number: int) -> None:
        if not hasattr(local, "stage"):  # a mapping is aligned as direct writing wants it
            local.stage = mmap.mmap(-1, _PIECE)
            local.stage[:] = noise
        past_cache = direct and sizes[number] >= _PAGE
        flags = os.O_WRONLY | os.O_CREAT | (os.O_DIRECT if past_cache else 0)
        descriptor = os.open(folder / str(number), flags, 0o666)
        try:
            left = sizes[number]
            with memoryview(local.stage) as view:
                while left > 0:
                    count = min(left, _PIECE)
                    padded = -(-count // _PAGE) * _PAGE if past_cache else count
                    written = os.write(descriptor, view[:padded])
                    left -= written
            if past_cache:
                os.ftruncate(descriptor, sizes[number])
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    with ThreadPoolExecutor(threads) as pool:
        for _ in pool.map(write, range(len(sizes))):
            pass
    sync_folder(folder)
