"""Base of all models: frozen, closed, each field with a unit and a description."""

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, JsonValue


class Frozen(BaseModel):
    """Base of all models: immutable, unknown fields are errors, numbers are finite."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", allow_inf_nan=False, validate_default=True
    )


class Document(Frozen):
    """Base of the documents of a dataset; fields that a newer version has added are ignored.

    Digests cover them all the same. A change of the meaning of values raises the format version.
    """

    model_config = ConfigDict(extra="ignore")


def field(description: str, unit: str, default: Any = ..., **constraints: Any) -> Any:
    """Declare a model field that carries its unit (``"1"`` for a pure number or a name)."""
    extra: dict[str, JsonValue] = {"unit": unit}
    return Field(default, description=description, json_schema_extra=extra, **constraints)


LIBRARY = "library.tlib"
"""File with the library of a stored recipe, next to it."""

TIP_FIELD = "tip_field.npz"
"""File with the field on a grid of a stored recipe, next to it."""

MODEL = "model:"
"""How a recipe names the tip field of a plug-in, in place of a file."""

NAME = r"^[A-Za-z0-9][A-Za-z0-9 _.+(),:-]*$"
FILE_STEM = r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}"
"""Name of a tag or a split within the name of its file."""
TAG_NAME = r"^[A-Za-z0-9][A-Za-z0-9._-]*$"
FILE_NAME = rf"^{FILE_STEM}$"
PART_NAME = r"^[a-z][a-z0-9_-]{0,31}$"
EFFECT_NAME = r"^[a-z][a-z0-9_]{0,31}$"
DIGEST = r"^[0-9a-f]{64}$"
IN_WORDS = {
    NAME: "letters, digits, blanks and any of _.+(),:- with a letter or digit first",
    TAG_NAME: "letters, digits and any of ._- with a letter or digit first",
    FILE_NAME: "at most 64 letters, digits and any of ._- with a letter or digit first",
    PART_NAME: "at most 32 lower-case letters, digits and any of _- with a letter first",
    EFFECT_NAME: "at most 32 lower-case letters, digits and _ with a letter first",
    DIGEST: "64 hexadecimal digits, 0 to 9 and a to f",
}
"""The patterns of names in words, for messages."""

Name = Annotated[str, Field(min_length=1, max_length=64, pattern=NAME)]
"""A name that is safe in a file, a terminal and a page."""
Text = Annotated[str, Field(max_length=200, pattern=r"^[ -~]*$")]
"""Printable ASCII: safe in a terminal."""
