"""A file that modes are read from: its text, its digest, and errors in one line."""

import contextlib
import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from pydantic import ValidationError

from ..errors import LibraryError
from ..files import NoPlainFileError, read_input, why
from ..text import decode

MAX_BYTES = 2**30
"""Larger files are refused: no set of normal modes needs a gibibyte of text."""
NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[EeDd][+-]?\d+)?", re.ASCII)
"""A number as programs print it, with an exponent of E or D."""


@dataclass(frozen=True)
class SourceFile:
    """The content of a file.

    Attributes
    ----------
    file
        Its name, without folders.
    text
        Its text, see ``decoded``.
    sha256
        Digest of its bytes, hexadecimal.
    """

    file: str
    text: str
    sha256: str

    def species_name(self) -> str:
        """Return a species name made from the file's."""
        return species_name(Path(self.file))


def species_name(path: Path) -> str:
    """Return a species name made from a file's, see ``clean_name``."""
    return clean_name(path.stem)


def clean_name(text: str) -> str:
    """Return a species name made from a text: what a name may not hold becomes ``_``."""
    return (
        re.sub(r"^[^A-Za-z0-9]+", "", re.sub(r"[^A-Za-z0-9 _.+(),:-]", "_", text))[:64].strip()
        or "species"
    )


def open_source(path: Path) -> SourceFile:
    """Read a file of at most one gibibyte."""
    content = read_beginning(path, MAX_BYTES)
    if len(content) > MAX_BYTES:
        raise LibraryError(
            f"expected at most {MAX_BYTES} bytes, got more in {path}; is it a file of modes?"
        )
    return make_source(path.name, content)


def read_beginning(path: Path, largest: int) -> bytes:
    """Return the content of a file, or of a larger one the first ``largest`` + 1 bytes."""
    try:
        return read_input(path, largest)
    except FileNotFoundError:
        raise LibraryError(f"expected a file of modes at {path}, got no such file") from None
    except NoPlainFileError as error:
        got = str(error.strerror).removeprefix("expected a file, ")
        raise LibraryError(f"expected a file of modes at {path}, {got}") from None
    except OSError as error:
        raise LibraryError(f"expected a readable file at {path}, got: {why(error)}") from None


def decoded(content: bytes) -> str:
    r"""Return the text of a file, or of its beginning, with lines that end in ``\n``.

    Its encoding is found as ``text.decode`` says.

    >>> decoded("a\r\nb".encode("utf-16")), decoded("1\t2\r3\t4".encode("utf-16-le"))
    ('a\nb', '1\t2\n3\t4')
    """
    return decode(content).replace("\r\n", "\n").replace("\r", "\n")


def make_source(file: str, content: bytes) -> SourceFile:
    """Return the source file of that name and content."""
    return SourceFile(
        file=file,
        text=decoded(content),
        sha256=hashlib.sha256(content).hexdigest(),
    )


@contextlib.contextmanager
def one_line_errors(file: str) -> Iterator[None]:
    """Turn what goes wrong in reading a file into a LibraryError of one line that names the file.

    Damaged numbers may overflow on the way: that is no warning but ends in a check for finite
    results.
    """
    try:
        with np.errstate(all="ignore"):
            yield
    except LibraryError as error:
        message = str(error)
        if not message.startswith(file):
            message = f"{file}: {message}"
        raise LibraryError(message) from error
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        more = f" (and {error.error_count() - 1} more)" if error.error_count() > 1 else ""
        text = " ".join(first["msg"].split())
        raise LibraryError(f"{file}: {place or 'content'}: {text}{more}") from error
    except np.linalg.LinAlgError as error:
        raise LibraryError(
            f"{file}: expected force constants that can be diagonalised, got {error!s:.80}"
        ) from error


def quote(text: str, length: int = 40) -> str:
    """Return the beginning of a text for a message, on one line and without control characters."""
    return repr(text if len(text) <= length else f"{text[:length]}...")
