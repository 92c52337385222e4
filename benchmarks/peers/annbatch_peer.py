"""annbatch with the zarrs codec pipeline: one flat matrix in Zarr v3, shuffled by chunks.

It stays with NumPy: its Python is newer than that of the others, and torch is not installed there.
Handing an array to torch costs nothing, so this is in its favour if anything.
"""

from collections.abc import Iterator
from pathlib import Path

import zarr
import zarrs  # noqa: F401  (registers the codec pipeline)
from annbatch import Loader
from common import Batch, Epoch, load_fields, load_matrix, main, save_fields, split

_COMPRESSORS = {"raw": None, "blosc-lz4": "lz4"}
SETTINGS = (
    "chunks of 256, 16 at once, raw",
    "chunks of 256, 64 at once, raw",
    "chunks of 32, 128 at once, raw",
    "chunks of 256, 16 at once, blosc-lz4",
)
_INNER, _SHARD = 256, 4096


def write(folder: Path, source: Path) -> None:
    """Write the matrix in shards of 4096 rows, chunks of 256, plain and compressed."""
    save_fields(folder, load_fields(source))
    matrix = load_matrix(source)
    for name, codec in _COMPRESSORS.items():
        compressor = codec and zarr.codecs.BloscCodec(cname="lz4", clevel=5, shuffle="shuffle")
        array = zarr.create_array(
            folder / f"{name}.zarr",
            shape=matrix.shape,
            chunks=(_INNER, matrix.shape[1]),
            shards=(_SHARD, matrix.shape[1]),
            dtype="float32",
            compressors=compressor or None,
        )
        for low in range(0, len(matrix), _SHARD):
            array[low : low + _SHARD] = matrix[low : low + _SHARD]


def read(folder: Path, batch: int, setting: str) -> Epoch:
    """Read with its loader."""
    fields = load_fields(folder)
    chunk, at_once, name = setting.split(", ")
    zarr.config.set({"codec_pipeline.path": "zarrs.ZarrsCodecPipeline"})
    loader = Loader(
        shuffle=True,
        chunk_size=int(chunk.split()[-1]),
        preload_nchunks=int(at_once.split()[0]),
        batch_size=batch,
        drop_last=False,
        preload_to_gpu=False,
    )
    loader.add_datasets([zarr.open_array(folder / f"{name}.zarr", mode="r")])

    def epoch() -> Iterator[Batch]:
        for got in loader:
            yield split(got["X"], fields)

    return epoch


if __name__ == "__main__":
    main(write, read, SETTINGS, "float32")
