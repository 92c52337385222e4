"""grain: ArrayRecord files of flat rows, shuffled by index."""

from itertools import product
from pathlib import Path

import grain.python as grain
import numpy as np
import torch
from array_record.python.array_record_module import ArrayRecordWriter
from common import Epoch, flat_batches, load_fields, load_matrix, main, save_fields

_FILE_ROWS = 16384
SETTINGS = tuple(
    f"{workers} workers, {threads} threads, {order}"
    for order, workers, threads in product(("windows of 4096", "all rows"), (0, 2), (2, 16))
)


def write(folder: Path, source: Path) -> None:
    """Write files of 16384 rows, uncompressed, a record a row."""
    save_fields(folder, load_fields(source))
    matrix = load_matrix(source)
    for number, low in enumerate(range(0, len(matrix), _FILE_ROWS)):
        path = str(folder / f"{number:05d}.array_record")
        writer = ArrayRecordWriter(path, "group_size:1,uncompressed")
        for row in matrix[low : low + _FILE_ROWS]:
            writer.write(row.tobytes())
        writer.close()


def _decode(record: bytes) -> np.ndarray:
    return np.frombuffer(record, np.float32)


def read(folder: Path, batch: int, setting: str) -> Epoch:
    """Read with a pipeline of its own."""
    fields = load_fields(folder)
    workers, threads, order = setting.split(", ")
    files = [str(path) for path in sorted(folder.glob("*.array_record"))]
    rows = grain.MapDataset.source(grain.ArrayRecordDataSource(files)).seed(0)
    if order == "all rows":
        rows = rows.shuffle()
    else:
        rows = grain.experimental.WindowShuffleMapDataset(rows, window_size=4096, seed=0)
    options = grain.ReadOptions(
        num_threads=int(threads.split()[0]), prefetch_buffer_size=max(512, 2 * batch)
    )
    batches = rows.map(_decode).to_iter_dataset(options).batch(batch, batch_fn=np.stack)
    if workers != "0 workers":
        batches = batches.mp_prefetch(grain.MultiprocessingOptions(int(workers[0])))
    return lambda: flat_batches(batches, fields, torch.from_numpy)


if __name__ == "__main__":
    main(write, read, SETTINGS, "float32")
