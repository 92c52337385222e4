"""``tersgen serve``."""

import shlex
from pathlib import Path

import click

from .common.messages import say
from .common.options import COUNT, FILE

_LOOPBACK = ("127.0.0.1", "localhost", "::1")


@click.command("serve")
@click.argument("root", type=FILE)
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", type=click.IntRange(0, 65535), default=8787, show_default=True,
              help="Port to listen on; 0 for any free one.")  # fmt: skip
@click.option("--host-name", "names", multiple=True, metavar="NAME",
              help="Host name by which clients reach the server; may be repeated.")  # fmt: skip
@click.option("--token-file", type=FILE,
              help="File with the owner's token.  [default: a new one at each start]")  # fmt: skip
@click.option("--jobs", "n_jobs", type=COUNT, default=1, show_default=True,
              help="Jobs that are built at the same time.")  # fmt: skip
@click.option("--executor", "executors", multiple=True, metavar="NAME=OPTIONS",
              help="Executor that clients may ask for, and the options that tersgen build then "
              "gets: cluster='--cluster slurm --workers 8'; may be repeated.")  # fmt: skip
@click.option(
    "--threads", type=COUNT, help="Threads of each build.  [default: one for each processor]"
)
@click.option("--cache-mb", type=COUNT, default=256, show_default=True,
              help="Megabytes of memory for generated rows of virtual datasets.")  # fmt: skip
def command(
    root: Path,
    host: str,
    port: int,
    names: tuple[str, ...],
    token_file: Path | None,
    n_jobs: int,
    executors: tuple[str, ...],
    threads: int | None,
    cache_mb: int,
) -> None:
    """Serve the datasets in the folder ROOT over HTTP, and build new ones there on request.

    Prints a URL with a token, to open in a browser. Whoever has this token may do everything that
    the server can.

    \b
    Examples:
      tersgen serve .
      tersgen serve /data --port 9000 --jobs 2
    """
    from ..serve.running import serve
    from ..serve.server import Settings

    if host not in _LOOPBACK:
        say(
            f"Warning: the server listens on {host} without encryption: others on the network can "
            "read tokens and data; put a proxy with TLS before it",
            err=True,
        )
    hosts = (*Settings().hosts, host, *names)
    settings = Settings(hosts, n_jobs, threads, _executors(executors), cache_mb << 20)
    serve(root, settings, host, port, _token_in(token_file), _show)


def _executors(given: tuple[str, ...]) -> dict[str, tuple[str, ...]]:
    """Return the options of ``tersgen build`` by the name of an executor."""
    found = {}
    for text in given:
        name, equals, options = text.partition("=")
        try:
            found[name] = tuple(shlex.split(options))
        except ValueError:
            equals = ""
        if not name.isalnum() or not equals:
            raise click.BadParameter(
                f"expected NAME=OPTIONS such as four='--workers 4', got {text!r}",
                param_hint="'--executor'",
            )
    return found


def _show(url: str, token: str | None) -> None:
    say(f"{url}?token={token}" if token else url)
    say("Ctrl-C stops the server", err=True)


def _token_in(path: Path | None) -> str | None:
    """Return the token in a file."""
    if path is None:
        return None
    from ..errors import ConfigError
    from ..schema.loading import read_text

    token = read_text(path, 1024).strip()
    if len(token) < 16 or not token.isprintable() or " " in token:
        raise ConfigError(
            f"{path}: expected a token of at least 16 characters without blanks; make one with: "
            "openssl rand -hex 32"
        )
    return token
