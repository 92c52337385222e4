"""Text: decoding of files, safe display on a terminal, suggested commands and names."""

import codecs
import shlex
from collections.abc import Iterable, Mapping

_SAMPLE = 1024
"""Bytes by which UTF-16 without a mark is detected."""
_MOST_NAMES = 40
"""Names that a message lists."""


def utf_16(content: bytes) -> str | None:
    """Return the form of UTF-16 that a text is in, or None; without a mark, by its zero bytes."""
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    low, high = content[:_SAMPLE:2], content[1:_SAMPLE:2]
    for coding, characters, zeros in (("utf-16-le", low, high), ("utf-16-be", high, low)):
        if b"\0" not in characters and 2 * zeros.count(0) > len(zeros):
            return coding
    return None


def decode(content: bytes, errors: str = "replace") -> str:
    r"""Return the text of a file, or of its beginning, which may end within a character.

    It is UTF-16, with a mark or without; or UTF-8; or else Windows-1252 or Latin-1. What is no
    UTF-16 in a text that is, is handled as ``errors`` says to ``bytes.decode``.
    """
    coding = utf_16(content)
    if coding is not None:
        return content.decode(coding, errors).lstrip("\ufeff")
    try:
        return content.decode("utf-8-sig").lstrip("\ufeff")
    except UnicodeDecodeError as error:
        if error.reason == "unexpected end of data":
            return content[: error.start].decode("utf-8-sig").lstrip("\ufeff")
    try:
        return content.decode("cp1252")
    except UnicodeDecodeError:
        return content.decode("latin-1")


def printable(text: str) -> str:
    r"""Return a text with what could steer a terminal spelt out.

    >>> print(printable("a\x1b[31mb"))
    a\x1b[31mb
    """
    return "".join(one if one.isprintable() else ascii(one)[1:-1] for one in text)


def command(*words: object) -> str:
    """Return a command as a shell takes it, each word quoted if it must be.

    >>> command("tersgen", "repair", "my data.zarr")
    "tersgen repair 'my data.zarr'"
    """
    return shlex.join(map(str, words))


def did_you_mean(name: str, known: Iterable[str], written: Mapping[str, str] | None = None) -> str:
    """Return a clause that suggests the known name closest to another, or nothing.

    ``written`` has what is suggested in place of some names.

    >>> did_you_mean("bulid", ["build", "plan"])
    " (did you mean 'build'?)"
    >>> did_you_mean("bezene", ["benzene"], {"benzene": "builtin:benzene"})
    " (did you mean 'builtin:benzene'?)"
    """
    from difflib import get_close_matches

    by_small = {one.lower(): (written or {}).get(one, one) for one in known}
    close = get_close_matches(name.lower(), by_small, 1)
    return f" (did you mean {by_small[close[0]]!r}?)" if close else ""


def unknown_field(name: str, known: Iterable[str]) -> str:
    """Return what a message says of a setting that there is not.

    >>> unknown_field("widht", ["width", "depth"])
    "widht: unknown field (did you mean 'width'?)"
    """
    known = [*known]
    hint = did_you_mean(name, known) or f"; expected one of {', '.join(known) or 'none'}"
    return f"{name}: unknown field{hint}"


def not_among(name: str, known: Iterable[str]) -> str:
    """Return what a message says of a name that is none of those known.

    >>> not_among("bulid", ["build", "plan"])
    "expected one of build, plan, got 'bulid' (did you mean 'build'?)"
    """
    known = [*known]
    shown = ", ".join(known[:_MOST_NAMES])
    if len(known) > _MOST_NAMES:
        shown += f" and {len(known) - _MOST_NAMES} more"
    expected = f"expected one of {shown}" if known else "there are none to choose from"
    return f"{expected}, got {name!r}{did_you_mean(name, known)}"


def counted(n: int, noun: str) -> str:
    """Return how many there are of something, named in the singular.

    >>> counted(1, "epoch"), counted(2, "epoch"), counted(3, "class"), counted(4, "species")
    ('1 epoch', '2 epochs', '3 classes', '4 species')
    """
    if n == 1 or noun.endswith("ies"):
        return f"{n} {noun}"
    return f"{n} {noun}{'es' if noun.endswith('s') else 's'}"


def human_bytes(count: float) -> str:
    """Return a size in decimal units.

    >>> human_bytes(12_300_000)
    '12.3 MB'
    """
    if count < 1000:
        return f"{count:.0f} B"
    units = ["PB", "TB", "GB", "MB", "kB"]
    while count >= 1000 and units:
        count /= 1000
        unit = units.pop()
    return f"{count:.1f} {unit}"


def human_time(seconds: float) -> str:
    """Return a duration.

    >>> human_time(3720)
    '1 h 2 min'
    """
    if seconds < 100:
        return f"{seconds:.1f} s"
    minutes, seconds = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {seconds} s"
    hours, minutes = divmod(minutes, 60)
    if hours < 72:
        return f"{hours} h {minutes} min"
    days = hours / 24
    return f"{days:.1f} days" if days < 1000 else f"{days / 365.25:.3g} years"
