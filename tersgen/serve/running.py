"""Running the server: its socket, its token, its start and end."""

import errno
import logging
import secrets
import socket
from collections.abc import Callable
from pathlib import Path
from types import FrameType

import uvicorn

from ..errors import ConfigError, OutputError
from ..files import why
from ..text import printable
from .app import create_app
from .folder import Folder
from .server import Server, Settings, make_server


def listen(host: str, port: int) -> socket.socket:
    """Return a socket that listens."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # asyncio turns Nagle's delay of 40 ms off only where the protocol is named
    sock = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        sock.bind((host, port))
        sock.listen(1024)
    except socket.gaierror:
        sock.close()
        raise ConfigError(f"--host: expected an address of this machine, got {host!r}") from None
    except OSError as error:
        sock.close()
        reason = "is in use" if error.errno == errno.EADDRINUSE else why(error)
        raise OutputError(
            f"port {port} of {host} {reason}; choose another with --port, or --port 0 for any"
        ) from None
    return sock


def serve(
    root: Path,
    settings: Settings,
    host: str,
    port: int,
    token: str | None,
    say: Callable[[str, str | None], None],
) -> None:
    """Serve a folder until a signal ends it.

    Parameters
    ----------
    root
        The folder.
    settings
        How the server works.
    host, port
        Where it listens; port 0 is any.
    token
        The owner's token; a new one if None.
    say
        Called with the URL, and with the token if it is new, when the server listens.
    """
    folder = Folder(root)
    with folder.held():
        sock = listen(host, port)
        secret = token or secrets.token_urlsafe(32)
        server = make_server(folder, secret, settings)
        logging.basicConfig(level=logging.WARNING, format="%(levelname)s: %(message)s")
        for name in folder.left_out():
            logging.warning(
                "%s is not served: expected a name of up to 64 letters, digits and ._-; rename it",
                printable(name),
            )
        config = uvicorn.Config(
            create_app(server), log_config=None, access_log=False, server_header=False,
            timeout_graceful_shutdown=3, limit_concurrency=1000,
        )  # fmt: skip
        running = _Running(config, server)
        shown = f"[{host}]" if ":" in host else host
        say(f"http://{shown}:{sock.getsockname()[1]}/", None if token else secret)
        server.builder.start()
        try:
            running.run(sockets=[sock])
        finally:
            server.stopping.set()
            server.builder.stop()
            server.database.close()


class _Running(uvicorn.Server):
    """Ends streams of events when a signal comes, so that the server does not wait for them."""

    def __init__(self, config: uvicorn.Config, server: Server) -> None:
        super().__init__(config)
        self._server = server

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Begin to end."""
        self._server.stopping.set()
        super().handle_exit(sig, frame)
