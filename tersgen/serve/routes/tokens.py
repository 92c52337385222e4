"""Tokens for others, and who did what: for the owner."""

from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import Field

from ...schema.base import Frozen, field
from ..auth import Right, Token, needs
from ..folder import NAME
from ..server import Here

router = APIRouter(prefix="/api/v1", tags=["tokens"], dependencies=[needs("admin")])


class TokenRequest(Frozen):
    """Asks for a token."""

    name: Annotated[str, Field(pattern=NAME)] = field("who it is for", "1")
    right: Right = field(
        "what it allows: read, submit (and read) or admin (everything)", "1", "read"
    )
    bytes: float | None = field("most bytes of its datasets, by estimate", "byte", None, ge=0)
    hours: float | None = field("most hours of building, by estimate", "h", None, ge=0)


@router.get("/tokens")
def tokens(server: Here) -> list[dict[str, Any]]:
    """Return the tokens that the server accepts, without the tokens themselves."""
    return [one.model_dump(mode="json", exclude={"sha256"}) for one in server.tokens.all()]


@router.post("/tokens", status_code=201)
def make(
    server: Here, request: TokenRequest, token: Annotated[Token, needs("admin")]
) -> dict[str, str]:
    """Make a token, which is shown this once."""
    secret = server.tokens.make(request.name, request.right, request.bytes, request.hours)
    server.database.audit(token.name, "make token", request.name)
    return {"name": request.name, "token": secret}


@router.delete("/tokens/{name}", status_code=204)
def remove(server: Here, name: str, token: Annotated[Token, needs("admin")]) -> None:
    """Accept a token no longer."""
    server.tokens.remove(name)
    server.database.audit(token.name, "remove token", name)


@router.get("/audit")
def audit(
    server: Here, limit: Annotated[int, Query(ge=1, le=10_000)] = 1000
) -> list[dict[str, str]]:
    """Return what was done last: submitted, cancelled, stored; newest first."""
    return server.database.audited(limit)
