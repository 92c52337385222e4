"""Datasets and files named by a URL, as a path that names no file of this machine.

``Path("s3://bucket/x")`` is ``s3:/bucket/x``: a ``RemotePath`` is written as the URL that it is,
wherever it is passed to, and refuses to be opened as a file.
"""

import re
from dataclasses import dataclass
from pathlib import Path, PosixPath
from typing import Any, Self, TypeGuard

from .errors import ConfigError

SCHEMES = ("s3", "gs", "az", "http", "https")
_URL = re.compile(rf"({'|'.join(SCHEMES)}):/{{1,2}}([^/].*)", re.DOTALL)
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*")


@dataclass(frozen=True)
class RemoteOptions:
    """How a URL is read."""

    token: str | None = None
    """Token of a server that asks for one; by default that of ``TERSGEN_TOKEN``."""
    cache: Path | None = None
    """Folder that keeps what was read; by default that of ``TERSGEN_CACHE``, if it is set."""

    def __repr__(self) -> str:
        """Return what may be shown: no token."""
        return f"RemoteOptions(cache={self.cache})"


class RemotePath(PosixPath):
    """The URL of a dataset, or of a file."""

    options: RemoteOptions = RemoteOptions()
    source: Any = None
    """What the files of the dataset are read from, once it was asked for."""

    def __str__(self) -> str:
        """Return the URL."""
        return super().__str__().replace(":/", "://", 1)

    def __fspath__(self) -> str:
        """Refuse: there is no such file on this machine."""
        raise ConfigError(
            f"{self}: expected a local file or folder, got a URL; only datasets and files of "
            "measured spectra are read by URL: download it first"
        )

    def absolute(self) -> "RemotePath":
        """Return the URL, which is the same from everywhere."""
        return self

    def resolve(self, strict: bool = False) -> "RemotePath":  # noqa: ARG002
        """Return the URL: no link of this machine is on the way."""
        return self


class LocalCopy(PosixPath):
    """A file on this machine that is called by the URL that it was read from."""

    url: str | None = None
    """None for a path that was made from this one."""

    @classmethod
    def of(cls, path: str | Path, url: str | None) -> Self:
        """Return the path of a copy."""
        copy = cls(path)
        copy.url = url
        return copy

    def __str__(self) -> str:
        """Return the URL."""
        return super().__str__() if self.url is None else self.url

    def __fspath__(self) -> str:
        """Return the path of the copy."""
        return super().__str__()

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle it with its URL."""
        return type(self).of, (super().__str__(), self.url)


def as_path(path: str | Path, options: RemoteOptions | None = None) -> Path:
    """Return a path, a ``RemotePath`` if it is a URL.

    Examples
    --------
    >>> as_path("s3://bucket/data.zarr")
    RemotePath('s3://bucket/data.zarr')
    >>> as_path(Path("http://localhost:8000/data.zarr")).name
    'data.zarr'
    """
    match = _URL.fullmatch(str(path))
    if match is None:
        scheme, separator, _ = str(path).partition("://")
        if separator and _SCHEME.fullmatch(scheme):
            raise ConfigError(
                f"{path}: expected a path, or a URL of {', '.join(SCHEMES)}, got one of {scheme}"
            )
        return Path(path)
    if isinstance(path, RemotePath) and options is None:
        return path
    remote = RemotePath(f"{match.group(1)}:/{match.group(2)}")
    if options is not None:
        remote.options = options
    return remote


def is_remote(path: Path) -> TypeGuard[RemotePath]:
    """Return whether a path is a URL."""
    return isinstance(path, RemotePath)
