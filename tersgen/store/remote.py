"""Files of a dataset in an object store or on a web server, by obstore.

Where the store has them, a file is opened by a request for its last bytes: they come with its size
and ETag, and hold the table of its chunks, or all of a small file. Each later request asks for a
range of just that ETag: a file that was replaced meanwhile is an error, never a mix of both.
"""

import os
import random
import re
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import timedelta
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from ..bytefile import Room
from ..errors import (
    ChangedDataError,
    ConfigError,
    DamagedDataError,
    DatasetError,
    MissingExtraError,
)
from ..urls import RemotePath
from .disk_cache import BLOCK, DiskCache, size_in_bytes
from .sources import IN_FLIGHT

T = TypeVar("T")

_TAIL = 32 << 10
_WITH_TAILS = ("s3:", "gs:")
"""Azure has no requests for last bytes, and web servers refuse more than there are."""
_SMALL = 16 << 10
"""Reads of fewer bytes come in pieces of ``_TAIL``: HDF5 has many of them."""
_MOST_PIECES = 1024
_MOST_FILES = 16384
_TRIES = 3
"""Times that a body is asked for which arrives torn, or not at all."""
_LONGEST = 300
"""Characters of an error of a server that are shown."""
_ANSWER = re.compile("<Code>([^<]*)</Code> *<Message>([^<]*)</Message>")
_METADATA = ("/latest/api/token", "169.254.169.254", "metadata.google.internal")
_CHANGED = "it was changed after it was opened; open the dataset again"


class RemoteFile:
    """A file in an object store, of one size and ETag."""

    def __init__(self, source: "RemoteSource", inside: str, size: int, tag: str, tail: bytes):
        self._source = source
        self._inside = inside
        self.size = size
        self.tag = tag
        self._tail: bytes | None = tail

    @property
    def identity(self) -> Hashable:
        """Size and ETag."""
        return self.size, self.tag

    def read_into(self, offset: int, room: Room) -> None:
        """Fill ``room`` with the bytes at ``offset``."""
        stop = offset + len(room)
        if offset < 0 or stop > self.size:
            got = max(0, self.size - offset)
            raise DamagedDataError(f"expected {len(room)} bytes at {offset}, got {got}")
        tail = self._tail
        if tail is not None and offset >= self.size - len(tail):
            first = offset - self.size + len(tail)
            _fill(room, tail[first : first + len(room)])
            if len(tail) < self.size:
                self._tail = None  # it held the table of chunks, which is read once
        elif self._source.cache is not None and self.tag:
            self._read_cached(self._source.cache, offset, room)
        elif len(room) < _SMALL:
            self._read_pieces(offset, room)
        else:
            _fill(room, self._source.fetch(self._inside, self, offset, stop))

    def _read_pieces(self, offset: int, room: Room) -> None:
        stop = offset + len(room)
        for start in range(offset // _TAIL * _TAIL, stop, _TAIL):
            piece = self._source.piece(self._inside, self, start, min(start + _TAIL, self.size))
            low, high = max(offset, start), min(stop, start + _TAIL)
            _fill(room[low - offset : high - offset], piece[low - start : high - start])

    def _read_cached(self, cache: DiskCache, offset: int, room: Room) -> None:
        """Read the blocks that hold a range, from the disk if they are there."""
        stop = offset + len(room)
        numbers = range(offset // BLOCK, -(-stop // BLOCK))
        missing = []

        def put(start: int, block: Any) -> None:
            low, high = max(offset, start), min(stop, start + len(block))
            _fill(room[low - offset : high - offset], block[low - start : high - start])

        for number in numbers:
            start = number * BLOCK
            block = cache.get(self._key(number), min(BLOCK, self.size - start))
            if block is None:
                missing.append(number)
            else:
                put(start, block)
        for first, last in _runs(missing):
            start, end = first * BLOCK, min((last + 1) * BLOCK, self.size)
            data = memoryview(self._source.fetch(self._inside, self, start, end))
            for number in range(first, last + 1):
                block = bytes(data[number * BLOCK - start : (number + 1) * BLOCK - start])
                cache.put(self._key(number), block)
                put(number * BLOCK, block)

    def _key(self, number: int) -> str:
        return "\n".join((self._source.url, self._inside, self.tag, str(self.size), str(number)))


def _fill(room: Room, data: Any) -> None:
    room[:] = np.frombuffer(data, np.uint8)


def _runs(numbers: list[int]) -> list[tuple[int, int]]:
    """Return the first and last of each run of rising numbers without a gap."""
    runs: list[tuple[int, int]] = []
    for number in numbers:
        if runs and runs[-1][1] == number - 1:
            runs[-1] = runs[-1][0], number
        else:
            runs.append((number, number))
    return runs


class RemoteSource:
    """The files of a dataset below a URL; safe to use from many threads."""

    def __init__(self, path: RemotePath) -> None:
        options = path.options
        self.url = str(path).partition("?")[0]  # a query may hold a password
        token = options.token or os.environ.get("TERSGEN_TOKEN")
        self.store = object_store(str(path), token)
        self.cache = _cache(options.cache)
        self._files: OrderedDict[str, RemoteFile] = OrderedDict()
        self._pieces: OrderedDict[tuple[str, str, int], bytes] = OrderedDict()
        self._lock = threading.Lock()

    @cached_property
    def pool(self) -> ThreadPoolExecutor:
        """Threads that wait for requests."""
        return ThreadPoolExecutor(IN_FLIGHT, "tersgen-remote")

    @property
    def lists(self) -> bool:
        """Whether the files of a folder can be listed: a web server does not tell."""
        return not self.url.startswith("http")

    def open(self, inside: str) -> RemoteFile:
        """Open a file; one that was opened before is the same until it turns out to be changed."""
        file = self._files.get(inside)
        if file is None:
            file = self._open(inside)
            with self._lock:
                self._files[inside] = file
                if len(self._files) > _MOST_FILES:
                    self._files.popitem(last=False)
        return file

    def open_all(self, insides: list[str]) -> None:
        """Open files that will be asked for one by one, at once; one that is missing is left."""

        def attempt(inside: str) -> None:
            with suppress(DamagedDataError):
                self.open(inside)

        _check_process(self.url)
        missing = [inside for inside in insides if inside not in self._files]
        for _ in self.pool.map(attempt, missing):
            pass

    def _open(self, inside: str) -> RemoteFile:
        import obstore
        from obstore.exceptions import BaseError, GenericError

        def ask() -> RemoteFile:
            meta: Any = obstore.head(self.store, inside)
            return RemoteFile(self, inside, meta["size"], _tag(meta), b"")

        def ask_with_tail() -> RemoteFile:
            try:
                found = obstore.get(self.store, inside, options={"range": {"suffix": _TAIL}})
            except GenericError as error:
                try:
                    return ask()  # an empty file has no last bytes
                except BaseError:
                    raise error from None
            tail = bytes(found.bytes())
            expected = found.range[1] - found.range[0]
            if len(tail) != expected:
                raise _TornError(f"expected {expected} bytes, got {len(tail)}")
            return RemoteFile(self, inside, found.meta["size"], _tag(found.meta), tail)

        return self._tried(inside, ask_with_tail if self.url.startswith(_WITH_TAILS) else ask)

    def fetch(self, inside: str, file: RemoteFile, start: int, stop: int) -> Any:
        """Return a range of a file, which must still be the one that was opened."""
        import obstore
        from obstore.exceptions import PreconditionError

        options: Any = {"range": (start, stop)}
        if file.tag.startswith('"'):  # a weak one, or a time, is compared below
            options["if_match"] = file.tag

        def ask() -> Any:
            try:
                found = obstore.get(self.store, inside, options=options)
            except PreconditionError:
                raise ChangedDataError(_CHANGED) from None
            if (found.meta["size"], _tag(found.meta)) != (file.size, file.tag):
                raise ChangedDataError(_CHANGED)
            data = found.bytes()
            if len(data) != stop - start:
                raise _TornError(f"expected {stop - start} bytes at {start}, got {len(data)}")
            return data

        try:
            return self._tried(inside, ask)
        except DamagedDataError:
            with self._lock:
                self._files.pop(inside, None)
            raise

    def read_whole(self, inside: str, largest: int) -> bytes:
        """Return the content of a file in one request, which needs no server that knows ranges."""
        import obstore

        def ask() -> bytes:
            found = obstore.get(self.store, inside)
            size = found.meta["size"]
            if size > largest:
                raise DamagedDataError(f"expected at most {largest >> 20} MiB, got {size} bytes")
            data = bytes(found.bytes())
            if len(data) != size:
                raise _TornError(f"expected {size} bytes, got {len(data)}")
            return data

        return self._tried(inside, ask)

    def piece(self, inside: str, file: RemoteFile, start: int, stop: int) -> bytes:
        """Return a short range of a file, the last of which are kept."""
        key = (inside, file.tag, start)
        found = self._pieces.get(key)
        if found is None:
            found = bytes(self.fetch(inside, file, start, stop))
            with self._lock:
                self._pieces[key] = found
                if len(self._pieces) > _MOST_PIECES:
                    self._pieces.popitem(last=False)
        return found

    def names(self, folder: str) -> list[str]:
        """Return the names of the files in a folder, in order; none where they are not told."""
        import obstore

        if not self.lists:
            return []
        found = self._tried(folder, lambda: obstore.list_with_delimiter(self.store, f"{folder}/"))
        return sorted(one["path"].rpartition("/")[2] for one in found["objects"])

    def _tried(self, inside: str, ask: Callable[[], T]) -> T:
        """Return what ``ask`` returns, in a few tries; obstore has some of its own for each."""
        return tried(f"{self.url}/{inside}", ask)


class _TornError(Exception):
    """Fewer bytes arrived than were announced."""


def tried(name: str, ask: Callable[[], T]) -> T:
    """Return what ``ask`` returns, in a few tries; ``name`` is the file's, for messages."""
    from obstore.exceptions import BaseError, GenericError

    _check_process(name)
    for left in reversed(range(_TRIES)):
        try:
            return ask()
        except FileNotFoundError:
            raise DamagedDataError("the file is missing") from None
        except (_TornError, GenericError) as error:
            if left and _is_torn(error):
                time.sleep(random.uniform(0.05, 0.1) * 2 ** (_TRIES - left))
                continue
            raise DatasetError(f"{name}: cannot be read: {said(error)}") from None
        except (BaseError, OSError, ValueError) as error:
            if isinstance(error, DatasetError):
                raise
            raise DatasetError(f"{name}: cannot be read: {said(error)}") from None
    raise AssertionError


_process: list[int] = []
"""The process that reads from object stores: the threads of obstore do not survive a fork."""


def _check_process(name: str) -> None:
    if not _process:
        _process.append(os.getpid())
    if _process[0] != os.getpid():
        raise DatasetError(
            f"{name}: cannot be read in a process that was forked from one that has read a URL; "
            'start processes by "spawn" or "forkserver"'
        )


def _is_torn(error: Exception) -> bool:
    """Return whether a body did not arrive whole: obstore tries again only before the body."""
    return isinstance(error, _TornError) or "body error" in str(error)


def said(error: Exception) -> str:
    """Return what went wrong in a request, in one line."""
    text = " ".join(str(error).split("\n\nDebug source:")[0].split())
    answer = _ANSWER.search(text)
    if answer is not None:  # S3 says it in XML
        text = f"{answer.group(2)} ({answer.group(1)})"
    if any(one in text for one in _METADATA):  # the last place where credentials are looked for
        return (
            "no credentials in the environment; set them, or AWS_SKIP_SIGNATURE=true for a public "
            "bucket"
        )
    kind = type(error).__name__
    hint = {
        "PermissionDeniedError": "; check the credentials in the environment, or the token",
        "UnauthenticatedError": "; set credentials in the environment, or a token (TERSGEN_TOKEN)",
        "NotSupportedError": "; expected a server that answers requests for ranges of files",
    }.get(kind, "")
    if len(text) > _LONGEST:
        text = f"{text[: _LONGEST // 2]} ... {text[-_LONGEST // 2 :]}"
    return (text or kind) + hint


def _tag(meta: Any) -> str:
    """Return what identifies the content of a file: its ETag, or the time of its last change."""
    tag = meta["e_tag"]
    return str(tag) if tag else f"changed {meta['last_modified']}"


def object_store(url: str, token: str | None = None) -> Any:
    """Return the object store below a URL.

    Credentials, region and endpoint are those of the environment, as obstore knows them.
    """
    try:
        from obstore.exceptions import BaseError
        from obstore.store import from_url
    except ImportError:
        raise MissingExtraError(
            f"{url}: reading by URL needs obstore: pip install 'tersgen[remote]'"
        ) from None
    client: Any = {"timeout": "60s", "connect_timeout": "5s"}
    endpoint = os.environ.get("AWS_ENDPOINT_URL") or os.environ.get("AWS_ENDPOINT") or ""
    if url.startswith("http:") or (url.startswith("s3:") and endpoint.startswith("http:")):
        client["allow_http"] = True
    if token and url.startswith("http"):
        client["default_headers"] = {"authorization": f"Bearer {token}"}
    retries: Any = {"max_retries": 4, "retry_timeout": timedelta(seconds=90)}
    try:
        return from_url(url, client_options=client, retry_config=retries)
    except (BaseError, ValueError) as error:
        raise ConfigError(f"{url}: expected the URL of a dataset: {said(error)}") from None


def _cache(folder: Path | None) -> DiskCache | None:
    chosen = folder or os.environ.get("TERSGEN_CACHE")
    if not chosen:
        return None
    limit = os.environ.get("TERSGEN_CACHE_SIZE")
    folder = Path(chosen).expanduser()
    return DiskCache(folder, size_in_bytes(limit)) if limit else DiskCache(folder)
