"""Modes in a made-up format, .vib: a signature, a name, and six tensor elements for each mode.

VIB 1
name water-like
1595.0  0.1 0.0 0.0  0.4 0.0 0.2
"""

from pathlib import Path

from tersgen.errors import LibraryError
from tersgen.library.importer import Importer
from tersgen.schema.species import Mode, Provenance, Species


class Vib(Importer):
    """Frequency in cm^-1, then xx, xy, xz, yy, yz, zz in Angstrom^2 amu^-1/2."""

    format = "VIB"

    def matches(self, path: Path, head: bytes) -> bool:
        return head.startswith(b"VIB 1\n")

    def read(self, path: Path) -> Species:
        _, name, *rows = path.read_text("utf-8").splitlines()
        modes = []
        for row in rows:
            numbers = [float(word) for word in row.split()]
            if len(numbers) != 7:
                raise LibraryError(f"expected a frequency and six tensor elements, got {row!r}")
            frequency, xx, xy, xz, yy, yz, zz = numbers
            tensor = ((xx, xy, xz), (xy, yy, yz), (xz, yz, zz))
            modes.append(Mode(frequency_cm1=frequency, tensor=tensor))
        modes.sort(key=lambda mode: mode.frequency_cm1)
        return Species(
            name=name.removeprefix("name "),
            modes=tuple(modes),
            provenance=Provenance(kind="imported", program="VIB 1"),
        )
