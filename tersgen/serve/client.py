"""Client of a server: ``tersgen.connect(url)``; needs no package besides tersgen's own."""

import json
import os
import re
import time
from collections.abc import Iterator, Mapping
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qs, quote, urlsplit

from ..dataset.dataset import Dataset
from ..dataset.recipes import RecipeLike, as_recipe
from ..errors import ConfigError, ServiceError
from ..library.builtin import GROUPS
from ..library.libraryfile import library_parts
from ..recipe import Recipe
from ..resolution import resolve
from ..schema.digest import without_defaults
from ..schema.library import Library
from .fetching import Fetch
from .job import FINAL, Job

_TIMEOUT_S = 60.0
_PATIENCE_S = 60.0
_LONGEST_LINE = 1 << 20
_SOURCES = re.compile(rf"{'|'.join(GROUPS)}|sites|(builtin|sites):.+|(random|unknown):[0-9]+")


def connect(url: str | None = None, token: str | None = None) -> "Client":
    """Return a client of a server.

    Parameters
    ----------
    url
        Such as ``http://127.0.0.1:8787``; the URL that ``tersgen serve`` prints, with its token,
        will do. By default that of ``TERSGEN_SERVER``.
    token
        By default that of the URL, or of ``TERSGEN_TOKEN``.

    Raises
    ------
    ConfigError
        If the URL is not what was expected, or there is no token.
    ServiceError
        If the server cannot be reached, or does not accept the token.
    """
    url = url or os.environ.get("TERSGEN_SERVER", "")
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ConfigError(
            f"server: expected a URL such as http://127.0.0.1:8787, got {url!r:.80}; pass it, or "
            "set TERSGEN_SERVER"
        )
    given = parse_qs(parts.query).get("token", [""])[0]
    token = token or given or os.environ.get("TERSGEN_TOKEN", "")
    if not token or not token.isascii() or not token.isprintable():
        raise ConfigError(
            f"token: expected that of the server, got {'another' if token else 'none'}; pass it, "
            "or set TERSGEN_TOKEN"
        )
    client = Client(f"{parts.scheme}://{parts.netloc}{parts.path.rstrip('/')}", token)
    client.datasets()
    return client


class Client:
    """A server, to read datasets from and to have them built by; made by :func:`connect`.

    Attributes
    ----------
    url
        Address of the server.
    """

    def __init__(self, url: str, token: str) -> None:
        self.url = url
        self._token = token

    def __repr__(self) -> str:
        """Return the address."""
        return f"<Client {self.url}>"

    def datasets(self) -> list[dict[str, Any]]:
        """Return the datasets of the server: name, rows, digest, classes, splits and more."""
        listed: list[dict[str, Any]] = self._json("GET", "/api/v1/datasets")
        return listed

    def open(self, name: str) -> Dataset:
        """Open a dataset of the server; rows are read from it as they are used.

        Raises
        ------
        DatasetError
            If there is no such dataset.
        """
        from ..dataset.opening import open as open_dataset

        return open_dataset(f"{self.url}/data/{quote(name)}", token=self._token)

    def submit(
        self,
        recipe: RecipeLike,
        n: int,
        name: str,
        *,
        priority: int = 0,
        executor: str = "threads",
    ) -> Job:
        """Have a dataset built; the same recipe and number of rows give the job that is there.

        Parameters
        ----------
        recipe
            A recipe, a mapping, the path of a recipe file, or the name of a preset. Species from
            files are read here and sent to the server.
        n
            Rows.
        name
            Name of the dataset, ending in .zarr or .h5.
        priority
            Higher ones are built first.
        executor
            Which of the server's executors builds it.

        Raises
        ------
        ConfigError, LibraryError
            If the recipe is not what was expected.
        ServiceError
            If the server refuses: the name is taken, a quota is full, there is no room.
        """
        body = {
            "recipe": self._sent(as_recipe(recipe)),
            **{"n": n, "name": name, "priority": priority, "executor": executor},
        }
        return Job.model_validate(self._json("POST", "/api/v1/jobs", body))

    def _sent(self, recipe: Recipe) -> dict[str, Any]:
        """Return a recipe as the server takes it; species from files are sent before."""
        sources = recipe.library
        if not (isinstance(sources, tuple) and all(map(_SOURCES.fullmatch, sources))):
            recipe = resolve(recipe)
        content = {"generator": recipe.generator, **without_defaults(recipe)}
        if isinstance(recipe.library, Library):
            content["library"] = [self._upload(recipe.library)]
        return content

    def _upload(self, library: Library) -> str:
        """Return the source of a library at the server, to which it is sent if need be."""
        name = library.digest[:32]
        known = self._json("GET", "/api/v1/libraries")
        if not any(one["name"] == name for one in known):
            content = b"".join(bytes(part) for part in library_parts(library))
            self._json("PUT", f"/api/v1/libraries/{name}?ending=tlib", content)
        return f"upload:{name}"

    def jobs(self) -> list[Job]:
        """Return the jobs of the server, newest first."""
        return [Job.model_validate(one) for one in self._json("GET", "/api/v1/jobs")]

    def job(self, job: Job | str) -> Job:
        """Return a job as it is now."""
        return Job.model_validate(self._json("GET", f"/api/v1/jobs/{_id(job)}"))

    def cancel(self, job: Job | str) -> Job:
        """End a job; what is built stays, and can be resumed."""
        return Job.model_validate(self._json("POST", f"/api/v1/jobs/{_id(job)}/cancel"))

    def resume(self, job: Job | str) -> Job:
        """Queue a job again that ended before its dataset was complete."""
        return Job.model_validate(self._json("POST", f"/api/v1/jobs/{_id(job)}/resume"))

    def watch(self, job: Job | str) -> Iterator[Job]:
        """Yield a job whenever it has changed, until it has ended; lost connections are renewed.

        Raises
        ------
        ServiceError
            If there is no such job, or the server is away for a minute.
        """
        last, end = "", time.monotonic() + _PATIENCE_S
        while True:
            try:
                with self._ask("GET", f"/api/v1/jobs/{_id(job)}/events", last=last) as answer:
                    if answer.status == 204:
                        return
                    for id, seen in _events(answer):
                        last = id
                        end = time.monotonic() + _PATIENCE_S
                        yield seen
                        if seen.state in FINAL:
                            return
            except ServiceError as error:
                if error.status or time.monotonic() > end:
                    raise
            except (OSError, HTTPException) as error:
                if time.monotonic() > end:
                    raise ServiceError(
                        f"{self.url}: expected the server to come back, got: {error}; no job "
                        "is lost: watch again later"
                    ) from None
            time.sleep(0.2)

    def fetch(self, dataset: Job | str, out: str | Path) -> Path:
        """Copy a dataset from the server to a new path; a copy that was stopped is continued.

        The copy is verified: every file against the checksums that the dataset has of it.

        Raises
        ------
        OutputError
            If the path exists, or cannot be written.
        DamagedDataError
            If what arrived is not what was sent.
        ServiceError
            If there is no such dataset, or the server is away.
        """
        name = dataset.dataset if isinstance(dataset, Job) else dataset
        facts = self._json("GET", f"/api/v1/datasets/{quote(name, safe='')}")
        files = self._json("GET", f"/api/v1/datasets/{quote(name, safe='')}/files")
        return Fetch(facts, Path(out)).run(files, self._ask)

    def _json(self, method: str, path: str, body: Mapping[str, Any] | bytes | None = None) -> Any:
        try:
            with self._ask(method, path, body) as answer:
                return json.loads(answer.read())
        except (OSError, HTTPException, ValueError) as error:
            if isinstance(error, ServiceError | ConfigError):
                raise
            raise ServiceError(
                f"{self.url}: expected an answer of tersgen, got: {error}; check the URL"
            ) from None

    def _ask(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | bytes | None = None,
        last: str = "",
    ) -> "Answer":
        """Return the answer to a request, to be read and closed.

        Raises
        ------
        ConfigError
            If the server says that the request is wrong.
        ServiceError
            If it refuses the request, or cannot be reached.
        """
        parts = urlsplit(self.url)
        kind = HTTPSConnection if parts.scheme == "https" else HTTPConnection
        connection = kind(parts.netloc, timeout=_TIMEOUT_S)
        headers = {"Authorization": f"Bearer {self._token}"}
        if last:
            headers["Last-Event-ID"] = last
        if isinstance(body, Mapping):
            headers["Content-Type"] = "application/json"
            body = json.dumps(body).encode()
        try:
            connection.request(method, parts.path + path, body, headers)
            response = connection.getresponse()
        except (OSError, HTTPException) as error:
            connection.close()
            raise ServiceError(
                f"{self.url}: expected a server of tersgen, got: {error or type(error).__name__}; "
                "check the URL, and whether the server runs"
            ) from None
        if response.status >= 400:
            with Answer(connection, response):
                raise _refusal(response)
        return Answer(connection, response)


class Answer:
    """An answer of a server; a context manager that closes its connection."""

    def __init__(self, connection: HTTPConnection, response: HTTPResponse) -> None:
        self._connection = connection
        self._response = response
        self.status = response.status

    def __enter__(self) -> Self:
        """Return the answer."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the connection."""
        self._response.close()
        self._connection.close()

    def read(self, most: int | None = None) -> bytes:
        """Return the body, or at most so many bytes of it."""
        return self._response.read(most)

    def readline(self) -> bytes:
        """Return a line of the body."""
        return self._response.readline(_LONGEST_LINE)


def _refusal(response: HTTPResponse) -> ServiceError | ConfigError:
    try:
        text = str(json.loads(response.read(1 << 16))["error"])
    except (ValueError, KeyError, TypeError, OSError, HTTPException):
        text = f"expected an answer of tersgen, got HTTP status {response.status}"
    return ConfigError(text) if response.status == 422 else ServiceError(text, response.status)


def _id(job: Job | str) -> str:
    return job.id if isinstance(job, Job) else quote(job, safe="")


def _events(answer: Answer) -> Iterator[tuple[str, Job]]:
    """Yield server-sent events: id and job."""
    id, data = "", ""
    while line := answer.readline():
        name, _, value = line.decode("utf-8").rstrip("\r\n").partition(": ")
        if name == "id":
            id = value
        elif name == "data":
            data = value
        elif not name and data:
            yield id, Job.model_validate_json(data)
            data = ""
