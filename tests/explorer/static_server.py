"""A static host, as a bucket is one: files of a folder, and ranges of them."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from ..file_response import file_response

POLICY = "default-src 'self'"


class Host(NamedTuple):
    """A host that runs."""

    url: str
    sent: list[tuple[str, int]]
    """Path and bytes of each answer."""


@contextmanager
def hosted(folders: dict[str, Path], has_ranges: bool = True) -> Iterator[Host]:
    """Yield a host of folders by name; the one named "" is at the root."""
    serving = pytest.importorskip("werkzeug.serving")
    from werkzeug.wrappers import Request, Response

    sent: list[tuple[str, int]] = []

    def answer(environ: dict[str, Any], start: Any) -> Any:
        request = Request(environ)
        name, _, rest = request.path.lstrip("/").partition("/")
        path = folders[name] / rest if name in folders else folders[""] / name / rest
        if not has_ranges:
            environ.pop("HTTP_RANGE", None)
        if not path.is_file():
            return Response(status=404)(environ, start)
        response = file_response(path, environ, has_ranges)
        response.headers["Content-Security-Policy"] = POLICY
        sent.append((request.full_path.removesuffix("?"), response.content_length or 0))
        return response(environ, start)

    class Quiet(serving.WSGIRequestHandler):
        protocol_version = "HTTP/1.1"

        def log(self, *_: object) -> None:
            pass

    server = serving.make_server("127.0.0.1", 0, answer, threaded=True, request_handler=Quiet)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield Host(f"http://127.0.0.1:{server.server_port}", sent)
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
