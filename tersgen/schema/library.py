"""Libraries: species in label order, as flat arrays that are read in parts.

A species is stored as a *page*, the canonical JSON of its texts and single numbers, and as arrays.
Its digest covers both; the digest of a library covers those of its species, in order. So it does
not matter whether species come from one file or many, or whether they are in memory or on disk.
"""

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any, NamedTuple, Protocol, overload

import numpy as np
from blake3 import blake3
from numpy.typing import NDArray
from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import core_schema

from ..errors import LibraryError
from .base import DIGEST, Frozen, field
from .digest import canonical_json
from .species import UNKNOWN, Species

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
}
"""Type and shape of a row of each array. Rows are bytes of the page, modes, atoms, or the atoms of
each mode in turn; six numbers are xx, yy, zz, xy, xz, yz; NaN stands for what is not known of a
mode. Units are those of :class:`~tersgen.schema.species.Species`."""

HAS = {
    "atoms": "position",
    "atom-tensors": "atom_tensor",
    "displacements": "displacement",
    "hessian": "hessian",
    "masses": "mass",
    "polarizability": "polarizability",
    "widths": "fwhm",
}
"""Arrays that a species may have or not, by the word for them."""

_SIX = ((0, 0), (1, 1), (2, 2), (0, 1), (0, 2), (1, 2))
_DIGEST_BYTES = 32
_BULKY = frozenset({"atom_tensor", "displacement", "hessian"})
"""Arrays that a library in a file keeps there until they are asked for: nearly all of its bytes."""
_TOGETHER = 128
"""Species that are read and proved at a time."""


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
    """One array of all species, one species after the other."""

    rows: Rows
    end: NDArray[np.int64]
    """Where the rows of each species end, shape (K,)."""

    def part(self, k: int) -> Values:
        """Return the rows of species ``k``."""
        return self.rows[int(self.end[k - 1]) if k else 0 : int(self.end[k])]


class LibraryReference(Frozen):
    """A library by its digest, as a stored recipe names it."""

    digest: str = field("BLAKE3 digest of the library", "1", pattern=DIGEST)
    file: str | None = field("its file; by default library.tlib beside the recipe", "1", None)


class Library:
    """An ordered set of species, each a class, except that all unknown ones are one class.

    Parameters
    ----------
    species
        The species in label order, at least one.

    Raises
    ------
    ValueError
        If there is none, or two have one name.
    """

    def __init__(self, species: Iterable[Species]) -> None:
        packed = [_pack(one) for one in species]
        names = {name for arrays in packed for name in arrays}
        columns = {
            name: _stack(name, [arrays.get(name) for arrays in packed])
            for name in ARRAYS
            if name in names
        }
        self._set(columns, np.frombuffer(b"".join(map(species_digest, packed)), np.uint8))
        self._proved = True

    def _set(self, columns: Mapping[str, Column], digests: Values) -> None:
        self.columns = columns
        """The arrays by name; those that no species has are left out."""
        self.digests = digests.reshape(-1, _DIGEST_BYTES)
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
        """Return the species of several libraries as one, in order.

        Raises
        ------
        ValueError
            If two species have one name.
        """
        if len(parts) == 1:
            return parts[0]
        names = {name: None for part in parts for name in part.columns}
        columns = {name: _joined(name, parts) for name in names}
        return cls.of_columns(columns, np.concatenate([part.digests for part in parts]))

    def chosen(self, numbers: NDArray[np.int64]) -> "Library":
        """Return some of the species, by their numbers, in that order."""
        columns = {}
        for name, column in self.columns.items():
            parts = [column.part(k) for k in numbers.tolist()]
            if any(map(len, parts)):
                columns[name] = _stack(name, parts)
        library = Library.of_columns(columns, self.digests[numbers])
        library._proved = self._proved and self._in_memory
        return library

    @cached_property
    def digest(self) -> str:
        """BLAKE3 digest of the digests of all species, in order."""
        digest: str = blake3(self.digests.tobytes()).hexdigest()
        return digest

    @cached_property
    def pages(self) -> tuple[dict[str, Any], ...]:
        """What is text or a single number of each species."""
        return tuple(self._page(k) for k in range(len(self)))

    def _page(self, k: int) -> dict[str, Any]:
        try:
            page: dict[str, Any] = json.loads(self.columns[PAGE].part(k).tobytes())
            if isinstance(page["name"], str) and isinstance(page["provenance"], dict):
                return page
        except (ValueError, LookupError, TypeError, RecursionError):
            pass
        raise LibraryError(f"species {k}: expected its page as JSON with a name, got another")

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Names of the species."""
        return tuple(page["name"] for page in self.pages)

    @property
    def species(self) -> "SpeciesList":
        """The species in label order, each made when it is asked for."""
        return SpeciesList(self)

    @cached_property
    def class_of_species(self) -> tuple[str, ...]:
        """Name of the class of each species: its own, or ``unknown``."""
        return tuple(
            UNKNOWN if page["provenance"].get("kind") == UNKNOWN else page["name"]
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
        counts = Counter(self.names)
        twice = sorted(name for name, count in counts.items() if count > 1)
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
        return column.rows[:], np.concatenate([[0], column.end]).astype(np.int64)

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
        wanted = {name for name in self.columns if name in names or name not in _BULKY}
        if self._proved and look is None and all(map(self._has, wanted)):
            return
        kept = {
            name: np.empty(column.rows.shape, column.rows.dtype)
            for name, column in self.columns.items()
            if name in wanted and not self._has(name)
        }
        for first in range(0, len(self), _TOGETHER):
            numbers = range(first, min(len(self), first + _TOGETHER))
            part = self._part(numbers)
            for k in numbers:
                arrays = {name: one.part(k - first) for name, one in part.columns.items()}
                self._check(k, arrays)
            part._proved = True
            if look is not None:
                look(part)
            for name, rows in kept.items():
                end = self.columns[name].end
                rows[int(end[first - 1]) if first else 0 : int(end[numbers[-1]])] = part.columns[
                    name
                ].rows[:]
        self.columns = {
            name: Column(kept.get(name, column.rows), column.end)
            for name, column in self.columns.items()
        }
        self._proved = True

    def _part(self, numbers: range) -> "Library":
        """Return species that follow each other, in memory."""
        columns = {}
        for name, (rows, end) in self.columns.items():
            start = int(end[numbers[0] - 1]) if numbers[0] else 0
            ends = end[numbers[0] : numbers[-1] + 1]
            columns[name] = Column(rows[start : int(ends[-1])], ends - start)
        return Library.of_columns(columns, self.digests[numbers[0] : numbers[-1] + 1])

    def _has(self, name: str) -> bool:
        """Return whether an array is in memory."""
        return isinstance(self.columns[name].rows, np.ndarray)

    @property
    def _in_memory(self) -> bool:
        return all(map(self._has, self.columns))

    def _check(self, k: int, arrays: Mapping[str, Values]) -> None:
        if species_digest(arrays) != self.digests[k].tobytes():
            raise LibraryError(
                f"species {k} of the library: its content is not what its digest says: damaged; "
                "restore the file from a copy"
            )

    def __len__(self) -> int:
        """Return the number of species."""
        return len(self.digests)

    def __getitem__(self, k: int) -> Species:
        """Return a species.

        Raises
        ------
        IndexError
            If there is none of this number.
        LibraryError
            If it is not what its digest says.
        """
        if not -len(self) <= k < len(self):
            raise IndexError(f"expected a species from 0 to {len(self) - 1}, got {k}")
        k %= len(self)
        arrays = {name: column.part(k) for name, column in self.columns.items()}
        if not (self._proved and self._in_memory):
            self._check(k, arrays)
        return _unpack(self._page(k), arrays)

    __iter__ = None
    """A library is no list of species: ``species`` is, each made when it is asked for."""

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
        loaded = {name: Column(column.rows[:], column.end) for name, column in self.columns.items()}
        return Library.of_columns, (loaded, self.digests)

    @classmethod
    def __get_pydantic_core_schema__(
        cls, source: Any, handler: GetCoreSchemaHandler
    ) -> core_schema.CoreSchema:
        """Return how a model takes a library, as it is or as JSON, and stores it: by digest."""
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


class LibraryDocument(Frozen):
    """A library as JSON: its species written out."""

    species: tuple[Species, ...] = field("the species, in label order", "1", min_length=1)


class SpeciesList(Sequence[Species]):
    """The species of a library, each made when it is asked for."""

    def __init__(self, library: Library) -> None:
        self._library = library

    def __len__(self) -> int:
        """Return the number of species."""
        return len(self._library)

    @overload
    def __getitem__(self, key: int) -> Species: ...

    @overload
    def __getitem__(self, key: slice) -> tuple[Species, ...]: ...

    def __getitem__(self, key: int | slice) -> Species | tuple[Species, ...]:
        """Return a species, or some of them."""
        if isinstance(key, slice):
            return tuple(self._library[k] for k in range(*key.indices(len(self))))
        return self._library[key]

    def __iter__(self) -> Iterator[Species]:
        """Iterate over the species."""
        return (self._library[k] for k in range(len(self)))

    def __eq__(self, other: object) -> bool:
        """Return whether the same species stand in the same order."""
        return isinstance(other, Sequence) and tuple(self) == tuple(other)

    def __hash__(self) -> int:
        """Return a hash of the library."""
        return hash(self._library)

    def __repr__(self) -> str:
        """Return the number of species."""
        return f"<{len(self)} species>"


def _as_library(value: Any) -> Library:
    if isinstance(value, Library):
        return value
    library = Library(LibraryDocument.model_validate(value).species)
    library.check_names()
    return library


def six(tensors: Values) -> Values:
    """Return the symmetric part of tensors, shape (..., 3, 3), as six numbers, shape (..., 6)."""
    both = 0.5 * (tensors + np.swapaxes(tensors, -1, -2))
    return np.stack([both[..., i, j] for i, j in _SIX], axis=-1)


def matrices(numbers: Values) -> Values:
    """Return symmetric tensors, shape (..., 3, 3), from six numbers each, shape (..., 6)."""
    out = np.empty((*numbers.shape[:-1], 3, 3), numbers.dtype)
    for k, (i, j) in enumerate(_SIX):
        out[..., i, j] = out[..., j, i] = numbers[..., k]
    return out


def species_digest(arrays: Mapping[str, Values]) -> bytes:
    """Return the digest of a species: of its page and its arrays, those without rows left out."""
    hasher = blake3()
    for name in sorted(arrays):
        values = arrays[name]
        if len(values):
            shape = ",".join(map(str, values.shape))
            hasher.update(f"{name} {values.dtype.str} {shape}\n".encode())
            hasher.update(values.tobytes())
    digest: bytes = hasher.digest()
    return digest


def _stack(name: str, parts: Sequence[Values | None]) -> Column:
    kind, shape = ARRAYS[name]
    nothing = np.empty((0, *shape), kind)
    found = [nothing if part is None else part for part in parts]
    return Column(np.concatenate(found), np.cumsum([len(part) for part in found], dtype=np.int64))


def _joined(name: str, parts: Sequence[Library]) -> Column:
    rows, ends, first = [], [], 0
    for part in parts:
        column = part.columns.get(name)
        if column is None:
            ends.append(np.full(len(part), first, np.int64))
            continue
        rows.append(column.rows[:])
        ends.append(column.end + first)
        first += len(rows[-1])
    return Column(np.concatenate(rows), np.concatenate(ends))


def _of_modes(one: Species, name: str, shape: tuple[int, ...]) -> Values | None:
    """Return a quantity of the atoms of each mode in turn; None if no mode has it."""
    parts = [getattr(mode, name) for mode in one.modes]
    if not one.atoms or all(part is None for part in parts):
        return None
    unknown = np.full((len(one.atoms), *shape), np.nan)
    return np.concatenate([unknown if p is None else np.array(p, np.float64) for p in parts])


def _pack(one: Species) -> dict[str, Values]:
    """Return a species as its page and arrays."""
    inside = ("modes", "atoms", "masses_amu", "hessian", "polarizability", "atom_polarizabilities")
    page = one.model_dump(mode="json", exclude_defaults=True, exclude=set(inside))
    found: dict[str, Any] = {
        "frequency": [mode.frequency_cm1 for mode in one.modes],
        "tensor": [mode.tensor for mode in one.modes],
        "mass": one.masses_amu,
        "hessian": one.hessian,
        "polarizability": one.polarizability,
        "displacement": _of_modes(one, "displacements", (3,)),
    }
    if any(mode.irrep is not None for mode in one.modes):
        page["irreps"] = [mode.irrep for mode in one.modes]
    if any(mode.fwhm_cm1 is not None for mode in one.modes):
        found["fwhm"] = [np.nan if m.fwhm_cm1 is None else m.fwhm_cm1 for m in one.modes]
    if one.atoms is not None:
        page["symbols"] = [atom.symbol for atom in one.atoms]
        found["position"] = [atom.position for atom in one.atoms]
    shares = _of_modes(one, "atom_tensors", (3, 3))
    found["atom_tensor"] = None if shares is None else six(shares)
    if one.atom_polarizabilities:
        found["atom_polarizability"] = six(np.array(one.atom_polarizabilities, np.float64))
    found[PAGE] = np.frombuffer(canonical_json(page).encode(), np.uint8)
    return {
        name: np.ascontiguousarray(found[name], kind).reshape(-1, *shape)
        for name, (kind, shape) in ARRAYS.items()
        if found.get(name) is not None
    }


def _split_modes(arrays: Mapping[str, Values], name: str, n_modes: int) -> list[Any]:
    """Return a quantity of each mode's atoms as lists, None where it is not known."""
    values = arrays.get(name)
    if values is None or not len(values):
        return [None] * n_modes
    if name == "atom_tensor":
        values = matrices(values)
    parts = values.reshape(n_modes, -1, *values.shape[1:])
    return [None if np.isnan(part).any() else part.tolist() for part in parts]


def _unpack(page: Mapping[str, Any], arrays: Mapping[str, Values]) -> Species:
    """Return a species from its page and arrays."""

    def listed(name: str) -> Any:
        values = arrays.get(name)
        return None if values is None or not len(values) else values.tolist()

    try:
        n_modes = len(arrays["frequency"])
        columns = {
            "frequency_cm1": listed("frequency"),
            "tensor": listed("tensor"),
            "irrep": page.get("irreps") or [None] * n_modes,
            "fwhm_cm1": [
                None if np.isnan(one) else one for one in listed("fwhm") or [np.nan] * n_modes
            ],
            "atom_tensors": _split_modes(arrays, "atom_tensor", n_modes),
            "displacements": _split_modes(arrays, "displacement", n_modes),
        }
        modes = [
            dict(zip(columns, values, strict=True))
            for values in zip(*columns.values(), strict=True)
        ]
        atoms = None
        if "symbols" in page:
            places = zip(page["symbols"], listed("position") or (), strict=True)
            atoms = [{"symbol": symbol, "position": place} for symbol, place in places]
        numbers = arrays.get("atom_polarizability")
        known = {name: page[name] for name in Species.model_fields if name in page}
        return Species.model_validate(
            {
                **known,
                "modes": modes,
                "atoms": atoms,
                "masses_amu": listed("mass"),
                "hessian": listed("hessian"),
                "polarizability": listed("polarizability"),
                "atom_polarizabilities": (
                    None if numbers is None or not len(numbers) else matrices(numbers).tolist()
                ),
            }
        )
    except (ValueError, LookupError, TypeError) as error:  # a ValidationError is a ValueError
        text = " ".join(str(error).split())[:200]
        raise LibraryError(
            f"{page.get('name')!r:.80}: its arrays do not make a species: {text}"
        ) from None
