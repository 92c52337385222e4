"""Who may do what, and what every request passes."""

import asyncio
import socket

import httpx
import pytest
from starlette.responses import PlainTextResponse

from tersgen.serve.auth import Guard, Tokens

from .conftest import TABLE, TOKEN

READ, SUBMIT, ADMIN = "read", "submit", "admin"


@pytest.fixture(scope="module")
def tokens(service):
    """Return a token for each right."""
    with service.client() as http:
        made = {
            right: http.post("/api/v1/tokens", json={"name": f"a-{right}", "right": right}).json()
            for right in (READ, SUBMIT, ADMIN)
        }
    return {right: one["token"] for right, one in made.items()}


@pytest.mark.parametrize(
    "url",
    ["/api/v1/datasets", "/api/v1/openapi.json", "/data/small.zarr/zarr.json", "/api/v1/nothing",
     "/virtual/canonical.zarr/zarr.json", "/api/v1/audit", "/nothing"],
)  # fmt: skip
def test_without_a_token_there_is_nothing(service, url):
    for token in (None, "wrong", f"{TOKEN}x", "\xe9", "a b"):
        with service.client(None) as http:
            header = {} if token is None else {"Authorization": f"Bearer {token}".encode("latin-1")}
            answer = http.get(url, headers=header)
        assert answer.status_code == 401
        assert answer.json()["error"].startswith("token: expected one of this server, got ")
        assert answer.headers["www-authenticate"] == "Bearer"


@pytest.mark.parametrize(
    ("method", "url", "body", "least"),
    [
        ("GET", "/api/v1/datasets", None, READ),
        ("POST", "/api/v1/preview", {"recipe": TABLE}, READ),
        ("PUT", "/api/v1/recipes/x", {"recipe": TABLE}, SUBMIT),
        ("POST", "/api/v1/jobs", {"recipe": TABLE, "n": 9, "name": "x"}, SUBMIT),
        ("POST", "/api/v1/jobs/0/cancel", None, SUBMIT),
        ("PUT", "/api/v1/libraries/x?ending=/", None, SUBMIT),
        ("GET", "/api/v1/tokens", None, ADMIN),
        ("POST", "/api/v1/tokens", {"name": "no name"}, ADMIN),
        ("GET", "/api/v1/audit", None, ADMIN),
    ],
)
def test_rights(service, tokens, method, url, body, least):
    rights = [READ, SUBMIT, ADMIN]
    for right in rights:
        with service.client(tokens[right]) as http:
            answer = http.request(method, url, json=body)
        if rights.index(right) < rights.index(least):
            assert answer.status_code == 403
            assert answer.json()["error"].startswith(f"token a-{right}: expected one that may")
        else:
            assert answer.status_code in (200, 201, 404, 422), answer.text


def test_tokens_are_kept_as_hashes_and_can_be_removed(service, http):
    secret = http.post("/api/v1/tokens", json={"name": "short"}).json()["token"]
    assert len(secret) > 40
    (file,) = (service.root / ".tersgen/tokens").glob("short.json")
    assert secret not in file.read_text()
    assert "sha256" not in http.get("/api/v1/tokens").text
    assert http.post("/api/v1/tokens", json={"name": "short"}).status_code == 422
    with service.client(secret) as other:
        assert other.get("/api/v1/datasets").status_code == 200
        assert http.delete("/api/v1/tokens/short").status_code == 204
        assert other.get("/api/v1/datasets").status_code == 401
    assert http.delete("/api/v1/tokens/owner").status_code == 422
    done = [(one["action"], one["subject"]) for one in http.get("/api/v1/audit").json()]
    assert done[:2] == [("remove token", "short"), ("make token", "short")]


def test_the_cookie_of_a_browser(service):
    with service.client(None) as browser:
        answer = browser.get(f"/?token={TOKEN}")
        assert (answer.status_code, answer.headers["location"]) == (303, "/")
        assert "HttpOnly" in answer.headers["set-cookie"]
        assert "SameSite=strict" in answer.headers["set-cookie"]
        assert browser.get("/api/v1/datasets").status_code == 200
        answer = browser.get("/?token=wrong")
        assert (answer.status_code, "set-cookie" in answer.headers) == (401, False)
    with service.client(None) as browser:  # nowhere else
        assert browser.get(f"/api/v1/datasets?token={TOKEN}").status_code == 401


@pytest.mark.parametrize("host", ["evil.example", "localhost.evil.example", "", "127.0.0.1.x:80"])
def test_other_hosts_are_refused(service, host):
    with service.client() as http:
        answer = http.get("/api/v1/health", headers={"Host": host})
    assert answer.status_code in (400, 421)


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "http://127.0.0.1:1"])
def test_pages_from_elsewhere_change_nothing(http, origin):
    answer = http.post("/api/v1/preview", json={"recipe": {}}, headers={"Origin": origin})
    assert answer.status_code == 403
    assert "access-control-allow-origin" not in http.get("/api/v1/datasets").headers


def test_pages_of_the_server_may(service, http):
    answer = http.post("/api/v1/preview", json={"recipe": TABLE}, headers={"Origin": service.url})
    assert answer.status_code == 200


def test_headers_and_page(http):
    answer = http.get("/")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/html")
    assert answer.headers["content-security-policy"].startswith("default-src 'self'")
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert http.get("/app/../__init__.py").status_code == 404
    assert http.get("/api/v1/openapi.json").json()["info"]["title"] == "tersgen"


def test_bodies_are_bounded(service, http):
    large = b" " * ((1 << 20) + 1)
    answer = http.post("/api/v1/preview", content=large)
    assert answer.status_code == 413
    chunks = (large[:1000] for _ in range(1100))  # says no size
    answer = http.post("/api/v1/preview", content=chunks)
    assert answer.status_code == 413, answer.text
    assert http.post("/api/v1/preview", content=b"[" * 100_000).status_code == 422


def test_what_is_no_request(service):
    host, port = service.url.removeprefix("http://").split(":")
    for text in (b"\0" * 100, b"GET / HTTP/9.9\r\n\r\n", b"GET /" + b"x" * 100_000):
        with socket.create_connection((host, int(port)), timeout=30) as connection:
            connection.sendall(text)
            connection.shutdown(socket.SHUT_WR)
            answer = b"".join(iter(lambda: connection.recv(4096), b""))
        assert answer.startswith(b"HTTP/1.1 4") or not answer


def test_tokens_of_any_letters(tmp_path):
    token = "+/=%20;,a b&\u20ac"

    async def answer(scope, receive, send):
        await PlainTextResponse(scope["token"].name)(scope, receive, send)

    async def ask():
        guard = Guard(answer, Tokens(tmp_path, token), ["test"])
        transport = httpx.ASGITransport(app=guard)
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as browser:
            await browser.get("/", params={"token": token})
            return (await browser.get("/api/v1/datasets")).text

    assert asyncio.run(ask()) == "owner"
