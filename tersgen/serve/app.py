"""The application: routes, the checks before them, and errors as one line of JSON."""

import logging

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp

from .. import __version__
from ..errors import (
    BusyError,
    ConfigError,
    DamagedDataError,
    IncompleteDatasetError,
    LibraryError,
    NotSyntheticError,
    OutputError,
    RowIndexError,
    TersError,
    UnknownFieldError,
)
from ..text import printable
from .auth import Guard
from .folder import UnknownNameError
from .jobs import NotYoursError, QuotaError
from .recipes import TakenError
from .routes import data, datasets, jobs, libraries, pages, recipes, rows, runs, tokens, virtual
from .server import Server

_STATUS: tuple[tuple[type[TersError], int], ...] = (
    (UnknownNameError, 404),
    (TakenError, 409),
    (QuotaError, 403),
    (NotYoursError, 403),
    (BusyError, 409),
    (IncompleteDatasetError, 409),
    (NotSyntheticError, 409),
    (RowIndexError, 404),
    (UnknownFieldError, 422),
    (ConfigError, 422),
    (LibraryError, 422),
    (DamagedDataError, 500),
    (OutputError, 507),
)
"""The first that an error is an instance of decides; others are 500."""

_LONGEST_LINE = 2000

_log = logging.getLogger("tersgen.serve")


def create_app(server: Server) -> ASGIApp:
    """Return the application of a server."""
    app = FastAPI(
        title="tersgen",
        version=__version__,
        summary="Synthetic tip-enhanced Raman datasets",
        openapi_url="/api/v1/openapi.json",
        docs_url=None,  # these pages load scripts from elsewhere
        redoc_url=None,
    )
    app.state.server = server
    for part in (pages, datasets, rows, recipes, libraries, jobs, runs, tokens, data, virtual):
        app.include_router(part.router)
    app.add_exception_handler(TersError, _on_error)
    app.add_exception_handler(RequestValidationError, _on_invalid)
    app.add_exception_handler(HTTPException, _on_refused)
    app.add_exception_handler(Exception, _on_fault)
    return Guard(app, server.tokens, server.settings.hosts)


def _answer(status: int, text: str, **more: object) -> JSONResponse:
    line = printable(" ".join(text.split()))
    if len(line) > _LONGEST_LINE:  # such as a long name that was asked for
        line = f"{line[: _LONGEST_LINE // 2]} ... {line[-_LONGEST_LINE // 4 :]}"
    return JSONResponse({"error": line, **more}, status)


async def _on_error(_: Request, error: Exception) -> JSONResponse:
    """Answer with the line that the command line would show."""
    status = next((number for kind, number in _STATUS if isinstance(error, kind)), 500)
    if status >= 500:
        _log.warning("%s", error)
    text = str(error)
    field = _field_of(text)
    return _answer(status, text, **({"field": field} if field and status == 422 else {}))


def _field_of(text: str) -> str | None:
    """Return the field of a recipe that a message names.

    >>> _field_of("recipe: grid.n_points: expected 2 or more, got 1")
    'grid.n_points'
    """
    parts = text.split(": ")
    name = parts[1] if parts[0] in ("recipe", "request") and len(parts) > 2 else parts[0]
    return name if name.replace(".", "").replace("_", "").isalnum() else None


async def _on_invalid(_: Request, error: Exception) -> JSONResponse:
    """Answer a request whose parameters or body are not what was expected, in one line."""
    assert isinstance(error, RequestValidationError)
    first, *others = error.errors()
    name = ".".join(str(part) for part in first["loc"][1:]) or "body"
    got = repr(first.get("input"))[:80]
    more = f" (and {len(others)} more)" if others else ""
    text = first["msg"].replace("Input should be", "expected")
    return _answer(422, f"{name}: {text}, got {got}{more}", field=name)


async def _on_refused(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    answer = _answer(error.status_code, str(error.detail))
    answer.headers.update(error.headers or {})
    return answer


async def _on_fault(_: Request, __: Exception) -> JSONResponse:
    """Answer without details, which the log has."""
    return _answer(500, "the server failed to answer this request; its log says more")
