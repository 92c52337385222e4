"""Tables of peaks in JCAMP-DX, as sticks."""

import re

import numpy as np

from ...errors import LibraryError, MeasurementError
from ...measured.jcamp import is_jcamp, read_jcamp
from ...plugins import register
from ...schema.species import Species
from ..importer import ObservedImporter
from ..intensities import Statement, agreed, headed_intensity, read_statement
from ..sourcefile import SourceFile
from ..sticks import sticks_species

_OWN_RECORD = re.compile(r"^[ \t]*##\$([A-Za-z]+)[ \t]*=((?:(?!\$\$).)*)", re.MULTILINE)


def _own_record(name: str, text: str) -> str:
    """Return the labelled record, of a user's own, that states something."""
    return f"##${name.upper()}= {text}"


@register("tersgen.importers", "jcamp_peaks")
class JcampPeaks(ObservedImporter):
    """Tables of peaks in JCAMP-DX."""

    format = "JCAMP-DX table of peaks"

    def recognises(self, text: str) -> bool:
        """Return whether a text is JCAMP-DX."""
        return is_jcamp(text)

    def read_table(self, source: SourceFile, said: Statement) -> Species:
        """Read a JCAMP-DX table of peaks as modes with isotropic tensors, as ``Sticks`` does.

        Labelled records state what the ordinates are: ``##$INTENSITY= observed area``, ``##$LASER=
        785 nm``, ``##$TEMPERATURE= 298 K``, ``##$RESPONSE= corrected``; so does ``##YUNITS=`` with
        the word activity, area or height. Otherwise they are heights, as those of the spectrum are.
        """
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
        stated = read_statement(_OWN_RECORD.findall(source.text), _own_record)
        headed = headed_intensity(record.y_unit)
        width = np.full(len(record.x), np.nan) if record.width is None else record.width
        rows = np.column_stack([record.x, record.y, width])
        wrong = (rows[:, 1] < 0) | (rows[:, 2] <= 0) | ~np.isfinite(rows[:, :2]).all(axis=1)
        if wrong.any():
            got = " ".join(f"{value:g}" for value in rows[wrong][0])
            raise LibraryError(
                f"expected finite peaks with heights >= 0 and widths > 0, got {got!r}"
            )
        return sticks_species(
            source, rows, "peaks", agreed(stated, said), headed, "observed height", _own_record
        )
