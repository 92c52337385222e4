"""Tokens: kept as hashes, with rights and quotas; and the checks that every request passes."""

import hashlib
import json
import secrets
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import parse_qs, quote, unquote

from fastapi import Depends, HTTPException, Request
from pydantic import Field
from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse, RedirectResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ..dataset.output_file import replace_file
from ..dataset.versions import now
from ..errors import ConfigError
from ..schema.base import Frozen, field
from ..schema.loading import validate_text
from ..text import not_among
from .folder import NAME

Right = Literal["read", "submit", "admin"]
RIGHTS: tuple[Right, ...] = ("read", "submit", "admin")
"""Each includes those before it."""
COOKIE = "tersgen_token"
OWNER = "owner"
"""Name of the token that the server prints when it starts."""
_LARGEST_BODY = 1 << 20
_LARGEST_UPLOAD = 64 << 20
_POLICY = "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
"""No script, style, font or connection from elsewhere."""
_HEADERS = {
    "Content-Security-Policy": _POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
}
_OPEN = ("/api/v1/health", "/", "/favicon.ico")


class Token(Frozen):
    """What a token allows; the token itself is not kept."""

    name: Annotated[str, Field(pattern=NAME)] = field("name", "1")
    sha256: str = field("SHA-256 of the token", "1", pattern=r"^[0-9a-f]{64}$")
    right: Right = field("what it allows: read, submit (and read) or admin (everything)", "1")
    bytes: float | None = field("most bytes of its datasets, by estimate", "byte", None, ge=0)
    hours: float | None = field("most hours of building, by estimate", "h", None, ge=0)
    created: str = field("time, ISO 8601, UTC", "1")


def _digest(token: str) -> str:
    # tokens are 256 random bits: a slow hash would protect nothing more
    return hashlib.sha256(token.encode()).hexdigest()


class Tokens:
    """The tokens that a server accepts: the owner's, and those in a folder.

    Parameters
    ----------
    folder
        Has a file for each token.
    owner
        The owner's token, not stored.
    """

    def __init__(self, folder: Path, owner: str) -> None:
        self._folder = folder
        self._lock = threading.Lock()
        self._known: dict[str, Token] = {}
        self._add(Token(name=OWNER, sha256=_digest(owner), right="admin", created=now()))
        for path in sorted(folder.glob("*.json")):
            self._add(validate_text(Token, path.read_text("utf-8"), str(path)))

    def _add(self, token: Token) -> None:
        self._known[token.sha256] = token

    def find(self, token: str) -> Token | None:
        """Return what a token allows; None for an unknown one."""
        return self._known.get(_digest(token))

    def all(self) -> list[Token]:
        """Return all tokens, by name."""
        return sorted(self._known.values(), key=lambda one: one.name)

    def make(self, name: str, right: Right, n_bytes: float | None, hours: float | None) -> str:
        """Return a new token, of which only the hash is kept."""
        secret = secrets.token_urlsafe(32)
        token = Token(
            name=name, sha256=_digest(secret), right=right, bytes=n_bytes, hours=hours,
            created=now(),
        )  # fmt: skip
        with self._lock:
            if any(one.name == name for one in self._known.values()):
                raise ConfigError(f"name: expected a new one, got {name!r}, which has a token")
            text = json.dumps(token.model_dump(mode="json")).encode() + b"\n"
            replace_file(self._folder / f"{name}.json", text)
            self._add(token)
        return secret

    def remove(self, name: str) -> None:
        """Accept a token no longer."""
        with self._lock:
            names = {one.name: one for one in self._known.values() if one.name != OWNER}
            if name not in names:
                raise ConfigError(f"token: {not_among(name, names)}")
            (self._folder / f"{name}.json").unlink(missing_ok=True)
            del self._known[names[name].sha256]


class Guard:
    """Middleware that checks host, origin, size and token of every request.

    Parameters
    ----------
    app
        What answers requests that pass.
    tokens
        Those that are accepted.
    hosts
        Names that the Host header may have: a page elsewhere whose name was made to point here
        (DNS rebinding) has another one.
    """

    def __init__(self, app: ASGIApp, tokens: Tokens, hosts: Sequence[str]) -> None:
        self._app = app
        self._tokens = tokens
        self._hosts = frozenset(one.lower() for one in hosts)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or have it answered."""
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self._app(scope, receive, send)
            return

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers.setdefault(name, value)
                headers.setdefault("Cache-Control", "no-store")
            await send(message)

        answer = self._refused(scope)
        if answer is not None:
            await answer(scope, receive, send_guarded)
            return
        await self._app(scope, _bounded(scope, receive), send_guarded)

    def _refused(self, scope: Scope) -> ASGIApp | None:
        """Return what answers a request that does not pass; None if it does."""
        headers = Headers(scope=scope)
        host = headers.get("host", "")
        if _host_name(host) not in self._hosts:
            return _error(
                421, f"Host header: expected one of {', '.join(sorted(self._hosts))}, got "
                f"{host!r:.80}; tersgen serve --host-name allows another",
            )  # fmt: skip
        origin = headers.get("origin")
        is_ours = origin is None or origin.partition("://")[2].lower() == host.lower()
        if not is_ours and scope["method"] not in ("GET", "HEAD"):
            return _error(403, f"Origin: expected a page of {host}, got {origin!r:.80}")
        length = headers.get("content-length", "0")
        largest = _largest(scope)
        if not length.isascii() or not length.isdigit() or int(length) > largest:
            return _error(413, f"body: expected at most {largest} bytes, got {length:.20}")
        return self._unknown(scope, headers)

    def _unknown(self, scope: Scope, headers: Headers) -> ASGIApp | None:
        """Return what answers a request without a valid token, or that sets the cookie."""
        path: str = scope["path"]
        if path == "/" and scope["query_string"].startswith(b"token="):
            given = parse_qs(scope["query_string"].decode("latin-1")).get("token", [""])[0]
            if self._tokens.find(given) is None:
                return _error(
                    401,
                    "token: expected one of this server, got another; open the URL that it printed",
                )
            answer = RedirectResponse("/", 303)
            answer.set_cookie(COOKIE, quote(given), httponly=True, samesite="strict")
            return answer
        if path in _OPEN or path.startswith("/app/"):
            return None
        kind, _, given = headers.get("authorization", "").partition(" ")
        if kind.lower() != "bearer":
            given = unquote(Request(scope).cookies.get(COOKIE, ""))
        token = self._tokens.find(given.strip()) if given else None
        if token is None:
            what = "another" if given else "none"
            return _error(
                401,
                f"token: expected one of this server, got {what}; send Authorization: Bearer TOKEN",
                {"WWW-Authenticate": "Bearer"},
            )
        scope["token"] = token
        return None


def _host_name(host: str) -> str:
    """Return a host without its port.

    >>> _host_name("[::1]:80"), _host_name("localhost:80"), _host_name("Localhost")
    ('[::1]', 'localhost', 'localhost')
    """
    name, colon, port = host.rpartition(":")
    return (name if colon and (port.isdigit() or not port) else host).lower()


def _largest(scope: Scope) -> int:
    is_upload = scope["path"].startswith("/api/v1/libraries/")
    return _LARGEST_UPLOAD if is_upload else _LARGEST_BODY


def _bounded(scope: Scope, receive: Receive) -> Receive:
    """Return what receives a body, and refuses one that is larger than it said."""
    left = _largest(scope)

    async def bounded() -> Message:
        nonlocal left
        message = await receive()
        left -= len(message.get("body", b""))
        if left < 0:
            raise HTTPException(413, f"body: expected at most {_largest(scope)} bytes, got more")
        return message

    return bounded


def _error(status: int, text: str, headers: dict[str, str] | None = None) -> JSONResponse:
    return JSONResponse({"error": text}, status, headers)


async def current_token(request: Request) -> Token:
    """Return what the token of a request allows."""
    token: Token = request.scope["token"]
    return token


def needs(right: Right) -> Any:
    """Return a dependency that refuses tokens without a right."""

    # not a plain function: those are called in another thread, which takes longer than this does
    async def check(token: Annotated[Token, Depends(current_token)]) -> Token:
        if RIGHTS.index(token.right) < RIGHTS.index(right):
            raise HTTPException(
                403, f"token {token.name}: expected one that may {right}, got one for {token.right}"
            )
        return token

    return Depends(check)
