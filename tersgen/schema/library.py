"""Libraries: species in label order, as flat arrays that are read in parts.

A species is stored as a *page*, the canonical JSON of its texts and single numbers, and as arrays.
Its digest covers both; the digest of a library covers those of its species, in order. So it does
not matter whether species come from one file or many, or whether they are in memory or on disk.
"""

import json
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cached_property
from typing import Any, overload

import numpy as np
from blake3 import blake3
from numpy.typing import NDArray
from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import core_schema

from ..errors import LibraryError
from ..text import printable
from .columns import ARRAYS, BULKY, PAGE, Column, Values, species_digest
from .packing import pack, unpack
from .species import UNKNOWN, LibraryDocument, Species

_TOGETHER = 128
"""Species that are read and checked at a time."""


class Library(Sequence[Species]):
    """Species in label order, each made when it is indexed.

    Each is a class of its own, except that all unknown ones are one class, and so are those with
    one ``class_name``.

    Parameters
    ----------
    species
        The species in label order, at least one.

    Raises
    ------
    ValueError
        If there is none.
    """

    def __init__(self, species: Iterable[Species]) -> None:
        packed = [pack(one) for one in species]
        names = {name for arrays in packed for name in arrays}
        columns = {
            name: Column.of_species([arrays.get(name) for arrays in packed])
            for name in ARRAYS
            if name in names
        }
        self._set(columns, np.frombuffer(b"".join(map(species_digest, packed)), np.uint8))
        self._proved = True

    def _set(self, columns: Mapping[str, Column], digests: Values) -> None:
        self.columns = dict(columns)
        """The arrays by name; those that no species has are left out."""
        self.digests = digests.reshape(-1, 32)
        """BLAKE3 digest of each species, uint8, shape (K, 32)."""
        self._proved = False
        if not len(self):
            raise ValueError("expected at least one species, got none")

    @classmethod
    def of_columns(cls, columns: Mapping[str, Column], digests: Values) -> "Library":
        """Return a library from its arrays; a species is proved by its digest as it is read."""
        library = cls.__new__(cls)
        library._set(columns, digests)
        return library

    @classmethod
    def joined(cls, parts: Sequence["Library"]) -> "Library":
        """Return the species of several libraries as one, in order."""
        if len(parts) == 1:
            return parts[0]
        names = {name: None for part in parts for name in part.columns}
        sizes = [len(part) for part in parts]
        columns = {
            name: Column.joined([part.columns.get(name) for part in parts], sizes) for name in names
        }
        return cls.of_columns(columns, np.concatenate([part.digests for part in parts]))

    def chosen(self, numbers: NDArray[np.int64]) -> "Library":
        """Return some of the species, by their numbers, in that order."""
        columns = {}
        for name, column in self.columns.items():
            parts = [column.part(k) for k in numbers.tolist()]
            if any(map(len, parts)):
                columns[name] = Column.of_species(parts)
        library = Library.of_columns(columns, self.digests[numbers])
        library._proved = self._proved and self._in_memory
        return library

    @cached_property
    def digest(self) -> str:
        """BLAKE3 digest of the digests of all species, in order."""
        return str(blake3(self.digests.tobytes()).hexdigest())

    @cached_property
    def pages(self) -> tuple[dict[str, Any], ...]:
        """What is text or a single number of each species."""
        return tuple(self._page(k) for k in range(len(self)))

    def _page(self, k: int) -> dict[str, Any]:
        try:
            page: dict[str, Any] = json.loads(self.columns[PAGE].part(k).tobytes())
            if isinstance(page["name"], str) and isinstance(page["provenance"], dict):
                return page
            got = f"the names {', '.join(map(str, page))[:80]}"
        except (ValueError, LookupError, TypeError, RecursionError) as error:
            got = f"{type(error).__name__}: {error}"[:120]
        raise LibraryError(
            f"species {k}: expected its page as JSON with a name and provenance, got "
            f"{printable(got)}"
        )

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Names of the species."""
        return tuple(page["name"] for page in self.pages)

    @property
    def species(self) -> Sequence[Species]:
        """The library itself."""
        return self

    @cached_property
    def class_of_species(self) -> tuple[str, ...]:
        """Name of the class of each species: its own, one that it shares, or ``unknown``."""
        return tuple(
            UNKNOWN
            if page["provenance"].get("kind") == UNKNOWN
            else page.get("class_name") or page["name"]
            for page in self.pages
        )

    @property
    def class_names(self) -> tuple[str, ...]:
        """Names of the classes in label order, which is that of their first species."""
        return tuple(dict.fromkeys(self.class_of_species))

    def check_names(self) -> None:
        """Refuse a library in which two species have one name.

        Raises
        ------
        ValueError
            If two do.
        """
        twice = sorted(name for name, count in Counter(self.names).items() if count > 1)
        if twice:
            raise ValueError(f"expected unique species names, got {', '.join(twice[:8])} twice")

    def array(self, name: str) -> tuple[Values, NDArray[np.int64]]:
        """Return an array of all species, proved by their digests, and where each begins.

        Returns
        -------
        tuple
            The rows of all species, and the first row of each and the end, shape (K + 1,). Without
            rows if no species has such an array.

        Raises
        ------
        LibraryError
            If a species is not what its digest says.
        """
        self.prove(name)
        column = self.columns.get(name)
        if column is None:
            kind, shape = ARRAYS[name]
            return np.empty((0, *shape), kind), np.zeros(len(self) + 1, np.int64)
        return column.rows[:], column.first

    def counts(self, name: str) -> NDArray[np.int64]:
        """Return how many rows of an array each species has, shape (K,)."""
        column = self.columns.get(name)
        return np.zeros(len(self), np.int64) if column is None else np.diff(column.first)

    def prove(self, *names: str, look: "Callable[[Library], None] | None" = None) -> None:
        """Make sure that every species is what its digest says.

        What was proved is kept in memory, as the file may change: small arrays, and those named.

        Parameters
        ----------
        names
            Arrays that will be needed.
        look
            Called with some species at a time, all of them in turn, proved and in memory; without
            it, what was proved before is not read again.

        Raises
        ------
        LibraryError
            If one is not.
        """
        wanted = {name for name in self.columns if name in names or name not in BULKY}
        if self._proved and look is None and all(self.columns[name].in_memory for name in wanted):
            return
        kept = {
            name: np.empty(column.rows.shape, column.rows.dtype)
            for name, column in self.columns.items()
            if name in wanted and not column.in_memory
        }
        for start in range(0, len(self), _TOGETHER):
            stop = min(len(self), start + _TOGETHER)
            columns = {name: one.slice(start, stop) for name, one in self.columns.items()}
            part = Library.of_columns(columns, self.digests[start:stop])
            for k in range(stop - start):
                self._check(start + k, {name: one.part(k) for name, one in columns.items()})
            part._proved = True
            if look is not None:
                look(part)
            for name, rows in kept.items():
                first = self.columns[name].first
                rows[first[start] : first[stop]] = columns[name].rows[:]
        for name, rows in kept.items():
            self.columns[name] = Column(rows, self.columns[name].first)
        self._proved = True

    @property
    def _in_memory(self) -> bool:
        return all(column.in_memory for column in self.columns.values())

    def _check(self, k: int, arrays: Mapping[str, Values]) -> None:
        if species_digest(arrays) != self.digests[k].tobytes():
            raise LibraryError(
                f"species {k} of the library: its content is not what its digest says: damaged; "
                "restore the file from a copy"
            )

    def __len__(self) -> int:
        """Return the number of species."""
        return len(self.digests)

    @overload
    def __getitem__(self, key: int) -> Species: ...

    @overload
    def __getitem__(self, key: slice) -> tuple[Species, ...]: ...

    def __getitem__(self, key: int | slice) -> Species | tuple[Species, ...]:
        """Return a species, or some of them.

        Raises
        ------
        IndexError
            If there is none of this number.
        LibraryError
            If it is not what its digest says.
        """
        if isinstance(key, slice):
            return tuple(self[k] for k in range(*key.indices(len(self))))
        if not -len(self) <= key < len(self):
            raise IndexError(f"expected a species from 0 to {len(self) - 1}, got {key}")
        k = key % len(self)
        arrays = {name: column.part(k) for name, column in self.columns.items()}
        if not (self._proved and self._in_memory):
            self._check(k, arrays)
        return unpack(self._page(k), arrays)

    def __eq__(self, other: object) -> bool:
        """Return whether another library has the same species in the same order."""
        return isinstance(other, Library) and self.digest == other.digest

    def __hash__(self) -> int:
        """Return a hash of the digest."""
        return hash(self.digest)

    def __repr__(self) -> str:
        """Return the number of species and the digest: the arrays would fill pages."""
        return f"<Library of {len(self)} species, digest {self.digest[:12]}>"

    def __reduce__(self) -> tuple[Callable[..., "Library"], tuple[Any, ...]]:
        """Return what makes the same library elsewhere, in memory."""
        loaded = {name: one.slice(0, len(self)) for name, one in self.columns.items()}
        return Library.of_columns, (loaded, self.digests)

    @classmethod
    def __get_pydantic_core_schema__(
        cls, source: Any, handler: GetCoreSchemaHandler
    ) -> core_schema.CoreSchema:
        """Return how a model validates a library, as an object or JSON, and stores its digest."""
        return core_schema.no_info_plain_validator_function(
            _as_library,
            serialization=core_schema.plain_serializer_function_ser_schema(
                lambda library: {"digest": library.digest}
            ),
        )

    @classmethod
    def __get_pydantic_json_schema__(
        cls, schema: core_schema.CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        """Return the schema of a library that is written out in a recipe."""
        return handler(LibraryDocument.__pydantic_core_schema__)


def _as_library(value: Any) -> Library:
    if isinstance(value, Library):
        return value
    library = Library(LibraryDocument.model_validate(value).species)
    library.check_names()
    return library
