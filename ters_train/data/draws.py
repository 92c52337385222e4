"""Random numbers for a user's own transform, from (seed, epoch, row) and its name alone."""

from torch import Tensor
from xxhash import xxh3_64_intdigest

from . import randomness
from .randomness import Key


class Draws:
    """Random numbers of the rows of a batch; the same for a row in whatever batch it comes.

    Parameters
    ----------
    name
        Name of the transform: each has streams of its own.
    key
        Seed and epoch.
    rows
        Row numbers, int64, shape (B,).
    """

    def __init__(self, name: str, key: Key, rows: Tensor) -> None:
        self._key, self._rows = key, rows
        # far from the streams of our own transforms, which are small numbers
        self._stream = xxh3_64_intdigest(name.encode()) | 1 << 63

    def uniform(self, n: int, stream: int = 0) -> Tensor:
        """Return uniform numbers in [0, 1), float32, shape (B, n); another ``stream``, others."""
        return randomness.uniform(self._key, self._rows, self._stream + stream, n)

    def normal(self, n: int, stream: int = 0) -> Tensor:
        """Return standard normal numbers, float32, shape (B, n)."""
        return randomness.normal(self._key, self._rows, self._stream + stream, n)

    def integers(self, n: int, below: int, stream: int = 0) -> Tensor:
        """Return uniform integers in 0..below-1, int64, shape (B, n)."""
        return randomness.integers(self._key, self._rows, self._stream + stream, n, below)
