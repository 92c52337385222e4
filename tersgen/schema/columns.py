"""Arrays of species: which there are, and all species' rows of one, one species after the other."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np
from blake3 import blake3
from numpy.typing import NDArray

Values = NDArray[Any]

PAGE = "page"
ARRAYS: dict[str, tuple[str, tuple[int, ...]]] = {
    PAGE: ("|u1", ()),
    "frequency": ("<f8", ()),
    "tensor": ("<f8", (3, 3)),
    "fwhm": ("<f8", ()),
    "position": ("<f8", (3,)),
    "atom_tensor": ("<f8", (6,)),
    "displacement": ("<f4", (3,)),
    "mass": ("<f8", ()),
    "hessian": ("<f8", ()),
    "polarizability": ("<f8", (3,)),
    "atom_polarizability": ("<f8", (6,)),
    "site": ("<f8", (3,)),
    "site_response": ("<f4", ()),
    "image_tip": ("<f8", (3,)),
    "image": ("<f4", (6,)),
}
"""Type and shape of a row of each array. Rows are bytes of the page, modes, atoms, sites, tips, or
the atoms (tips, or numbers of the site response) of each mode in turn; six numbers are xx, yy, zz,
xy, xz, yz; NaN stands for an unknown value of a mode. Units are those of
:class:`~tersgen.schema.species.Species`."""

BULKY = frozenset({"atom_tensor", "displacement", "hessian", "site_response", "image"})
"""Arrays that a library in a file keeps there until they are needed: nearly all of its bytes."""

HAS = {
    "atoms": "position",
    "atom-tensors": "atom_tensor",
    "displacements": "displacement",
    "hessian": "hessian",
    "images": "image",
    "masses": "mass",
    "polarizability": "polarizability",
    "site-response": "site_response",
    "widths": "fwhm",
}
"""Optional arrays of a species, by the word for them."""


class Rows(Protocol):
    """Rows that are read as they are sliced: an array in memory, or a part of a file."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Number of rows, and the shape of one."""

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of the values."""

    def __getitem__(self, key: slice, /) -> Values:
        """Return some rows."""


class Column(NamedTuple):
    """One array of all K species."""

    rows: Rows
    first: NDArray[np.int64]
    """First row of each species and the end, shape (K + 1,)."""

    @classmethod
    def of_species(cls, parts: Sequence[Values | None]) -> "Column":
        """Return an array from the rows of each species; None where a species has none."""
        counts = [0 if part is None else len(part) for part in parts]
        return cls(np.concatenate([part for part in parts if part is not None]), _starts(counts))

    @classmethod
    def joined(cls, columns: Sequence["Column | None"], sizes: Sequence[int]) -> "Column":
        """Return the arrays of libraries of so many species as one; None where one has none."""
        rows = [column.rows[:] for column in columns if column is not None]
        counts = [
            np.zeros(size, np.int64) if column is None else np.diff(column.first)
            for column, size in zip(columns, sizes, strict=True)
        ]
        return cls(np.concatenate(rows), _starts(np.concatenate(counts)))

    @property
    def in_memory(self) -> bool:
        """Whether its rows are in memory."""
        return isinstance(self.rows, np.ndarray)

    def part(self, k: int) -> Values:
        """Return the rows of species ``k``."""
        return self.rows[int(self.first[k]) : int(self.first[k + 1])]

    def slice(self, start: int, stop: int) -> "Column":
        """Return the array of species ``start`` to ``stop``, in memory."""
        low, high = int(self.first[start]), int(self.first[stop])
        return Column(self.rows[low:high], self.first[start : stop + 1] - low)


def _starts(counts: Any) -> NDArray[np.int64]:
    """Return where each of some runs of rows starts, and the end."""
    return np.concatenate([[0], np.cumsum(counts, dtype=np.int64)])


def species_digest(arrays: Mapping[str, Values]) -> bytes:
    """Return the BLAKE3 digest of a species: of its page and its arrays that have rows."""
    hasher = blake3()
    for name in sorted(arrays):
        values = arrays[name]
        if len(values):
            shape = ",".join(map(str, values.shape))
            hasher.update(f"{name} {values.dtype.str} {shape}\n".encode())
            hasher.update(values.tobytes())
    digest: bytes = hasher.digest()
    return digest
