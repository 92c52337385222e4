"""Stick spectra: tables of position, strength and, optionally, width."""

from ...plugins import register
from ...schema.species import Species
from ..importer import ObservedImporter
from ..intensities import Statement, agreed, comment, headed_intensity, read_comments
from ..sourcefile import SourceFile
from ..stick_table import is_stick_table, read_stick_table
from ..sticks import sticks_species


@register("tersgen.importers", "sticks")
class Sticks(ObservedImporter):
    """Tables of sticks."""

    format = "table of sticks"
    rank = 2

    def recognises(self, text: str) -> bool:
        """Return whether a text is such a table."""
        return is_stick_table(text)

    def read_table(self, source: SourceFile, said: Statement) -> Species:
        """Read a table of sticks as modes with isotropic tensors.

        Columns, separated by commas, semicolons, tabs or spaces: position in cm^-1 (or in the unit
        that the heading states: ``position [THz]``), strength in any unit, and optionally the full
        width at half maximum, in its own unit or that of the position; before them perhaps mode
        numbers, which are skipped. Lines that begin with ``#`` are comments; the first other line
        may be a heading, which must name the columns in this order, and the second may give their
        units.

        Strengths are what the heading calls them, ``activity``, ``area`` or ``height``, or what a
        comment says: ``# intensity: activity``, ``# intensity: observed area`` or ``# intensity:
        observed height``, the last two with ``# laser: 785 nm`` and perhaps ``# temperature:
        298 K`` and ``# response: corrected``. Observed ones become activities here, for their own
        laser. What is not said is assumed, observed areas at 532 nm, with a warning. The tensor is
        a * I with 45 a^2 = activity.
        """
        stated = agreed(read_comments(source.text), said)
        table = read_stick_table(source.text)
        headed = headed_intensity(table.strengths)
        return sticks_species(
            source, table.rows, "sticks", stated, headed, "observed area", comment, table.notes
        )
