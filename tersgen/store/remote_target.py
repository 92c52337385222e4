"""Files written to an object store: compared with what is there, sent, and proved to be there."""

import hashlib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from xxhash import xxh3_128

from ..errors import ConfigError, OutputError
from ..urls import RemotePath
from .remote import object_store, said, tried

_PART = 16 << 20
"""Bytes of a part of a large file."""
_WHOLE = 32 << 20
"""Files up to this size are sent in one piece."""
_PARTS_AT_ONCE = 4
_MD5 = re.compile(r'"?([0-9a-f]{32})(?:-([0-9]+))?"?')


class There(NamedTuple):
    """A file in an object store."""

    size: int
    tag: str
    """Its ETag."""


class RemoteTarget:
    """The place of a dataset in an object store, which files are sent to."""

    def __init__(self, path: RemotePath) -> None:
        if str(path).startswith("http"):
            raise ConfigError(
                f"{path}: expected s3://, gs:// or az://, got a web server, which is only read"
            )
        self.url = str(path)
        self._store = object_store(self.url)

    def files(self) -> dict[str, There]:
        """Return all files that are there, by path."""
        import obstore

        def ask() -> dict[str, There]:
            return {
                one["path"]: There(one["size"], str(one["e_tag"]))
                for some in obstore.list(self._store, chunk_size=1000)
                for one in some
            }

        return tried(self.url, ask)

    def read(self, inside: str) -> bytes:
        """Return the content of a small file."""
        import obstore

        name = f"{self.url}/{inside}"
        return tried(name, lambda: bytes(obstore.get(self._store, inside).bytes()))

    def has(self, inside: str, there: There, path: Path) -> bool:
        """Return whether a file that is there has the bytes of a local one.

        An ETag that is the MD5 of the content, as that of S3 is, proves it; else it is read back.
        """
        if there.size != path.stat().st_size:
            return False
        match = _MD5.fullmatch(there.tag)
        if match is not None and match.group(1) == _md5(path, match.group(2) is not None):
            return True
        return self._checksum(inside) == _xxh128(_pieces(path))

    def send(self, inside: str, path: Path) -> There:
        """Send a file, prove that it is there, and return what is."""
        import obstore

        is_large = path.stat().st_size > _WHOLE
        content: Any = path if is_large else path.read_bytes()
        self._put(inside, content, use_multipart=is_large)
        meta = tried(f"{self.url}/{inside}", lambda: obstore.head(self._store, inside))
        there = There(meta["size"], str(meta["e_tag"]))
        if not self.has(inside, there, path):
            raise OutputError(
                f"{self.url}/{inside}: what arrived is not what was sent: damaged on the way, or "
                "changed by another meanwhile; run the same command again"
            )
        return there

    def create(self, inside: str, content: bytes) -> bool:
        """Send a small file that must not exist; return False if it does."""
        return self._put(inside, content, mode="create")

    def replace(self, inside: str, content: bytes, there: There) -> bool:
        """Replace a small file; return False if it is no longer what it was."""
        return self._put(inside, content, mode={"e_tag": there.tag})

    def _put(self, inside: str, content: Any, mode: Any = None, **options: Any) -> bool:
        import obstore
        from obstore.exceptions import AlreadyExistsError, BaseError, PreconditionError

        try:
            obstore.put(
                self._store, inside, content, mode=mode, chunk_size=_PART,
                max_concurrency=_PARTS_AT_ONCE, **options,
            )  # fmt: skip
        except (AlreadyExistsError, PreconditionError):
            # or it is ours: the answer to the first try was lost
            return isinstance(content, bytes) and self.read(inside) == content
        except (BaseError, OSError, ValueError) as error:
            raise OutputError(f"{self.url}/{inside}: cannot be written: {said(error)}") from None
        return True

    def _checksum(self, inside: str) -> str:
        import obstore

        def ask() -> str:
            return _xxh128(obstore.get(self._store, inside).stream(_PART))

        return tried(f"{self.url}/{inside}", ask)


def _pieces(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        yield from iter(lambda: file.read(_PART), b"")


def _xxh128(pieces: Any) -> str:
    found = xxh3_128()
    for piece in pieces:
        found.update(bytes(piece))
    return found.hexdigest()


def _md5(path: Path, in_parts: bool) -> str:
    """Return the MD5 of a file, or that of those of its parts, as S3 forms an ETag."""
    if not in_parts:
        whole = hashlib.md5(usedforsecurity=False)
        for piece in _pieces(path):
            whole.update(piece)
        return whole.hexdigest()
    parts = (hashlib.md5(piece, usedforsecurity=False).digest() for piece in _pieces(path))
    return hashlib.md5(b"".join(parts), usedforsecurity=False).hexdigest()
