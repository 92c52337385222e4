"""The explorer, and whether the server is there."""

from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable

from fastapi import APIRouter, Response

from ... import __version__
from ..folder import UnknownNameError

router = APIRouter(tags=["explorer"])

_TYPES = {
    "html": "text/html; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "css": "text/css; charset=utf-8",
    "svg": "image/svg+xml",
    "png": "image/png",
    "ico": "image/x-icon",
    "json": "application/json",
    "map": "application/json",
    "woff2": "font/woff2",
    "txt": "text/plain; charset=utf-8",
}
_NO_EXPLORER = b"""<!doctype html><html lang="en"><meta charset="utf-8"><title>tersgen</title>
<h1>tersgen</h1>
<p>This installation does not contain the explorer. The service works:
<a href="/api/v1/datasets">datasets</a>, <a href="/api/v1/recipes">recipes</a>,
<a href="/api/v1/openapi.json">OpenAPI</a>.</p></html>
"""


@cache
def _bundle() -> dict[str, Traversable]:
    """Return the files of the explorer by path."""
    found: dict[str, Traversable] = {}

    def walk(place: Traversable, prefix: str) -> None:
        for entry in place.iterdir():
            if entry.is_dir():
                walk(entry, f"{prefix}{entry.name}/")
            elif entry.name.rpartition(".")[2] in _TYPES:
                found[prefix + entry.name] = entry

    place = files("tersgen.serve") / "explorer"
    if place.is_dir():
        walk(place, "")
    return found


def _answer(path: str) -> Response:
    kind = _TYPES[path.rpartition(".")[2]]
    return Response(
        _bundle()[path].read_bytes(), media_type=kind, headers={"Cache-Control": "no-cache"}
    )


@router.get("/api/v1/health")
def health() -> dict[str, str]:
    """Return that the server is there, and its version; needs no token."""
    return {"status": "ok", "version": __version__}


@router.get("/", response_class=Response, include_in_schema=False)
def explorer() -> Response:
    """Return the page of the explorer."""
    if "index.html" in _bundle():
        return _answer("index.html")
    return Response(_NO_EXPLORER, media_type=_TYPES["html"])


@router.get("/app/{path:path}", response_class=Response, include_in_schema=False)
def asset(path: str) -> Response:
    """Return a file of the explorer."""
    if f"app/{path}" not in _bundle():
        raise UnknownNameError(f"/app: expected a file of the explorer, got {path!r:.80}")
    return _answer(f"app/{path}")
