"""A dataset: rows of named fields, with the recipe, library and digest they come from."""

from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property, partial
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Self, overload

import numpy as np
from blake3 import blake3
from numpy.typing import NDArray

from ..errors import RowIndexError, UnknownFieldError
from ..schema.contents import Contents
from ..schema.manifest import Manifest
from ..schema.split import Split
from ..store.layout import leaf_rows
from ..text import counted, did_you_mean, printable
from .basis import StoredBasis
from .description import Description
from .documents import check_generator
from .field import Field as Field
from .field import Reference, Values, reduced
from .labels import check_labels
from .selection import select_rows
from .sources import BlockSource, GeneratedBlocks, ParallelBlocks, RowSource
from .twins import Twins
from .views import RowNumbers, SelectedBlocks, SelectedRows, chosen, numbers_of

if TYPE_CHECKING:
    import dask.array
    import xarray

_ITERATED = 1 << 24
"""Bytes of rows that are read at a time where all are iterated over."""


def reopen_view(reopen: Any, arguments: tuple[Any, ...], rows: RowNumbers) -> "Dataset":
    """Return a view that was pickled, of its dataset that is opened again."""
    dataset: Dataset = reopen(*arguments)
    return dataset.view(rows)


class Dataset(Description):
    """A read-only dataset; made by :func:`tersgen.open`.

    ``len(ds)`` is the number of rows and iteration goes through them. ``ds[5]`` is one sample,
    ``ds[10:20]`` and ``ds[[1, 2]]`` are dicts of arrays, ``ds["spectra"]`` is a :class:`Field`,
    which is read as it is indexed, and ``ds.fields`` has all of these by name. :meth:`select`
    returns some of the rows as a dataset: a view, which copies nothing.

    Attributes
    ----------
    contents
        Its arrays, axes and classes.
    document
        What the rows rest on, as it is stored.
    manifest
        The manifest of a stored dataset, also of a view of one; None for a dataset that is
        generated.
    n_samples
        The number of rows.
    path
        Where it is stored, or the recipe's file.
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
        rows: RowNumbers | None = None,
    ) -> None:
        self.path = path
        self._folder = folder
        self._whole = source
        self._rows = rows
        self.document = document
        self.contents = contents
        self.manifest = manifest
        self.n_samples = n_samples if rows is None else len(rows)
        self._n_whole = n_samples
        if rows is not None:
            source = SelectedRows(source, rows, self.block_rows)
            if reference is not None:
                reference = Reference(reopen_view, (*reference, rows))
        self._source = source
        self._reference = reference
        self._fields = {
            spec.name: Field(source, spec, self.n_samples, reference)
            for spec in (*contents.fields, *contents.computed)
        }

    def __len__(self) -> int:
        """Return the number of rows."""
        return self.n_samples

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle it by reference: unpickling opens the same version again."""
        reopen, arguments = reduced(self._reference)
        return reopen, arguments

    def __enter__(self) -> Self:
        """Return the dataset itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close it."""
        self.close()

    def close(self) -> None:
        """Drop what is kept in memory; a later read opens the files again."""
        self._source.close()

    @property
    def fields(self) -> Mapping[str, Field]:
        """The fields by name; iterating over it gives the names."""
        return MappingProxyType(self._fields)

    def __contains__(self, name: object) -> bool:
        """Return whether there is a field of a name, or a twin of one without noise."""
        return name in self._fields or name in self._twins.names

    @cached_property
    def _twins(self) -> Twins:
        """Rows without noise; none of what was measured, nor with effects of plug-ins.

        Nobody knows whether such an effect moves bands, which twins have, too, or adds noise.
        """
        has_none = self.document.is_measured or bool(self.document.content.get("effects"))
        return Twins(
            () if has_none else self.contents.fields,
            partial(check_generator, self.path, self.contents, self.document),
            self.block_rows,
        )

    def __iter__(self) -> Iterator[dict[str, Any]]:
        """Iterate over the rows, as ``ds[i]`` returns them; many are read at a time."""
        row_bytes = sum(field.spec.value_bytes for field in self._fields.values())
        step = min(self.block_rows, max(1, _ITERATED // row_bytes))
        for start in range(0, self.n_samples, step):
            stop = min(start + step, self.n_samples)
            values = self._read(slice(start, stop, 1))
            for place in range(stop - start):
                row = {name: value[place] for name, value in values.items()}
                yield self._named(row, start + place)

    @overload
    def __getitem__(self, key: str) -> Field: ...
    @overload
    def __getitem__(self, key: Any) -> Any: ...
    def __getitem__(self, key: Any) -> Any:
        """Return a field, one sample, or arrays of some rows.

        Parameters
        ----------
        key
            The name of a field; the number of a row, from the end if it is negative; or a slice, or
            an array of row numbers or of booleans.

        Returns
        -------
        Field or dict
            Of one row what :meth:`sample` returns; of several, arrays by the names of their fields,
            and the names of the species as ``species``, all of shape (n, ...).

        Raises
        ------
        UnknownFieldError
            If there is no field of that name.
        RowIndexError
            If a row does not exist.
        DamagedDataError
            If stored bytes are missing or fail their checksum.
        """
        if isinstance(key, str):
            return self._field(key)
        if isinstance(key, (int, np.integer)) and not isinstance(key, bool):
            return self.sample(int(key))
        rows = select_rows(key, self.n_samples)
        if isinstance(rows.then, int):  # an array without dimensions
            return self.sample(int(key))
        values = self._read(rows.read)
        if "label" in values:
            labels: NDArray[Any] = values["label"]
            bad = np.flatnonzero((labels < 0) | (labels >= len(self.classes)))
            if bad.size:
                row = int(numbers_of(range(self.n_samples), rows.read)[bad[0]])
                check_labels(labels[bad], len(self.classes), row, f"{self.path}: ")
            names = np.array(self.classes, dtype=np.str_)
            values = {"species": names[labels], **values}
        return {name: value[rows.then] for name, value in values.items()}

    def _field(self, name: str) -> Field:
        try:
            return self._fields[name]
        except KeyError:
            if name in self._twins.names:
                source: RowSource = self._twins
                if self._rows is not None:
                    source = SelectedRows(source, self._rows, self.block_rows)
                return Field(source, self._twins.spec(name), self.n_samples, self._reference)
            fields = [*self._fields, *sorted(self._twins.names)]
            inside = [one for one in fields if one.startswith(f"{name}/")]
            got = f"the group {name!r}, which holds fields" if inside else repr(name)
            got += "" if inside else did_you_mean(name, fields)
            raise UnknownFieldError(
                f"{self.path}: expected one of {', '.join(inside or fields)}, got {got}"
            ) from None

    def _read(self, rows: slice | NDArray[np.intp]) -> dict[str, Values]:
        """Return rows of all fields."""
        return self._source.read_many(list(self._fields), rows)

    def select(
        self,
        *,
        split: str | None = None,
        part: str | None = None,
        species: str | Iterable[str] | None = None,
        rows: Any = None,
        where: str | None = None,
    ) -> "Dataset":
        """Return the rows that fulfil all of some conditions, as a dataset; nothing is copied.

        Rows of the view are numbered from 0, in the order of this dataset, or that of ``rows``.
        Views of views are possible: ``ds.select(part="train").select(rows=slice(1000))`` has the
        first 1000 rows of a part.

        Parameters
        ----------
        split, part
            A part of a split: ``split="default", part="train"``, or ``split="default:train"``. One
            alone names a part of the split ``default``.
        species
            A class, or several: rows with their label.
        rows
            A slice, row numbers or booleans, as ``ds[rows]`` takes them.
        where
            Comparisons of scalar fields, and of the species, joined by ``and``:
            ``"params/width > 1.1 and species != 'benzene'"``.

        Raises
        ------
        UnknownFieldError
            If there is no such split or part.
        RowIndexError
            If a row does not exist.
        ConfigError
            If there is no such class or scalar field, or ``where`` is no comparison.
        """
        from .conditions import selected

        return selected(self, split, part, species, rows, where)

    def view(self, key: Any) -> "Dataset":
        """Return some rows as a view; see :meth:`select`."""
        rows = chosen(range(self._n_whole) if self._rows is None else self._rows, key)
        whole = self.whole
        return Dataset(
            self.path, self.document, self.contents, self._n_whole, self._whole, self.manifest,
            self._folder, whole._reference, rows,
        )  # fmt: skip

    @property
    def is_view(self) -> bool:
        """Whether it has only some rows of a dataset; see :meth:`select`."""
        return self._rows is not None

    @property
    def whole(self) -> "Dataset":
        """The dataset with all its rows; itself, if it is no view."""
        if self._rows is None:
            return self
        reference = self._reference and Reference(*self._reference.arguments[:2])
        return Dataset(
            self.path, self.document, self.contents, self._n_whole, self._whole, self.manifest,
            self._folder, reference,
        )  # fmt: skip

    @property
    def row_numbers(self) -> NDArray[np.intp]:
        """Where the rows are in the whole dataset, shape (n,); of a view not just 0, 1, 2."""
        rows = range(self._n_whole) if self._rows is None else self._rows
        return numbers_of(rows, slice(0, len(rows), 1))

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
        wanted = tuple(self[name].spec.name for name in names)
        clean = frozenset(wanted) & self._twins.names
        if clean:
            twins: BlockSource = self._twins.blocks(clean)
            if self._rows is not None:
                twins = SelectedBlocks(twins, self._rows, self.block_rows)
            kept = [name for name in wanted if name not in clean]
            others = [(frozenset(kept), self.blocks(kept, generate))] if kept else []
            return ParallelBlocks([*others, (clean, twins)])
        if not generate:
            return self._source.blocks(wanted)
        recipe = check_generator(self.path, self.contents, self.document)
        made = GeneratedBlocks(recipe, wanted, self.block_rows)
        return made if self._rows is None else SelectedBlocks(made, self._rows, self.block_rows)

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
        """The logical digest of a stored dataset; None for a view and for what is generated."""
        return self.manifest.digest if self.manifest and self._rows is None else None

    @property
    def identity(self) -> str:
        """What the rows are, as a digest: equal for datasets whose rows are the same.

        Of a stored dataset its digest, of a generated one that of its recipe; of a view one that
        covers its row numbers, too.
        """
        whole = self.manifest.digest if self.manifest else self.contents.recipe_digest
        if self._rows is None:
            return whole
        rows = np.ascontiguousarray(self.row_numbers, "<i8")
        return blake3(whole.encode() + rows.tobytes()).hexdigest()

    @property
    def splits(self) -> dict[str, Split]:
        """The splits of a stored dataset by name; counts and weights are those of all its rows."""
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
        parts = load_parts(self._folder, known[split])
        return parts if self._rows is None else parts[self.row_numbers]

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
                f"{did_you_mean(part, names)}"
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
        rows = select_rows(int(index), self.n_samples)
        values = self._read(rows.read)
        row = int(index) if index >= 0 else int(index) + self.n_samples
        return self._named({name: value[0] for name, value in values.items()}, row)

    def _named(self, values: dict[str, Any], row: int) -> dict[str, Any]:
        """Return the values of a row with the names of its species."""
        if "label" not in values:
            return values
        if not 0 <= values["label"] < len(self.classes):
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

    def to_dask(self, fields: Iterable[str] | None = None) -> "dict[str, dask.array.Array]":
        """Return lazy Dask arrays by the names of their fields, whose reads are checked as here."""
        from .exporting import to_dask

        return to_dask(self, fields)

    def to_xarray(self, fields: Iterable[str] | None = None) -> "xarray.Dataset":
        """Return a lazy :class:`xarray.Dataset` with units, whose reads are checked as here.

        Names lose their slash: ``sticks/position`` becomes ``sticks_position``.
        """
        from .exporting import to_xarray

        return to_xarray(self, fields)

    def to_parquet(
        self, path: str | Path, fields: Iterable[str] | None = None, *, overwrite: bool = False
    ) -> None:
        """Write rows as Parquet: a column for each field, and one with the name of the species.

        Arrays are lists, within lists if they have several dimensions; units and dimensions are in
        the metadata of the columns. Some thousand rows are in memory at a time.

        Raises
        ------
        MissingExtraError
            If pyarrow is not installed (the extra ``parquet``).
        OutputError
            If the file exists and is not to be overwritten, or cannot be written.
        """
        from .parquet import to_parquet

        to_parquet(self, Path(path), fields, overwrite)

    def __repr__(self) -> str:
        """Return path, rows, classes and fields."""
        origin = "generated" if self.manifest is None else f"digest {self.manifest.digest[:12]}"
        rows = counted(self._n_whole, "sample")
        rows = f"{self.n_samples} of {rows}" if self.is_view else rows
        return (
            f"<Dataset {printable(str(self.path))}: {rows} of "
            f"{counted(len(self.classes), 'class')}, {origin}; {', '.join(self._fields)}>"
        )

    def _repr_html_(self) -> str:
        """Return what a notebook shows: arrays, units, classes and a few rows as pictures."""
        from .display import to_html

        return to_html(self)
