"""What the tests need of servers on loopback: a proxy with faults, and a web server of files."""

import http.client
import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import NamedTuple

from ..file_response import file_response

TOKEN = "a-token"


class Asked(NamedTuple):
    """A request, as the proxy saw it."""

    method: str
    path: str
    range: str


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # or each answer waits 40 ms
    server: "Proxy"

    def log_message(self, *_):
        pass

    def _pass_on(self):
        asked = Asked(self.command, self.path, self.headers.get("Range", ""))
        body = self._body()
        fault = self.server.fault(asked)
        if fault == "503":
            self._answer(503, {}, b"slow down")
            return
        connection = http.client.HTTPConnection("127.0.0.1", self.server.upstream, timeout=30)
        headers = {k: v for k, v in self.headers.items() if k.lower() != "transfer-encoding"}
        connection.connect()
        connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.request(self.command, self.path, body, headers)
        answer = connection.getresponse()
        content = answer.read()
        connection.close()
        if fault == "lost":  # it was done, and nobody hears of it
            self.close_connection = True
            return
        found = {
            k: v for k, v in answer.getheaders()
            if k.lower() not in ("connection", "transfer-encoding", "date", "server")
        }  # fmt: skip
        if fault == "torn":
            content = content[: len(content) // 2]
            found["Content-Length"] = str(2 * len(content) + 1)
        if fault == "flipped" and content:
            content = bytes([content[0] ^ 1]) + content[1:]
        self._answer(answer.status, found, content, slow=fault == "slow")
        if fault == "torn":
            self.close_connection = True

    def _body(self):
        length = int(self.headers.get("Content-Length", 0))
        return self.rfile.read(length) if length else None

    def _answer(self, status, headers, content, slow=False):
        self.send_response(status)
        if "content-length" not in {name.lower() for name in headers}:
            headers["Content-Length"] = str(len(content))
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command == "HEAD":
            return
        for first in range(0, len(content), 4096) if slow else [0]:
            with suppress(ConnectionError):
                self.wfile.write(content[first : first + 4096] if slow else content)
            if slow:
                time.sleep(0.002)


for _method in ("GET", "PUT", "HEAD", "POST", "DELETE"):
    setattr(_Handler, f"do_{_method}", _Handler._pass_on)


class Proxy(ThreadingHTTPServer):
    """Passes requests on to a server; ``rule`` says what goes wrong with which of them."""

    daemon_threads = True

    def __init__(self, upstream: int) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.upstream = upstream
        self.asked: list[Asked] = []
        self.rule: Callable[[Asked], str | None] = lambda _: None
        self.url = f"http://127.0.0.1:{self.server_port}"
        self._lock = threading.Lock()

    def handle_error(self, request, client_address):
        pass  # the client has gone

    def fault(self, asked: Asked) -> str | None:
        """Take down a request, and return what goes wrong with it."""
        with self._lock:
            self.asked.append(asked)
            return self.rule(asked)

    def begin(self) -> None:
        """Forget what was asked, and let nothing go wrong."""
        self.asked, self.rule = [], lambda _: None


def some(fault: str, every: int, method: str = "GET") -> Callable[[Asked], str | None]:
    """Return a rule by which every so manieth request of a method has a fault."""
    counted = [0]

    def rule(asked: Asked) -> str | None:
        if asked.method != method:
            return None
        counted[0] += 1
        return fault if counted[0] % every == 0 else None

    return rule


def web_app(root: Path):
    """Return a WSGI application that serves the files in a folder to those with the token."""
    from werkzeug.wrappers import Request, Response

    def answer(environ, start_response):
        request = Request(environ)
        path = root / request.path.lstrip("/")
        if request.headers.get("Authorization") != f"Bearer {TOKEN}":
            response = Response("no token", 401)
        elif ".." in request.path or not path.is_file():
            response = Response("not found", 404)
        else:
            response = file_response(path, environ)
        return response(environ, start_response)

    return answer
