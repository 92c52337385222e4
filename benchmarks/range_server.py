"""A server on loopback that answers the reads of S3 as fast as Python can: GET and HEAD of ranges.

``python range_server.py FOLDER`` serves ``FOLDER/KEY`` as ``/BUCKET/KEY``, by sendfile. It shows
what a reader can take where the server is not the bound; it has no other part of S3.
"""

import os
import re
import socket
import socketserver
import sys
from email.utils import formatdate
from pathlib import Path
from urllib.parse import unquote

_RANGE = re.compile(rb"\r\nrange: bytes=([0-9]*)-([0-9]*)", re.IGNORECASE)


class Handler(socketserver.StreamRequestHandler):
    """Answers the requests of one connection."""

    disable_nagle_algorithm = True

    def handle(self) -> None:
        """Answer until the client goes."""
        while True:
            head = bytearray()
            while not head.endswith(b"\r\n\r\n"):
                line = self.rfile.readline()
                if not line:
                    return
                head += line
            self.answer(bytes(head))

    def answer(self, head: bytes) -> None:
        """Answer one request."""
        method, target = head.split(b" ", 2)[:2]
        key = unquote(target.decode().split("?")[0]).lstrip("/").partition("/")[2]
        try:
            descriptor = os.open(ROOT / key, os.O_RDONLY)
        except OSError:
            self.wfile.write(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")
            return
        try:
            facts = os.fstat(descriptor)
            start, stop, status = 0, facts.st_size, "200 OK"
            match = _RANGE.search(head)
            if match is not None:
                status = "206 Partial Content"
                if not match[1]:
                    start = max(0, facts.st_size - int(match[2]))
                else:
                    start = int(match[1])
                    stop = min(stop, int(match[2]) + 1) if match[2] else stop
            lines = [
                f"HTTP/1.1 {status}",
                f"Content-Length: {stop - start}",
                f'ETag: "{facts.st_ino:x}-{facts.st_size:x}-{facts.st_mtime_ns:x}"',
                f"Last-Modified: {formatdate(facts.st_mtime, usegmt=True)}",
            ]
            if match is not None:
                lines.append(f"Content-Range: bytes {start}-{stop - 1}/{facts.st_size}")
            self.wfile.write(("\r\n".join(lines) + "\r\n\r\n").encode())
            while method == b"GET" and start < stop:
                start += os.sendfile(self.connection.fileno(), descriptor, start, stop - start)
        finally:
            os.close(descriptor)


class Server(socketserver.ThreadingTCPServer):
    """A thread for each connection."""

    daemon_threads = True
    request_queue_size = socket.SOMAXCONN


if __name__ == "__main__":
    ROOT = Path(sys.argv[1])
    with Server(("127.0.0.1", 0), Handler) as server:
        print(f"Running on http://127.0.0.1:{server.server_address[1]}", flush=True)
        server.serve_forever()
