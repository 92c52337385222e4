"""System calls that kill, stop or cut off the process that makes them: real faults, counted.

A :class:`Fault` goes into a process that was forked for it. It counts the calls that change files,
and strikes before the k-th. What a power cut takes is worked out from the calls themselves: bytes
that no ``fsync`` of their file followed, and names that no ``fsync`` of their folder followed.
"""

import errno
import os
import re
import shutil
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

CALLS = ("open", "write", "fsync", "link", "replace", "unlink", "ftruncate", "mkdir", "rmdir")
REAL = {name: getattr(os, name) for name in CALLS}

KINDS = ("kill", "torn", "cut", "cut data", "stop", "term", "full")
"""Killed; killed half-way through a write; power cut that takes all that was not flushed, or the
bytes but not the names; stopped; asked to end by SIGTERM; the disk full from there on."""
GROWING = ("write", "link", "mkdir")
"""Calls that a full disk refuses; it refuses to open a file that is new, too."""


class Call(NamedTuple):
    """One call: its name, and the file or folder it is about, without what changes each time."""

    name: str
    target: str


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


class Disk:
    """What would be left on the disk if the power went: follows every call."""

    def __init__(self, stash: Path) -> None:
        self._stash = stash
        self._synced: dict[tuple[int, int], int] = {}
        self._dirty: dict[tuple[int, int], str] = {}
        self._pending: list[tuple[Path, Callable[[], object]]] = []
        self._saved = 0

    @staticmethod
    def _inode(path: Any) -> tuple[int, int]:
        facts = os.stat(path)  # noqa: PTH116 - a path or a descriptor
        return facts.st_dev, facts.st_ino

    def _save(self, path: Path) -> Path:
        self._saved += 1
        saved = self._stash / str(self._saved)
        REAL["link"](path, saved)
        return saved

    def made(self, path: Path) -> None:
        """Note a new name."""
        self._pending.append((path.parent, lambda: _remove(path)))

    def written(self, descriptor: int, path: str) -> None:
        """Note bytes that are not flushed."""
        self._dirty[self._inode(descriptor)] = path

    def flushed(self, descriptor: int, path: Path) -> None:
        """Note that a file, or the names in a folder, are safe."""
        inode = self._inode(descriptor)
        self._dirty.pop(inode, None)
        self._synced[inode] = os.fstat(descriptor).st_size
        if path.is_dir():
            self._pending = [one for one in self._pending if one[0] != path]

    def found(self, descriptor: int) -> None:
        """Note a file that was there before: all of it is safe."""
        self._synced.setdefault(self._inode(descriptor), os.fstat(descriptor).st_size)

    def leaving(self, path: Path) -> None:
        """Note that a name is about to go."""
        saved = self._save(path)
        self._pending.append((path.parent, lambda: REAL["link"](saved, path)))

    def moving(self, source: Path, target: Path) -> None:
        """Note that a name is about to take the place of another."""
        saved, old = self._save(source), self._save(target) if target.exists() else None

        def undo() -> None:
            REAL["unlink"](target)
            REAL["link"](saved, source)
            if old is not None:
                REAL["link"](old, target)

        self._pending.append((target.parent, undo))

    def cut(self, names: bool) -> None:
        """Take what was not flushed: bytes, and ``names`` too if asked for."""
        for place, _, files in os.walk(self._stash.parent):
            for name in files:
                path = Path(place) / name
                inode = self._inode(path)
                if inode in self._dirty:
                    os.truncate(path, self._synced.get(inode, 0))
        for _, undo in reversed(self._pending) if names else ():
            undo()


class Fault:
    """Strikes before the ``at``-th call; never, if that is 0."""

    def __init__(self, root: Path, kind: str, at: int) -> None:
        self._root = root
        self._kind = kind
        self._at = at
        self._paths: dict[int, str] = {}
        self._disk = Disk(root / "stash") if kind.startswith("cut") else None
        self.calls: list[Call] = []

    def __enter__(self) -> "Fault":
        for name in CALLS:
            setattr(os, name, self._wrapper(name))
        return self

    def __exit__(self, *_: object) -> None:
        for name, call in REAL.items():
            setattr(os, name, call)

    def _refuse_if_full(self, name: str, arguments: tuple[Any, ...]) -> None:
        is_new = name == "open" and arguments[1] & os.O_CREAT and not os.path.lexists(arguments[0])
        if is_new or name in GROWING:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def _strike(self) -> None:
        if self._kind == "term":
            os.kill(os.getpid(), signal.SIGTERM)
            return
        if self._disk is not None:
            self.__exit__()
            self._disk.cut(names=self._kind == "cut")
        os.kill(os.getpid(), signal.SIGSTOP if self._kind == "stop" else signal.SIGKILL)

    def _target(self, first: Any, folder: int | None) -> str:
        path = self._paths.get(first, "?") if isinstance(first, int) else os.fspath(first)
        path = path if folder is None else f"{self._paths.get(folder, '?')}/{path}"
        inside = os.path.relpath(path, self._root)
        return re.sub(r"[0-9a-f]{16,64}|(?<=\.)\d+(?=\.partial)", "*", inside)

    def _wrapper(self, name: str) -> Callable[..., Any]:
        def call(*arguments: Any, **options: Any) -> Any:
            if options.get("dir_fd") is None and not self._is_ours(arguments[0]):
                return REAL[name](*arguments, **options)
            self.calls.append(Call(name, self._target(arguments[0], options.get("dir_fd"))))
            if self._kind == "full":
                if 0 < self._at <= len(self.calls):
                    self._refuse_if_full(name, arguments)
            elif len(self.calls) == self._at:
                if self._kind == "torn" and name == "write":
                    data = memoryview(arguments[1])
                    REAL["write"](arguments[0], data[: len(data) // 2])
                self._strike()
            return self._follow(name, arguments, options)

        return call

    def _is_ours(self, first: Any) -> bool:
        path = self._paths.get(first) if isinstance(first, int) else os.fspath(first)
        return path is not None and os.fspath(path).startswith(str(self._root))

    def _follow(self, name: str, arguments: tuple[Any, ...], options: dict[str, Any]) -> Any:
        disk, first = self._disk, arguments[0]
        if disk is not None and options.get("dir_fd") is None:
            if name == "unlink" and os.path.lexists(first):
                disk.leaving(Path(first))
            elif name == "replace":
                disk.moving(Path(first), Path(arguments[1]))
        new = name == "open" and not os.path.lexists(first)
        result = REAL[name](*arguments, **options)
        if name == "open":
            self._paths[result] = os.fspath(first)
        if disk is None:
            return result
        if new:
            disk.made(Path(first))
            disk.written(result, os.fspath(first))
        elif name == "open":
            disk.found(result)
        elif name == "link":
            disk.made(Path(arguments[1]))
        elif name == "mkdir":
            disk.made(Path(first))
        elif name in ("write", "ftruncate"):
            disk.written(first, self._paths[first])
        elif name == "fsync":
            disk.flushed(first, Path(self._paths[first]))
        return result


def tree(root: Path) -> Iterator[str]:
    """Yield every path in a folder, once; ids of versions and digests are blotted out."""
    names = (str(path.relative_to(root)) for path in root.rglob("*"))
    yield from sorted({re.sub(r"[0-9a-f]{16,64}", "*", name) for name in names})
