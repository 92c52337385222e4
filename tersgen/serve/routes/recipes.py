"""Recipes: stored ones, and a row of any, made at once."""

import base64
from collections.abc import Iterable
from typing import Annotated, Any

import numpy as np
from fastapi import APIRouter, Response
from pydantic import Field

from ...dataset.schemas import MODELS
from ...schema.base import Frozen, field
from ...schema.contents import Contents
from ...schema.fields import Axis, Coordinate
from ...schema.manifest import LARGEST_N
from ...store.encode import little_endian
from ..auth import needs
from ..ready import Ready
from ..recipes import N_VIRTUAL, StoredRecipe
from ..server import Here

router = APIRouter(prefix="/api/v1", tags=["recipes"], dependencies=[needs("read")])

RowNumber = Annotated[int, Field(ge=0, lt=LARGEST_N)]


class PreviewRequest(Frozen):
    """Asks for a row of a recipe."""

    recipe: dict[str, Any] = field("the recipe, as in a recipe file", "1")
    index: RowNumber = field("the row", "1", 0)


class RecipeRequest(Frozen):
    """A recipe to store."""

    recipe: dict[str, Any] = field("the recipe, as in a recipe file", "1")
    n_virtual: int = field("rows of its virtual dataset", "row", N_VIRTUAL, ge=1, le=LARGEST_N)


def _summary(server: Here, stored: StoredRecipe) -> dict[str, Any]:
    return {
        "name": stored.name,
        "digest": server.recipes.ready(stored).digest,
        "n_virtual": stored.n_virtual,
        "origin": stored.origin,
        "url": f"/virtual/{stored.name}.zarr",
    }


def _whole(server: Here, stored: StoredRecipe) -> dict[str, Any]:
    ready = server.recipes.ready(stored)
    return {
        **_summary(server, stored),
        "recipe": stored.table,
        "resolved": ready.document.content,
        "classes": ready.contents.classes,
        "fields": [spec.model_dump(mode="json") for spec in ready.contents.fields],
        "computed": [spec.model_dump(mode="json") for spec in ready.contents.computed],
        "axes": axes_content(ready.contents.axes),
        "coordinates": axes_content(ready.contents.coordinates),
        "warnings": ready.warnings,
    }


@router.get("/recipes")
def recipes(server: Here) -> list[dict[str, Any]]:
    """Return the recipes that the server knows: presets, and those that were stored."""
    return [_summary(server, stored) for stored in server.recipes.all().values()]


@router.get("/recipes/{name}")
def recipe(server: Here, name: str) -> dict[str, Any]:
    """Return a recipe as given and as resolved, with its fields, axes and classes."""
    return _whole(server, server.recipes.get(name))


@router.put("/recipes/{name}", dependencies=[needs("submit")], responses={201: {}, 409: {}})
def store_recipe(
    server: Here, name: str, request: RecipeRequest, response: Response
) -> dict[str, Any]:
    """Store a recipe under a new name; a stored one does not change."""
    stored, is_new = server.recipes.put(name, request.recipe, request.n_virtual)
    response.status_code = 201 if is_new else 200
    return _whole(server, stored)


@router.get("/schema")
def schema() -> dict[str, Any]:
    """Return the JSON Schema of a recipe."""
    return MODELS["recipe"].model_json_schema()


def axes_content(axes: Iterable[Axis | Coordinate]) -> dict[str, Any]:
    """Return the positions of axes, or coordinates along a dimension ``dim``, for JSON."""
    return {
        axis.name: {
            **({"dim": axis.dim} if isinstance(axis, Coordinate) else {}),
            "values": axis.points().tolist(),
            "unit": axis.unit,
            "description": axis.description,
        }
        for axis in axes
    }


def row_content(contents: Contents, index: int, values: dict[str, Any]) -> dict[str, Any]:
    """Return a row for JSON: numbers as such, arrays as base64 of little-endian bytes."""
    scalars, fields = {}, {}
    for spec in (*contents.fields, *contents.computed):
        value = np.asarray(values[spec.name])
        if value.ndim == 0:
            scalars[spec.name] = number(value[()])
            continue
        if value.dtype == np.float16:  # browsers have no arrays of these
            value = value.astype(np.float32)
        fields[spec.name] = {
            "dtype": value.dtype.name,
            "shape": value.shape,
            "dims": spec.dims,
            "unit": spec.unit,
            "data": base64.b64encode(little_endian(value).tobytes()).decode(),
        }
    return {
        "index": index,
        "species": contents.classes[int(values["label"])],
        "scalars": scalars,
        "axes": axes_content(contents.axes),
        "coordinates": axes_content(contents.coordinates),
        "fields": fields,
    }


def number(value: Any) -> int | float | None:
    """Return a number for JSON, which has none that is not finite."""
    value = value.item()
    return value if np.isfinite(value) else None


def make_row(ready: Ready, index: int) -> dict[str, Any]:
    """Return every field of a row of a recipe, those that are not stored included."""
    block = ready.whole.block(index, index + 1, 1)
    return {name: values[0] for name, values in block.items()}


@router.post("/preview")
def preview(server: Here, request: PreviewRequest) -> dict[str, Any]:
    """Return a row of a recipe, as a build would make it."""
    ready = server.ready.get(request.recipe)
    row = row_content(ready.contents, request.index, make_row(ready, request.index))
    return {**row, "warnings": ready.warnings, "recipe_digest": ready.digest}
