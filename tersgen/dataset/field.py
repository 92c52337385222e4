"""A field: one array of a dataset, read as it is indexed."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..errors import RowIndexError
from ..schema.fields import FieldSpec
from .selection import select_rows
from .sources import RowSource

Values = NDArray[np.generic]

Arguments = tuple[Any, ...]


class Reference(NamedTuple):
    """What is pickled in place of a dataset: text, numbers, rows, and what opens it by them."""

    reopen: Callable[..., Any]
    arguments: Arguments


def reopen_field(reopen: Callable[..., Any], arguments: Arguments, name: str) -> "Field":
    """Return a field that was pickled, of its dataset that is opened again."""
    opened: Field = reopen(*arguments)[name]
    return opened


def reduced(reference: Reference | None) -> Reference:
    """Return what is pickled, or refuse."""
    if reference is None:
        raise TypeError("expected a complete dataset to pickle, got one that is not finished")
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
        self.dtype = spec.value_dtype
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
            raise ValueError("copy: expected None or True, got False: reading copies rows")
        values: Values = self[:]
        return values if dtype is None else values.astype(dtype)

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle it by reference: its dataset is opened again."""
        return reopen_field, (*reduced(self._reference), self.spec.name)

    def __repr__(self) -> str:
        """Return name, shape, type and unit."""
        return f"<Field {self.spec.name} {self.shape} {self.dtype} [{self.spec.unit}]>"
