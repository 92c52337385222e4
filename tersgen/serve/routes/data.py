"""Files of complete datasets: whole or in ranges, with strong ETags."""

import os
import re
import stat
from collections.abc import AsyncIterator
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from fastapi import APIRouter, Request, Response
from starlette.concurrency import run_in_threadpool
from starlette.responses import StreamingResponse

from ...files import why
from ...schema.manifest import BESIDE
from ..auth import needs
from ..folder import Served, UnknownNameError
from ..server import Here, Server

router = APIRouter(tags=["data"], dependencies=[needs("read")])

_PIECE = 1 << 20
_RANGE = re.compile(r"bytes=([0-9]{0,18})-([0-9]{0,18})")
_TYPES = {".json": "application/json", ".jsonl": "application/jsonl"}
_DEEPEST = 3


class FileFound(NamedTuple):
    """A file of a dataset that is open."""

    descriptor: int
    size: int
    tag: str


@lru_cache(256)
def _files(served: Served) -> dict[str, Path]:
    """Return the plain files of a dataset's folder by path; links are left out."""
    found: dict[str, Path] = {}

    def walk(place: Path, prefix: str, depth: int) -> None:
        with os.scandir(place) as entries:
            for entry in entries:
                if entry.name.startswith(".") or entry.name.endswith(".partial"):
                    continue
                if entry.is_file(follow_symlinks=False):
                    found[prefix + entry.name] = place / entry.name
                elif entry.is_dir(follow_symlinks=False) and depth < _DEEPEST:
                    walk(place / entry.name, f"{prefix}{entry.name}/", depth + 1)

    walk(served.location.folder, "", 0)
    return found


def files_of(served: Served) -> list[Path]:
    """Return the files of a dataset."""
    index = [] if served.location.format == "zarr" else [served.location.path]
    return index + sorted(_files(served).values())


def _lookup(server: Server, path: str) -> Path:
    """Return the file that a path below ``/data/`` names, among those that were listed.

    An HDF5 dataset is its index, ``/data/x.h5``, and the folder beside it, ``/data/x.h5.d/``.
    """
    name, _, inside = path.partition("/")
    served = server.folder.dataset(name.removesuffix(BESIDE))
    if path == served.name and served.location.format == "hdf5":
        return served.location.path
    file = _files(served).get(inside)
    if file is not None and name == served.location.folder.name:
        return file
    raise UnknownNameError(f"dataset {name}: expected one of its files, got {inside!r:.80}")


def _open(server: Server, path: str) -> FileFound:
    file = _lookup(server, path)
    try:
        descriptor = os.open(file, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        facts = os.fstat(descriptor)
    except OSError as error:
        raise UnknownNameError(f"{path}: cannot be read: {why(error)}") from None
    if not stat.S_ISREG(facts.st_mode):
        os.close(descriptor)
        raise UnknownNameError(f"{path}: expected a plain file")
    # files are replaced, never changed in place, so these tell two contents of a path apart
    tag = f'"{facts.st_ino:x}-{facts.st_size:x}-{facts.st_mtime_ns:x}"'
    return FileFound(descriptor, facts.st_size, tag)


def is_known(request: Request, tag: str) -> bool:
    """Return whether the client has the content of an ETag already."""
    known = request.headers.get("if-none-match", "")
    return known.strip() == "*" or tag in (one.strip() for one in known.split(","))


def parse_range(text: str | None, size: int) -> tuple[int, int] | None:
    """Return the part of a file that a Range header asks for; None for the whole.

    What is no single range is ignored, as RFC 9110 allows; one that begins after the end is an
    IndexError.

    >>> parse_range("bytes=2-4", 10), parse_range("bytes=-3", 10), parse_range("bytes=8-", 10)
    ((2, 5), (7, 10), (8, 10))
    """
    match = _RANGE.fullmatch(text or "")
    if match is None or match.group(0) == "bytes=-":
        return None
    first, last = match.groups()
    if not first:
        start, stop = max(0, size - int(last)), size
    else:
        start, stop = int(first), min(size, int(last) + 1) if last else size
        if last and int(last) < int(first):
            return None
    if start >= size or start >= stop:
        raise IndexError(text)
    return start, stop


async def _pieces(descriptor: int, start: int, stop: int) -> AsyncIterator[bytes]:
    """Yield a part of a file, and close it."""
    try:
        while start < stop:
            piece = await run_in_threadpool(os.pread, descriptor, min(_PIECE, stop - start), start)
            if not piece:
                raise OSError("the file has become shorter")
            start += len(piece)
            yield piece
    finally:
        os.close(descriptor)


@router.api_route("/data/{path:path}", methods=["GET", "HEAD"], response_class=Response)
async def data_file(server: Here, request: Request, path: str) -> Response:
    """Return a file of a complete dataset, or a range of it."""
    file = await run_in_threadpool(_open, server, path)
    headers = {"ETag": file.tag, "Accept-Ranges": "bytes", "Cache-Control": "private, no-cache"}
    kind = _TYPES.get(os.path.splitext(path)[1], "application/octet-stream")  # noqa: PTH122
    is_same = request.headers.get("if-range", file.tag) == file.tag
    try:
        part = parse_range(request.headers.get("range") if is_same else None, file.size)
    except IndexError:
        os.close(file.descriptor)
        return Response(status_code=416, headers={"Content-Range": f"bytes */{file.size}"})
    start, stop = part or (0, file.size)
    if is_known(request, file.tag):
        os.close(file.descriptor)
        return Response(status_code=304, headers=headers)
    headers["Content-Length"] = str(stop - start)
    if part is not None:
        headers["Content-Range"] = f"bytes {start}-{stop - 1}/{file.size}"
    status = 200 if part is None else 206
    if request.method == "HEAD":
        os.close(file.descriptor)
        return Response(status_code=status, headers=headers, media_type=kind)
    if stop - start <= _PIECE:
        try:
            content = os.pread(file.descriptor, stop - start, start)
        finally:
            os.close(file.descriptor)
        return Response(content, status, headers, kind)
    return StreamingResponse(_pieces(file.descriptor, start, stop), status, headers, kind)
