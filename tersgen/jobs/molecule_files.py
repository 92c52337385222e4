"""Finished molecules of a list: small files in a folder next to the output."""

from contextlib import suppress
from pathlib import Path

from ..dataset.output_file import replace_file
from ..errors import LibraryError, OutputError
from ..files import why
from ..library.entries import Entry
from ..library.libraryfile import read_library
from ..schema.columns import BULKY
from ..schema.digest import canonical_digest
from ..schema.library import Library
from .molecules import Order, Outcome, order_record

SUFFIX = ".parts"
_DONE = ".tlib"
_FAILED = ".txt"


class MoleculeFiles:
    """One file for each molecule, named by a digest of what determines its content.

    Parameters
    ----------
    output
        The library to write; the folder is next to it.
    order
        What all molecules have in common.
    program
        Program and version of the engine.
    """

    def __init__(self, output: Path, order: Order, program: str) -> None:
        self.folder = output.with_name(output.name + SUFFIX)
        self._common = {**order_record(order), "program": program}

    def _path(self, entry: Entry, suffix: str) -> Path:
        what = {**self._common, "entry": [*entry._replace(number=0)]}
        return self.folder / f"{canonical_digest(what)[:40]}{suffix}"

    def has(self, entry: Entry) -> bool:
        """Return whether a molecule is computed."""
        return self._path(entry, _DONE).is_file()

    def reason(self, entry: Entry) -> str:
        """Return the note on a molecule: why it failed, or what is left out."""
        try:
            return self._path(entry, _FAILED).read_text("utf-8")
        except (OSError, UnicodeDecodeError):
            return ""

    def save(self, entry: Entry, outcome: Outcome) -> None:
        """Store the outcome of a molecule."""
        try:
            self.folder.mkdir(exist_ok=True)
        except OSError as error:
            raise OutputError(f"{self.folder}: cannot be made: {why(error)}") from None
        if outcome.reason:
            replace_file(self._path(entry, _FAILED), outcome.reason.encode())
        if outcome.content:
            replace_file(self._path(entry, _DONE), outcome.content)

    def load(self, entry: Entry) -> Library | None:
        """Return the species of a molecule, with digests checked; None if the file is damaged."""
        try:
            library = read_library(self._path(entry, _DONE))
            library.prove(*BULKY)
        except LibraryError:
            return None
        return library

    def remove(self, entries: list[Entry]) -> None:
        """Remove the files of some molecules, and the folder if nothing else is in it."""
        for entry in entries:
            for suffix in (_DONE, _FAILED):
                with suppress(OSError):
                    self._path(entry, suffix).unlink(missing_ok=True)
        with suppress(OSError):
            self.folder.rmdir()
