"""The recipe: everything that determines the values of a dataset, and nothing else.

Its sections are the settings of the effects; its library is the species. Shard sizes, codecs,
threads and executors are not in it. A recipe that holds its library is *resolved*: each of its
samples is a pure function of its index. It is stored without settings that have their default
values, and names its library by digest.
"""

from collections.abc import Sequence
from typing import Any, Self

from pydantic import model_validator

from .effects.sections import GENERATOR_VERSION as GENERATOR_VERSION
from .effects.sections import Sections
from .library.random_prior import RandomClasses
from .schema.base import field
from .schema.digest import without_defaults
from .schema.library import Library
from .schema.loading import ExplainedErrors
from .schema.plugin import PluginRecord
from .schema.presets import merged
from .schema.species import LibraryReference, Species
from .schema.tipfield import TipField

FORMER_DEFAULTS: dict[int, dict[str, Any]] = {}
"""Defaults of earlier versions of the generator that have changed since: a table for each."""


_WITHOUT_PRECISION = {"fields": {"precision": "float16"}}
"""What a resolved recipe without a precision has: all of them had, before there were others."""


class Recipe(Sections, metaclass=ExplainedErrors):
    """Everything that determines the values of a dataset: recipe and index give a sample."""

    library: tuple[str, ...] | LibraryReference | Library = field(
        'sources of species: a built-in group ("builtin", "gfn", "crystals", "measured", '
        '"positions"), "builtin:NAME", "random:K", "unknown:K" (K random species that share the '
        'class "unknown") or a file; in a stored recipe the digest of the library file next to it; '
        "or the species themselves",
        "1",
        ("builtin",),
    )
    plugins: tuple[str, ...] | tuple[PluginRecord, ...] = field(
        "user modules to import, by name or path of a .py file; in a stored recipe the plug-ins "
        "that its values depend on",
        "1",
        (),
    )
    random: RandomClasses = field("prior of random species", "1", RandomClasses())

    @property
    def document(self) -> dict[str, Any]:
        """The recipe as stored: what differs from the defaults of its generator."""
        former = FORMER_DEFAULTS.get(self.generator, {})
        if self.is_resolved:
            former = merged(former, _WITHOUT_PRECISION)
        return {"generator": self.generator, **without_defaults(self, former)}

    @property
    def is_resolved(self) -> bool:
        """Whether the recipe determines every row: it holds its library and all that follows."""
        fixed = all(section.is_resolved for section in self.sections.values())
        fixed = fixed and not any(isinstance(one, str) for one in self.plugins)
        fixed = fixed and None not in (self.fields.n_modes, self.fields.precision)
        return isinstance(self.library, Library) and fixed

    @property
    def held_library(self) -> Library:
        """The library of a resolved recipe.

        Raises
        ------
        ValueError
            If the recipe names library sources.
        """
        if not isinstance(self.library, Library):
            raise ValueError("expected a resolved recipe, got one that names library sources")
        return self.library

    @property
    def tip_field(self) -> TipField | None:
        """The field on a grid that a resolved recipe holds; None if it has none."""
        found = None if self.nearfield is None else self.nearfield.grid_field
        return found if isinstance(found, TipField) else None

    def holding(self, field: TipField | None) -> Self:
        """Return the recipe with a field on a grid in place of its digest; None changes nothing."""
        if field is None or self.nearfield is None:
            return self
        near = self.nearfield.model_copy(update={"grid_field": field})
        return self.model_copy(update={"nearfield": near})

    @property
    def species(self) -> Sequence[Species]:
        """The species of a resolved recipe, in label order."""
        return self.held_library

    @property
    def class_names(self) -> tuple[str, ...]:
        """Class names of a resolved recipe, in label order."""
        return self.held_library.class_names

    @property
    def library_digest(self) -> str:
        """BLAKE3 digest of the library of a resolved recipe."""
        return self.held_library.digest

    @model_validator(mode="before")
    @classmethod
    def _former_defaults(cls, data: Any) -> Any:
        """Fill in defaults that differ in the recipe's own version of the generator."""
        if isinstance(data, dict) and data.get("generator") in FORMER_DEFAULTS:
            return merged(FORMER_DEFAULTS[data["generator"]], data)
        return data

    @model_validator(mode="before")
    @classmethod
    def _stored_precision(cls, data: Any) -> Any:
        """Fill in the precision of a resolved recipe, in which it is never left to be chosen."""
        if not isinstance(data, dict):
            return data
        fields, library = data.get("fields"), data.get("library")
        holds_library = isinstance(library, dict | Library | LibraryReference)
        if holds_library and isinstance(fields, dict) and fields.get("n_modes") is not None:
            return merged(_WITHOUT_PRECISION, data)
        return data

    @model_validator(mode="after")
    def _has_library(self) -> Self:
        if isinstance(self.library, tuple) and not self.library:
            raise ValueError("library: expected at least one source, got none")
        return self
