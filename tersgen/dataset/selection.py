"""Row selections as in NumPy, converted to what a row source can read."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..errors import RowIndexError


class Rows(NamedTuple):
    """Rows to read, and how to bring what was read to what was asked for."""

    read: slice | NDArray[np.intp]
    """A slice with step of at least 1 within the rows, or an array of row numbers."""
    then: Any
    """Index to apply to the rows read."""


def _checked(numbers: NDArray[np.intp], n_rows: int) -> NDArray[np.intp]:
    wrapped = np.where(numbers < 0, numbers + n_rows, numbers)
    bad = (wrapped < 0) | (wrapped >= n_rows)
    if bad.any():
        raise RowIndexError(
            f"row {int(numbers[bad][0])}: expected a row from {-n_rows} to {n_rows - 1}"
        )
    return wrapped


def select_rows(key: Any, n_rows: int) -> Rows:
    """Return what to read for ``key``: an integer, slice, or array of integers or booleans."""
    if type(key) is int and 0 <= key < n_rows:  # as often as not
        return Rows(slice(key, key + 1, 1), 0)
    if isinstance(key, slice):
        try:
            start, stop, step = key.indices(n_rows)
        except (TypeError, ValueError) as error:
            raise RowIndexError(f"expected a slice of rows, got {key}: {error}") from None
        if step > 0:
            return Rows(slice(start, max(start, stop), step), slice(None))
        backwards = range(start, stop, step)
        if not backwards:
            return Rows(slice(0, 0, 1), slice(None))
        return Rows(slice(backwards[-1], backwards[0] + 1, -step), slice(None, None, -1))
    if isinstance(key, (bool, np.bool_)):
        raise RowIndexError(f"expected a row number, slice or array of rows, got {_shown(key)}")
    try:
        numbers = np.asarray(key)
    except ValueError:
        numbers = np.empty(0, object)
    if numbers.dtype == bool and numbers.shape == (n_rows,):
        return Rows(np.flatnonzero(numbers), slice(None))
    if numbers.ndim == 1 and numbers.size == 0 and numbers.dtype != object:
        return Rows(slice(0, 0, 1), slice(None))
    if numbers.dtype.kind not in "iu" or numbers.ndim > 1:
        raise RowIndexError(f"expected a row number, slice or array of rows, got {_shown(key)}")
    wrapped = _checked(np.atleast_1d(numbers).astype(np.intp), n_rows)
    if numbers.ndim == 0:
        return Rows(slice(int(wrapped[0]), int(wrapped[0]) + 1, 1), 0)
    return Rows(wrapped, slice(None))


def _shown(key: object) -> str:
    """Return what came in place of rows, in one short line."""
    return " ".join(repr(key).split())[:80]
