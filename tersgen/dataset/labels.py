"""Stored labels: untrusted integers, checked against the classes that they index."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import DamagedDataError


def check_labels(labels: NDArray[Any], n_classes: int, first_row: int, origin: str = "") -> None:
    """Refuse labels that are no position of a species, before anything is counted by them.

    Parameters
    ----------
    labels
        Class of each row, shape (n,).
    n_classes
        Number of species.
    first_row
        Row of the first label; for the message, as is ``origin``, its beginning.
    """
    bad = np.flatnonzero((labels < 0) | (labels >= n_classes))
    if bad.size:
        raise DamagedDataError(
            f"{origin}row {first_row + int(bad[0])}: expected a label from 0 to {n_classes - 1}, "
            f"got label {labels[bad[0]]}; verify the dataset"
        )
