"""The document behind the rows of a dataset: its recipe, or what was measured.

A document is hashed as it is stored, and reading rows does not require understanding it.
"""

import json
from collections.abc import Callable
from functools import cached_property
from typing import Any

from pydantic import TypeAdapter, ValidationError

from ..effects.chain import axis_table, computed_table, coordinate_table, field_table
from ..errors import ConfigError
from ..recipe import GENERATOR_VERSION, Recipe
from ..schema.contents import Contents
from ..schema.digest import canonical_digest
from ..schema.fields import FieldSpec
from ..schema.library import Library
from ..schema.loading import validate
from ..schema.measured import Measured
from ..schema.measured_fields import measured_axes, measured_coordinates, measured_table
from ..schema.plugin import PluginRecord
from ..schema.tipfield import TipField

Basis = Recipe | Measured
"""What the rows of a dataset rest on."""


class StoredBasis:
    """A document that says what rows rest on.

    Parameters
    ----------
    content
        The document, parsed.
    library
        Returns the library that it names; None if it names none.
    origin
        What the document is called, for messages.
    tip_field
        Returns the field on a grid that it names; None if it names none.
    """

    def __init__(
        self,
        content: dict[str, Any],
        library: Callable[[], Library] | None,
        origin: str,
        tip_field: Callable[[], TipField] | None = None,
    ) -> None:
        self.content = content
        self._library = library
        self._origin = origin
        self._tip_field = tip_field

    @classmethod
    def of(cls, basis: Basis) -> "StoredBasis":
        """Return the document of a resolved recipe, or of measured rows."""
        library = tip_field = None
        if isinstance(basis, Recipe):
            held, near = basis.held_library, basis.tip_field
            library = lambda: held  # noqa: E731
            tip_field = None if near is None else lambda: near
        document = cls(basis.document, library, "recipe", tip_field)
        document.__dict__["basis"] = basis
        return document

    @property
    def is_measured(self) -> bool:
        """Whether the rows were measured."""
        return self.content.get("kind") == "measured"

    @cached_property
    def digest(self) -> str:
        """BLAKE3 digest of the canonical JSON of the document."""
        return canonical_digest(self.content)

    @property
    def library_digest(self) -> str:
        """Digest of the library that the document names; "" if it names none."""
        library = self.content.get("library")
        named = library.get("digest") if isinstance(library, dict) else None
        return named if isinstance(named, str) else ""

    @property
    def tip_field_digest(self) -> str:
        """Digest of the field on a grid that the document names; "" if it names none."""
        near = self.content.get("nearfield")
        named = near.get("grid_field") if isinstance(near, dict) else None
        digest = named.get("digest") if isinstance(named, dict) else None
        return digest if isinstance(digest, str) else ""

    @cached_property
    def tip_field(self) -> TipField | None:
        """The field on a grid that the document names."""
        return None if self._tip_field is None else self._tip_field()

    @property
    def effects(self) -> tuple[PluginRecord, ...]:
        """Parts from outside this package that change values whenever rows are made."""
        return self._records(self.content.get("plugins", ()))

    @property
    def plugins(self) -> tuple[PluginRecord, ...]:
        """All parts from outside this package that the values come from, each once."""
        pages = () if self.library is None else self.library.pages
        importers = [page["provenance"].get("importer") for page in pages]
        return tuple(
            dict.fromkeys(
                (
                    *self.effects,
                    *self._records(self.content.get("readers", ())),
                    *self._records([one for one in importers if one is not None]),
                )
            )
        )

    def _records(self, stored: Any) -> tuple[PluginRecord, ...]:
        table = TypeAdapter(tuple[PluginRecord, ...])
        try:
            return table.validate_python(stored)
        except ValidationError:
            raise ConfigError(f"{self._origin}: expected records of plug-ins, got others") from None

    @property
    def text(self) -> bytes:
        """The document as it is written."""
        return json.dumps(self.content, indent=1).encode() + b"\n"

    @cached_property
    def library(self) -> Library | None:
        """The library that the document names."""
        return None if self._library is None else self._library()

    @cached_property
    def basis(self) -> Basis:
        """The recipe, or what was measured, as this version of tersgen understands it."""
        model: type[Basis] = Measured if self.is_measured else Recipe
        try:
            found = validate(model, self.content, self._origin)
        except ConfigError as error:
            made = self.content.get("generator")
            needed = "".join(f", and with {one} ({one.remedy})" for one in self.effects)
            raise ConfigError(
                f"{error}; it is for generator {made!r:.20}, this version of tersgen has "
                f"{GENERATOR_VERSION}; its rows can be read, and rebuilt by the version that "
                f"wrote it{needed}"
            ) from None
        if isinstance(found, Recipe) and self.library is not None:
            return found.model_copy(update={"library": self.library}).holding(self.tip_field)
        return found


def contents_of(document: StoredBasis) -> Contents:
    """Return what this version of tersgen makes of a recipe, or of measured rows."""
    basis = document.basis
    if isinstance(basis, Measured):
        fields = measured_table(basis)
        computed: tuple[FieldSpec, ...] = ()
        axes, coordinates = measured_axes(basis), measured_coordinates(basis)
    else:
        fields, computed = field_table(basis), computed_table(basis)
        axes = axis_table(basis, fields + computed)
        coordinates = coordinate_table(basis, fields + computed)
    return Contents(
        kind="measured" if document.is_measured else "synthetic",
        fields=fields,
        axes=axes,
        classes=basis.class_names,
        recipe_digest=document.digest,
        library_digest=basis.library_digest,
        generator=basis.generator,
        seed=basis.seed,
        computed=computed,
        coordinates=coordinates,
    )
