"""What every model shares: frozen, closed, and each field with a unit and a description."""

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, JsonValue


class Frozen(BaseModel):
    """Base of all models: immutable, unknown fields are errors, numbers are finite."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", allow_inf_nan=False, validate_default=True
    )


def field(description: str, unit: str, default: Any = ..., **constraints: Any) -> Any:
    """Declare a model field that carries its unit (``"1"`` for a pure number or a name)."""
    extra: dict[str, JsonValue] = {"unit": unit}
    return Field(default, description=description, json_schema_extra=extra, **constraints)


Name = Annotated[
    str,
    Field(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9][A-Za-z0-9 _.+(),:-]*$"),
]
"""A name that is safe in a file, a terminal and a page."""
