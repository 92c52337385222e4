"""The interface of importers of modes: one class for each format, built in or from a plug-in."""

from abc import abstractmethod
from collections.abc import Iterable
from pathlib import Path

from ..formats import FileFormat
from ..schema.species import Species
from .intensities import NOTHING_SAID, Statement
from .sourcefile import SourceFile, decoded, open_source


class Importer(FileFormat):
    """A format of files of modes; register it in the group ``tersgen.importers``."""

    @abstractmethod
    def read(self, path: Path) -> Species | Iterable[Species]:
        """Return the species in a file.

        What is known of the file itself (its name, its digest, the importer) need not be in their
        provenance: it is added for importers from outside.

        Raises
        ------
        LibraryError
            If the file is damaged; the message says what was expected and what came.
        """


class TextImporter(Importer):
    """A format of text files, detected by how the text begins."""

    @abstractmethod
    def recognises(self, text: str) -> bool:
        """Return whether a text, or the beginning of one, is in this format."""

    @abstractmethod
    def read_source(self, source: SourceFile) -> Species | Iterable[Species]:
        """Return the species in a text; ``read_species`` puts the file's name before errors."""

    def matches(self, path: Path, head: bytes) -> bool:  # noqa: ARG002 - the text decides
        """Return whether a file is in this format, see ``recognises``."""
        return self.recognises(decoded(head))

    def read(self, path: Path) -> Species | Iterable[Species]:
        """Return the species in a file of at most one gibibyte, see ``read_source``."""
        return self.read_source(open_source(path))


class ObservedImporter(TextImporter):
    """A format of tables whose strengths may be observed ones; in all others they are computed."""

    @abstractmethod
    def read_table(self, source: SourceFile, said: Statement) -> Species | Iterable[Species]:
        """Return the species in a text; a user has ``said`` something of its strengths."""

    def read_source(self, source: SourceFile) -> Species | Iterable[Species]:
        """Return the species in a text without further statements, see ``read_table``."""
        return self.read_table(source, NOTHING_SAID)
