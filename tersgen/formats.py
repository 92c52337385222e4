"""Which part reads a file: found by the file's name and first bytes, or chosen by the user.

Importers of modes and readers of measured files are chosen alike; only what they return differs.
"""

import warnings
from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

from .errors import ConfigError, TersError, TersWarning
from .plugins import Group, described, is_built_in, load, named_errors, parts

HEAD_BYTES = 1 << 18
"""Bytes of a file that a part is shown to tell whether the file is in its format."""


class FileFormat(ABC):
    """A format of files, and how it is detected; a part is a subclass, made without arguments.

    Attributes
    ----------
    format
        What the format is called, for messages.
    rank
        Formats of a higher rank are tried only where none of a lower one matches: 0 for those that
        are detected by a signature, 1 by words in the content, 2 by the form of the content alone.
    """

    format: ClassVar[str]
    rank: ClassVar[int] = 0

    @abstractmethod
    def matches(self, path: Path, head: bytes) -> bool:
        """Return whether a file is in this format.

        Parameters
        ----------
        path
            The file; do not read it here.
        head
            Its first bytes, at most 262,144.
        """


class Chosen(NamedTuple):
    """The part that reads a file."""

    name: str
    part: Any


@dataclass(frozen=True)
class Formats:
    """All formats of a group of parts.

    Attributes
    ----------
    group
        The group.
    base
        The class that each part must extend.
    option
        The option by which a user chooses one, for messages.
    error_class
        Class of errors about a file.
    """

    group: Group
    base: type[Any]
    option: str
    error_class: type[TersError]

    @property
    def what(self) -> str:
        """What a part of the group is called: an importer, a reader."""
        return self.group.partition(".")[2].removesuffix("s").replace("_", " ")

    def choose(self, path: Path, head: bytes, name: str | None = None) -> Chosen | None:
        """Return the part that reads a file, or None if none does.

        Parameters
        ----------
        path, head
            The file, and its first ``HEAD_BYTES`` bytes.
        name
            Name of the part that the user wants; by default the one that matches.

        Raises
        ------
        ConfigError
            If there is no part of that name, or one cannot be imported, or extends another class.
        TersError
            If several parts match; of the group's class.

        A part from outside that fails to tell whether it matches does not: a warning names it.
        """
        if name is not None:
            return self._made(name, load(self.group, name))
        matching: list[Chosen] = []
        for one in self._all():
            if matching and one.part.rank > matching[0].part.rank:
                break
            if self._matches(one, path, head):
                matching.append(one)
        if len(matching) > 1:
            names = " and ".join(described(one.name, type(one.part)) for one in matching)
            raise self.error_class(
                f"{path.name}: expected one {self.what} that recognises it, got {names}; choose "
                f"one with {self.option}"
            )
        return matching[0] if matching else None

    def _matches(self, one: Chosen, path: Path, head: bytes) -> bool:
        part = type(one.part)
        try:
            with named_errors(self.what, one.name, part, self.error_class):
                return bool(one.part.matches(path, head))
        except TersError as error:
            if is_built_in(part):
                raise
            warnings.warn(
                f"{error}; it cannot tell whether {path.name} is its format, and is left out",
                TersWarning,
                stacklevel=3,
            )
            return False

    def known(self) -> str:
        """Return what all formats are called, in the order in which they are tried."""
        return "; ".join(one.part.format for one in self._all())

    def _all(self) -> list[Chosen]:
        made = [self._made(name, part) for name, part in parts(self.group)]
        return sorted(made, key=lambda one: one.part.rank)

    def _made(self, name: str, part: Any) -> Chosen:
        base = self.base
        if not (isinstance(part, type) and issubclass(part, base)):
            raise ConfigError(
                f"{self.what} {name!r}: expected a class that extends "
                f"{base.__module__}.{base.__name__}, got {part!r:.80}"
            )
        if not (
            isinstance(getattr(part, "format", None), str)
            and isinstance(getattr(part, "rank", None), int)
        ):
            raise ConfigError(
                f"{self.what} {described(name, part)}: expected a text as its format, and a whole "
                "number as its rank"
            )
        with named_errors(self.what, name, part, ConfigError):
            return Chosen(name, part())
