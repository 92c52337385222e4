"""Virtual datasets: Zarr v3 arrays of any length, whose chunks are generated as they are read."""

import json
from functools import lru_cache
from typing import Any

import numpy as np
from fastapi import APIRouter, Request, Response
from starlette.concurrency import run_in_threadpool

from ...schema.contents import Contents
from ...schema.fields import FieldSpec
from ...store.checksums import CHECKSUM, checksum
from ...store.encode import little_endian
from ...store.layout import Layout
from ...store.metadata import array_metadata, axis_metadata, with_groups
from ..auth import needs
from ..blocks import block_rows
from ..folder import UnknownNameError
from ..ready import Ready
from ..server import Here
from .data import is_known

router = APIRouter(tags=["virtual datasets"], dependencies=[needs("read")])

_CODECS = [
    {"name": "bytes", "configuration": {"endian": "little"}},
    {"name": "crc32c"},
]


def _array(spec: FieldSpec, n_samples: int, rows: int, contents: Contents) -> dict[str, Any]:
    """Return the ``zarr.json`` of an array in plain chunks."""
    layout = Layout(chunk_rows=rows, shard_rows=rows)
    node = array_metadata(spec, n_samples, layout, contents)
    return {**node, "codecs": _CODECS}


@lru_cache(64)
def _documents(ready: Ready, n_samples: int) -> dict[str, bytes]:
    """Return the files of a virtual dataset that are not generated, by path."""
    contents, rows = ready.contents, block_rows(ready)
    arrays = {spec.name: _array(spec, n_samples, rows, contents) for spec in contents.fields}
    arrays |= {one.name: axis_metadata(one) for one in contents.positions}
    about = {"recipe_digest": ready.digest, "generator": contents.generator}
    nodes = with_groups(arrays, {"tersgen_virtual": about})
    files = {
        f"{name}/zarr.json".lstrip("/"): json.dumps(node).encode() for name, node in nodes.items()
    }
    for one in contents.positions:
        payload = little_endian(one.points()).tobytes()
        files[f"{one.name}/c.0"] = payload + checksum(payload)
    return files


def _chunk_number(path: str, name: str, n_dims: int) -> int | None:
    """Return the number of a chunk of a field from its path; None if it is the path of none.

    >>> _chunk_number("maps/c.12.0.0.0", "maps", 3), _chunk_number("maps/c.1", "maps", 3)
    (12, None)
    """
    begin, end = f"{name}/c.", ".0" * n_dims
    if not path.startswith(begin) or not path.endswith(end):
        return None
    digits = path[len(begin) : len(path) - len(end)]
    if not digits.isascii() or not digits.isdigit() or len(digits) > 16:
        return None
    return int(digits) if str(int(digits)) == digits else None


def _chunk(ready: Ready, n_samples: int, path: str) -> tuple[FieldSpec, int] | None:
    """Return the field and number of a chunk, by its path; None if there is none."""
    name = path.rpartition("/")[0]
    spec = next((one for one in ready.contents.fields if one.name == name), None)
    if spec is None:
        return None
    number = _chunk_number(path, name, len(spec.dims))
    if number is None or number * block_rows(ready) >= n_samples:
        return None
    return spec, number


def _find(ready: Ready, n_samples: int, path: str) -> bytes | tuple[FieldSpec, int]:
    """Return what a path of a virtual dataset names: a document, or a field and chunk number."""
    document = _documents(ready, n_samples).get(path)
    if document is not None:
        return document
    chunk = _chunk(ready, n_samples, path)
    if chunk is None:
        raise UnknownNameError(f"expected a path of a virtual dataset, got {path!r:.80}")
    return chunk


@router.api_route(
    "/virtual/{recipe}.zarr/{path:path}", methods=["GET", "HEAD"], response_class=Response
)
async def virtual_file(server: Here, request: Request, recipe: str, path: str) -> Response:
    """Return a file of the virtual dataset of a recipe: metadata, or a chunk made now."""
    stored = server.recipes.get(recipe)
    ready = server.recipes.kept(stored)
    if ready is None:
        ready = await run_in_threadpool(server.recipes.ready, stored)
    found = _find(ready, stored.n_virtual, path)
    tag = f'"{ready.digest[:32]}-{block_rows(ready)}"'
    headers = {"ETag": tag, "Cache-Control": "private, no-cache"}
    if is_known(request, tag):
        return Response(status_code=304, headers=headers)
    if isinstance(found, bytes):
        kind = "application/json" if path.endswith("zarr.json") else "application/octet-stream"
        return Response(found, headers=headers, media_type=kind)
    spec, number = found
    if request.method == "HEAD":
        n_bytes = block_rows(ready) * spec.row_bytes + CHECKSUM
        return Response(headers={**headers, "Content-Length": str(n_bytes)})
    arrays = server.blocks.kept(ready, number)
    if arrays is None:
        arrays = await run_in_threadpool(server.blocks.get, ready, number)
    return ChunkResponse(little_endian(arrays[spec.name]), headers)


class ChunkResponse(Response):
    """A chunk and its CRC32C, sent without a copy of it."""

    media_type = "application/octet-stream"

    def __init__(self, values: np.ndarray[Any, Any], headers: dict[str, str]) -> None:
        self._values = values.reshape(-1).view(np.uint8)
        n_bytes = len(self._values) + CHECKSUM
        super().__init__(None, headers={**headers, "Content-Length": str(n_bytes)})

    async def __call__(self, _scope: Any, _receive: Any, send: Any) -> None:
        """Send it."""
        start = {"status": self.status_code, "headers": self.raw_headers}
        await send({"type": "http.response.start", **start})
        body = self._values.data
        await send({"type": "http.response.body", "body": body, "more_body": True})
        await send({"type": "http.response.body", "body": checksum(self._values)})
