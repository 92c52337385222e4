"""A library, or a single species, as JSON of the schema."""

from ...plugins import register
from ...schema.species import LibraryDocument, Species
from ..importer import TextImporter
from ..sourcefile import SourceFile


@register("tersgen.importers", "json")
class Document(TextImporter):
    """Libraries and species as JSON; the provenance of the species is kept."""

    format = "library JSON"

    def recognises(self, text: str) -> bool:
        """Return whether a text begins as JSON that has modes or species."""
        return text.lstrip()[:1] == "{" and ('"modes"' in text or '"species"' in text)

    def read_source(self, source: SourceFile) -> tuple[Species, ...]:
        """Return the species of a document."""
        if '"species"' in source.text:
            return LibraryDocument.model_validate_json(source.text).species
        return (Species.model_validate_json(source.text),)
