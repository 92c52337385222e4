"""Tables of peaks in JCAMP-DX, as sticks."""

import numpy as np

from ..errors import LibraryError, MeasurementError
from ..measured.jcamp import is_jcamp, read_jcamp
from ..schema.species import Species
from .sourcefile import SourceFile, one_line_errors
from .sticks import sticks_species

__all__ = ["is_jcamp", "read_peaks"]


def read_peaks(source: SourceFile, name: str) -> Species:
    """Read a JCAMP-DX table of peaks as modes with isotropic tensors, as ``read_sticks`` does.

    Raises
    ------
    LibraryError
        If it is a spectrum, or no such table, or not in cm^-1.
    """
    with one_line_errors(source):
        try:
            record = read_jcamp(source.text)
        except MeasurementError as error:
            raise LibraryError(str(error)) from None
        if not record.is_peaks:
            raise LibraryError(
                "expected a table of peaks, got a spectrum; make a dataset of it: tersgen ingest"
            )
        if record.x_unit != "cm^-1":
            raise LibraryError(f"expected peaks in cm^-1, got {record.x_unit or 'no unit'}")
        width = np.full(len(record.x), np.nan) if record.width is None else record.width
        rows = np.column_stack([record.x, record.y, width])
        if (rows[:, 1] < 0).any() or (rows[:, 2] <= 0).any() or not np.isfinite(rows[:, :2]).all():
            raise LibraryError("expected finite peaks with heights >= 0 and widths > 0, got others")
        return sticks_species(source, name, rows, "peaks")
