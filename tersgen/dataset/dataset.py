"""A dataset: named fields of rows, with the recipe, library and digest they come from."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..errors import RowIndexError, UnknownFieldError
from ..recipe import Recipe
from ..schema.contents import Contents, Kind
from ..schema.fields import SAMPLE, Axis, FieldSpec
from ..schema.library import Library
from ..schema.manifest import Manifest
from ..schema.species import Species
from ..schema.split import Split
from ..store.layout import leaf_rows
from .basis import Basis, StoredBasis
from .documents import check_generator, not_synthetic, understood
from .labels import check_labels
from .selection import select_rows
from .sources import BlockSource, GeneratedBlocks, RowSource

if TYPE_CHECKING:
    import xarray

Values = NDArray[np.generic]

_XARRAY_ROWS = 4096


Arguments = tuple[str, bool, str, int, bool]


class Reference(NamedTuple):
    """What is pickled in place of a dataset: text and numbers, and what opens it again by them."""

    reopen: Callable[..., "Dataset"]
    arguments: Arguments


def reopen_field(reopen: Callable[..., "Dataset"], arguments: Arguments, name: str) -> "Field":
    """Return a field that was pickled, of its dataset that is opened again."""
    return reopen(*arguments)[name]


def _reduced(reference: Reference | None) -> Reference:
    if reference is None:
        raise TypeError("a dataset that is not finished cannot be pickled")
    return reference


class Field:
    """One array of a dataset, read as it is indexed.

    ``field[key]`` takes what NumPy takes for the first axis (a row, a slice, an array of rows or of
    booleans), and after it any index into the rows.
    """

    def __init__(
        self, source: RowSource, spec: FieldSpec, n_rows: int, reference: Reference | None
    ) -> None:
        self._source = source
        self._reference = reference
        self.spec = spec
        self.shape = (n_rows, *spec.shape)
        self.dtype = np.dtype(spec.dtype)
        self.ndim = len(self.shape)

    def __len__(self) -> int:
        """Return the number of rows."""
        return self.shape[0]

    def __getitem__(self, key: Any) -> Any:
        """Return values as a NumPy array, or as a scalar where NumPy would.

        Raises
        ------
        RowIndexError
            If a row does not exist.
        DamagedDataError
            If stored bytes are missing or fail their checksum.
        """
        first, *rest = (key or (slice(None),)) if isinstance(key, tuple) else (key,)
        if first is None:
            raise RowIndexError("expected a row, a slice or an array of rows first, got None")
        if first is Ellipsis:
            named = sum(part is not None for part in rest)
            first, rest = slice(None), [*[slice(None)] * (self.ndim - named - 1), *rest]
        rows = select_rows(first, self.shape[0])
        values = self._source.read(self.spec.name, rows.read)[rows.then]
        if not rest:
            return values
        if isinstance(rows.then, int):
            return values[tuple(rest)]
        # an array of rows goes along with other arrays, as in NumPy; a slice stands by itself
        chosen = slice(None) if isinstance(first, slice) else np.arange(len(values))
        return values[(chosen, *rest)]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Values:
        """Return all rows."""
        if copy is False:
            raise ValueError("expected copy to be allowed: rows are read into new memory")
        values: Values = self[:]
        return values if dtype is None else values.astype(dtype)

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle it by reference: its dataset is opened again."""
        return reopen_field, (*_reduced(self._reference), self.spec.name)

    def __repr__(self) -> str:
        """Return name, shape, type and unit."""
        return f"<Field {self.spec.name} {self.shape} {self.dtype} [{self.spec.unit}]>"


class Dataset(Mapping[str, Field]):
    """A read-only dataset; made by :func:`tersgen.open`.

    Attributes
    ----------
    contents
        Its arrays, axes and classes.
    document
        What the rows rest on, as it is stored.
    manifest
        The manifest of a stored dataset; None for a dataset that is generated.
    path
        Where it is stored, or the recipe's file.
    splits
        The splits of a stored dataset, by name.
    """

    def __init__(
        self,
        path: Path,
        document: StoredBasis,
        contents: Contents,
        n_samples: int,
        source: RowSource,
        manifest: Manifest | None = None,
        folder: Path | None = None,
        reference: Reference | None = None,
    ) -> None:
        self.path = path
        self._folder = folder
        self._source = source
        self.document = document
        self.contents = contents
        self.manifest = manifest
        self.n_samples = n_samples
        self._reference = reference
        self._fields = {
            spec.name: Field(source, spec, n_samples, reference) for spec in contents.fields
        }

    def __len__(self) -> int:
        """Return the number of fields; the number of rows is ``n_samples``."""
        return len(self._fields)

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle it by reference: unpickling opens the same version again."""
        reopen, arguments = _reduced(self._reference)
        return reopen, arguments

    def __iter__(self) -> Iterator[str]:
        """Iterate over the names of the fields."""
        return iter(self._fields)

    def __getitem__(self, name: str) -> Field:
        """Return a field.

        Raises
        ------
        UnknownFieldError
            If there is none of that name.
        """
        try:
            return self._fields[name]
        except KeyError:
            inside = [one for one in self._fields if one.startswith(f"{name}/")]
            got = f"the group {name!r}, which holds fields" if inside else repr(name)
            raise UnknownFieldError(
                f"{self.path}: expected one of {', '.join(inside or self._fields)}, got {got}"
            ) from None

    @property
    def kind(self) -> Kind:
        """How the samples came about."""
        return self.contents.kind

    @property
    def basis(self) -> Basis:
        """What the rows rest on: a resolved recipe, or what was measured.

        Raises
        ------
        DatasetError
            If this version of tersgen does not understand it; the rows can be read all the same.
        """
        return understood(self.path, self.document)

    @property
    def recipe(self) -> Recipe:
        """The resolved recipe: with it any row can be rebuilt.

        Raises
        ------
        NotSyntheticError
            If the dataset was measured.
        DatasetError
            If this version of tersgen does not understand it; the rows can be read all the same.
        """
        basis = self.basis
        if not isinstance(basis, Recipe):
            raise not_synthetic(self.path, self.document)
        return basis

    @property
    def library(self) -> Library:
        """The species of a synthetic dataset, in label order.

        Raises
        ------
        NotSyntheticError
            If the dataset was measured.
        DatasetError
            If its library is missing or damaged.
        """
        if self.document.library is None:
            raise not_synthetic(self.path, self.document)
        return self.document.library

    @property
    def species(self) -> Sequence[Species]:
        """The species of a synthetic dataset, in label order."""
        return self.library.species

    @property
    def classes(self) -> tuple[str, ...]:
        """Class names in label order: those of the species."""
        return self.contents.classes

    @property
    def axes(self) -> dict[str, Axis]:
        """Positions along the dimensions of arrays, by the name of the dimension."""
        return {axis.name: axis for axis in self.contents.axes}

    @property
    def shift_cm1(self) -> NDArray[np.float64]:
        """The axis of Raman shifts in cm^-1, Eq. (1.1), shape (L,)."""
        axis = self.axes.get("raman_shift")
        return self.basis.grid.points() if axis is None else axis.points()

    @property
    def scale(self) -> Literal["unit", "symmetric"]:
        """Range of spectra, maps and cubes: [0, 1] or [-1, 1]."""
        lows = [spec.span[0] for spec in self.contents.fields if spec.span is not None]
        return "symmetric" if min(lows, default=0.0) < 0 else "unit"

    @property
    def reference(self) -> str:
        """What opens this very version again: its path, and its id if it is stored."""
        return f"{self.path}@{self.manifest.version}" if self.manifest else str(self.path)

    @property
    def block_rows(self) -> int:
        """Rows that are best read together; decided by the arrays alone."""
        return leaf_rows(self.contents.fields)

    def blocks(self, names: Iterable[str], generate: bool = False) -> BlockSource:
        """Return what copies rows of some fields, block by block, into arrays of the caller.

        ``generate`` makes them from the recipe even if they are stored: the same values.

        Raises
        ------
        DatasetError
            If they are to be made, and this version of tersgen makes others.
        """
        chosen = tuple(self[name].spec.name for name in names)
        if generate:
            recipe = check_generator(self.path, self.contents, self.document)
            return GeneratedBlocks(recipe, chosen, self.block_rows)
        return self._source.blocks(chosen)

    def check_files(self) -> None:
        """Refuse rows that the files of a stored dataset cannot hold; their content is not read.

        For who is about to allocate something of the number of rows: a manifest may claim any.

        Raises
        ------
        DamagedDataError
            If a file is missing, or too small for its rows.
        """
        self._source.check_files()

    @property
    def digest(self) -> str | None:
        """The logical digest of a stored dataset; None for one that is generated."""
        return self.manifest.digest if self.manifest else None

    @property
    def splits(self) -> dict[str, Split]:
        """The splits of a stored dataset by name, with counts and class weights."""
        return {split.name: split for split in self.manifest.splits} if self.manifest else {}

    def parts(self, split: str = "default") -> NDArray[np.uint8]:
        """Return the part of each row in a split, a number in its ``rule.names``, shape (n,).

        Raises
        ------
        UnknownFieldError
            If there is no split of that name.
        DamagedDataError
            If its file is missing or damaged.
        """
        from .parts import load_parts

        known = self.splits
        if split not in known or self._folder is None:
            raise UnknownFieldError(
                f"{self.path}: expected one of its splits "
                f"({', '.join(known) or 'there are none: make one with tersgen split'}), "
                f"got {split!r}"
            )
        return load_parts(self._folder, known[split])

    def rows_in(self, part: str, split: str = "default") -> NDArray[np.intp]:
        """Return the rows of one part of a split, such as ``train``, rising, shape (n_part,).

        Raises
        ------
        UnknownFieldError
            If there is no such split or part.
        DamagedDataError
            If the split's file is missing or damaged.
        """
        parts = self.parts(split)
        names = self.splits[split].rule.names
        if part not in names:
            raise UnknownFieldError(
                f"{self.path}: split {split!r}: expected one of {', '.join(names)}, got {part!r}"
            )
        return np.flatnonzero(parts == names.index(part))

    def sample(self, index: int) -> dict[str, Any]:
        """Return every field of one row by name, and the name of its species as ``species``.

        Of a mixture ``composition`` has the fraction of each of its species, by name.

        Raises
        ------
        RowIndexError
            If there is no such row.
        DamagedDataError
            If stored bytes are missing or fail their checksum, or the label is that of no species.
        """
        if isinstance(index, bool) or not isinstance(index, (int, np.integer)):
            raise RowIndexError(f"expected a row number, got {index!r}")
        index = int(index)
        values = {name: field[index] for name, field in self._fields.items()}
        row = index if index >= 0 else index + self.n_samples
        check_labels(np.atleast_1d(values["label"]), len(self.classes), row, f"{self.path}: ")
        known: dict[str, Any] = {"species": self.classes[values["label"]]}
        if "mixture/count" in values:
            members = slice(int(values["mixture/count"]))
            labels, fractions = values["mixture/label"][members], values["mixture/fraction"]
            check_labels(labels, len(self.classes), row, f"{self.path}: ")
            known["composition"] = {
                self.classes[label]: float(fraction)
                for label, fraction in zip(labels, fractions[members], strict=True)
            }
        return {**known, **values}

    def to_xarray(self) -> "xarray.Dataset":
        """Return a lazy :class:`xarray.Dataset` with units, whose reads are checked as here.

        Names lose their slash: ``sticks/position`` becomes ``sticks_position``.
        """
        import dask.array
        import xarray

        variables = {}
        for name, field in self._fields.items():
            chunks = (_XARRAY_ROWS, *field.spec.shape)
            lazy = dask.array.from_array(field, chunks=chunks, asarray=False, name=False)
            attributes: dict[str, Any] = {
                "units": field.spec.unit,
                "long_name": field.spec.description,
            }
            if field.spec.is_label:
                attributes["classes"] = list(self.classes)
            dims = (SAMPLE, *field.spec.dims)
            variables[name.replace("/", "_")] = xarray.Variable(dims, lazy, attributes)
        coordinates = {
            axis.name: xarray.Variable(
                (axis.name,), axis.points(), {"units": axis.unit, "long_name": axis.description}
            )
            for axis in self.contents.axes
        }
        return xarray.Dataset(variables, coordinates, {"digest": self.digest or "generated"})

    def __repr__(self) -> str:
        """Return path, rows, classes and fields."""
        origin = "generated" if self.manifest is None else f"digest {self.manifest.digest[:12]}"
        return (
            f"<Dataset {self.path}: {self.n_samples} samples of {len(self.classes)} classes, "
            f"{origin}; {', '.join(self._fields)}>"
        )
