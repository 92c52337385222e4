"""Copies of datasets from a server: file by file, continued, verified, then given their name."""

import os
from collections.abc import Callable, Mapping, Sequence
from http.client import HTTPException
from pathlib import Path, PurePosixPath
from typing import Any, Protocol, Self
from urllib.parse import quote

from ..dataset.verify import verify
from ..errors import ConfigError, DamagedDataError, OutputError, ServiceError
from ..files import why
from ..schema.manifest import BESIDE

_PIECE = 1 << 20
_TRIES = 5


class _Body(Protocol):
    def __enter__(self) -> Self: ...

    def __exit__(self, *_: Any) -> None: ...

    def read(self, most: int | None = None) -> bytes: ...


Ask = Callable[[str, str], _Body]


class Fetch:
    """A copy of a dataset.

    Parameters
    ----------
    facts
        What the server says of the dataset.
    out
        Where the copy goes.
    """

    def __init__(self, facts: Mapping[str, Any], out: Path) -> None:
        self._facts = facts
        self._out = out
        name = str(facts["name"])
        if facts["format"] == "hdf5" and out.name != name:
            raise ConfigError(
                f"{out}: expected the name {name}, which the index of an HDF5 dataset refers to; "
                "copy it into another folder"
            )
        self._ends = [out] if facts["format"] == "zarr" else [out.with_name(name + BESIDE), out]
        for end in self._ends:
            if os.path.lexists(end):
                raise OutputError(f"{end}: expected a new name, got one that exists")
        self._partial = out.with_name(f".{name}.{str(facts['version'])[:16]}.fetch")

    def run(self, files: Sequence[Mapping[str, Any]], ask: Ask) -> Path:
        """Return the path of the copy, once it is complete and verified."""
        try:
            for file in files:
                self._copy(str(file["url"]), int(file["bytes"]), ask)
            self._verify()
            for end in self._ends:
                (self._partial / self._inside(end)).rename(end)
            self._partial.rmdir()
        except OSError as error:
            if isinstance(error, OutputError | DamagedDataError | ServiceError):
                raise
            raise OutputError(f"{self._out}: cannot be written: {why(error)}") from None
        return self._out

    def _inside(self, end: Path) -> str:
        """Return the name that a part of the copy has until it is complete."""
        return str(self._facts["name"]) + (BESIDE if end.name.endswith(BESIDE) else "")

    def _copy(self, url: str, size: int, ask: Ask) -> None:
        """Copy a file, unless it is there."""
        parts = PurePosixPath(url).parts[2:]  # after /data
        if not parts or ".." in parts or not parts[0].startswith(str(self._facts["name"])):
            raise ServiceError(f"expected a file of the dataset, got {url!r:.80}")
        target = self._partial.joinpath(*parts)
        if target.is_file() and target.stat().st_size == size:
            return
        target.parent.mkdir(parents=True, exist_ok=True)
        new = target.with_name(target.name + ".new")
        for k in range(_TRIES):
            try:
                with ask("GET", quote(url)) as body, new.open("wb") as file:
                    while piece := body.read(_PIECE):
                        file.write(piece)
                if new.stat().st_size == size:
                    new.rename(target)
                    return
            except HTTPException:
                if k + 1 == _TRIES:
                    raise ServiceError(
                        f"{url}: the connection was lost {_TRIES} times; fetch again to continue"
                    ) from None
        raise ServiceError(f"{url}: expected {size} bytes, got others; fetch the dataset again")

    def _verify(self) -> None:
        found = verify(self._partial / self._inside(self._out))
        if not found.sound:
            raise DamagedDataError(
                f"{self._out}: the copy is not what the dataset says: {found.faults[0]}; remove "
                f"{self._partial} and fetch it again"
            )
        if found.digest != self._facts["digest"]:
            raise DamagedDataError(
                f"{self._out}: the copy has another digest than the dataset; remove "
                f"{self._partial} and fetch it again"
            )
