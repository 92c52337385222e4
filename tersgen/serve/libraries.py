"""Libraries that users upload: read in a child process with limits, and kept as library files."""

import os
import re
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from typing import Any, NamedTuple

from ..errors import LibraryError, OutputError
from ..files import why
from ..library.libraryfile import SUFFIX, read_library
from .folder import Folder, is_name
from .recipes import TakenError

_LONGEST_S = 120.0
_ENDING = re.compile(r"[A-Za-z0-9]{1,10}")


class Uploaded(NamedTuple):
    """An uploaded library."""

    name: str
    digest: str
    species: tuple[str, ...]

    def content(self) -> dict[str, Any]:
        """Return it for JSON."""
        return {**self._asdict(), "source": f"upload:{self.name}"}


class Libraries:
    """The uploaded libraries of a server; one of a name does not change."""

    def __init__(self, folder: Folder) -> None:
        self._folder = folder
        self._turns = threading.BoundedSemaphore(2)

    def all(self) -> list[Uploaded]:
        """Return all libraries by name."""
        return [_uploaded(name, path) for name, path in self._folder.library_files().items()]

    def put(self, name: str, content: bytes, ending: str) -> tuple[Uploaded, bool]:
        """Store the species in a file, and return them, and whether the library is new.

        Parameters
        ----------
        name
            Name of the library.
        content
            A file that ``tersgen library import`` reads.
        ending
            Ending of its name, such as fchk.
        """
        if not is_name(name) or not _ENDING.fullmatch(ending):
            raise LibraryError(
                "library: expected a name of letters, digits and ._- and an ending such as fchk, "
                f"got {name!r:.80} and {ending!r:.20}"
            )
        target = self._folder.libraries / f"{name}{SUFFIX}"
        try:
            with self._turns, tempfile.TemporaryDirectory(".partial", ".", target.parent) as place:
                source, made = Path(place) / f"{name}.{ending}", Path(place) / f"made{SUFFIX}"
                source.write_bytes(content)
                _import(source, made)
                new = _uploaded(name, made)
                try:
                    os.link(made, target)
                except FileExistsError:
                    known = _uploaded(name, target)
                    if known.digest != new.digest:
                        raise TakenError(
                            f"library: expected a new name, got {name!r}, which has other species"
                        ) from None
                    return known, False
                return new, True
        except OSError as error:
            if isinstance(error, OutputError):
                raise
            raise OutputError(f"library {name}: cannot be written: {why(error)}") from None


def _uploaded(name: str, path: Path) -> Uploaded:
    library = read_library(path)
    return Uploaded(name, library.digest, library.names)


def _import(source: Path, made: Path) -> None:
    """Read a file in a child process."""
    try:
        done = subprocess.run(
            [sys.executable, "-m", "tersgen.serve.confined", "library", "import", source.name,
             "--output", made.name],
            cwd=source.parent, stdin=subprocess.DEVNULL, capture_output=True, timeout=_LONGEST_S,
            check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        raise LibraryError(
            f"library: expected a file that is read in {_LONGEST_S:.0f} s, got one that takes more"
        ) from None
    if done.returncode < 0:
        raise LibraryError(
            "library: expected a file that is read with 4 GiB of memory in 60 s of processor time, "
            "got one that takes more"
        )
    if done.returncode:
        lines = done.stderr.decode("utf-8", "replace").strip().splitlines() or ["no reason given"]
        raise LibraryError(f"library: {lines[-1].removeprefix('Error: ')[:500]}")
