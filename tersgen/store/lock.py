"""One builder at a time: a lock made of hard links, which network file systems keep atomic.

The lock is the file ``builder.N.lock`` with the highest N; it names its holder. No clock decides: a
holder on this machine is dead when its process is gone (or another one has its number); one on
another machine is assumed to be alive until the user says otherwise. A dead holder's lock is not
removed but superseded by N + 1, which only one of many processes can create.

A builder may be superseded while it is suspended. It checks the lock after it has written a
temporary file and before it gives it its final name; a process that takes the lock removes all
temporary files first. So the suspended builder finds that it lost the lock, or that its file is
gone.
"""

import os
import platform
import re
import secrets
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Self
from urllib.parse import quote, unquote_to_bytes

from pydantic import Field, ValidationError

from ..errors import BusyError, LostLockError, OutputError
from ..files import why
from ..schema.base import Frozen, Text, field
from .files import PARTIAL, publish, remove_unfinished, write_partial
from .sources import read_inside

_NAME = re.compile(r"builder\.([1-9][0-9]{0,15})\.lock")
_UNFINISHED = re.compile(rf"{_NAME.pattern}\.[0-9a-f]{{16}}{re.escape(PARTIAL)}")
_LARGEST = 1 << 16
TAKE_OVER = "; if that process is dead, or this is a copy of what it writes, pass --take-over"
"""What an error says of a holder on another machine."""
_PROCESSES = Path("/proc/self").parent

Word = Annotated[str, Field(max_length=100, pattern=r"^[A-Za-z0-9._:+\[\]-]*$")]
Encoded = Annotated[str, Field(max_length=3 * 4096, pattern=r"^[A-Za-z0-9._~/%-]*$")]


class Holder(Frozen):
    """Who holds a lock."""

    host: Text = field("name of its machine", "1")
    pid: int = field("its process", "1")
    machine: Word = field("this run of the machine: changes when it is started again", "1")
    started: Word = field("start of the process, in ticks since the machine's start", "1")
    token: Word = field("random, its own", "1")
    folder: Encoded = field("what it writes: real path of the folder, percent-encoded", "1", "")
    since: Word = field("when it took the lock, ISO 8601, UTC", "1", "")

    @property
    def is_here(self) -> bool:
        """Whether it is a process of this machine, since it was last started."""
        return self.machine == _machine()

    def writes(self, folder: Path) -> bool:
        """Return whether it may be this folder that it writes, and not one that was copied from it.

        The folder that it named is looked up as the process itself sees it. One that is not there
        was moved, with the lock in it, and is written to still.
        """
        if not self.folder:
            return True
        named = os.fsdecode(unquote_to_bytes(self.folder))
        root = f"{_PROCESSES}/{self.pid}/root" if _PROCESSES.is_dir() else ""
        try:
            return Path(root + named).samefile(folder)
        except (OSError, ValueError):  # such as not allowed to see it, or no path at all
            return True


def is_lock(name: str) -> bool:
    """Return whether a file of this name is a lock."""
    return _NAME.fullmatch(name) is not None


def is_lock_text(path: Path) -> bool:
    """Return whether a file is a lock by its name, and says who holds it."""
    return is_lock(path.name) and _read(path) is not None


def is_lock_file(path: Path) -> bool:
    """Return whether a file is a lock that says who holds it, or is about to become one.

    So does one that is gone by now: it was the lock of a builder that has just ended.
    """
    if _UNFINISHED.fullmatch(path.name):
        return not path.is_symlink() and not path.is_dir()
    return is_lock_text(path) or (is_lock(path.name) and not os.path.lexists(path))


def _machine() -> str:
    """Return what tells this boot of this machine, and this space of process numbers, apart."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()
        return f"{boot}.{Path('/proc/self/ns/pid').readlink()}"
    except OSError:
        return re.sub(r"[^A-Za-z0-9.-]", "-", platform.node())[:100]


def _started(pid: int) -> str | None:
    """Return when a process of this machine began, or None if it has ended."""
    try:
        text = (_PROCESSES / str(pid) / "stat").read_text("ascii", "replace")
    except OSError:
        return None if _PROCESSES.is_dir() else _runs(pid)
    state, *numbers = text.rpartition(")")[2].split()
    return None if state in "ZX" else numbers[18]


def _runs(pid: int) -> str | None:
    """Return "unknown" for a process that runs, where the system does not tell since when."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return None
    except OSError:
        pass
    return "unknown"


def _read(path: Path) -> Holder | None:
    """Return who holds a lock, or None if the file is gone or says nothing."""
    try:
        return Holder.model_validate_json(read_inside(path.parent, path.name, _LARGEST))
    except (OSError, ValidationError):
        return None


def _number(path: Path) -> int:
    match = _NAME.fullmatch(path.name)
    return int(match.group(1)) if match else 0


def _locks(folder: Path) -> list[Path]:
    """Return all locks of a folder; the one that counts is the last."""
    return sorted((path for path in folder.iterdir() if is_lock(path.name)), key=_number)


def _newest(folder: Path) -> Holder | None:
    locks = _locks(folder) if folder.is_dir() else []
    return _read(locks[-1]) if locks else None


def lock_holder(folder: Path) -> Holder | None:
    """Return who is writing a dataset now, or None; a dead builder does not count."""
    holder = _newest(folder)
    return None if holder is None or _is_dead(holder, folder) else holder


def _is_dead(holder: Holder, folder: Path) -> bool:
    """Return whether nobody writes a folder for whom its lock was made: it may be a copy's."""
    return holder.is_here and (_started(holder.pid) != holder.started or not holder.writes(folder))


class BuilderLock:
    """The right to write a dataset; a context manager.

    Parameters
    ----------
    folder
        The dataset's folder.
    take_over
        Take the lock from a holder on another machine, or one that cannot be read, which a person
        knows to be dead.
    clear
        Called with the folder once the lock is held: removes what a builder that is dead, or
        believed so, may be about to give a name. By default the temporary files of a dataset.
    """

    def __init__(
        self,
        folder: Path,
        take_over: bool = False,
        clear: Callable[[Path], object] = remove_unfinished,
    ) -> None:
        self._folder = folder
        self._clear = clear
        self._take_over = take_over
        pid = os.getpid()
        self._me = Holder(
            host=re.sub(r"[^ -~]", "?", platform.node())[:200],
            pid=pid,
            machine=_machine(),
            started=_started(pid) or "unknown",
            token=secrets.token_hex(8),
            folder=quote(os.fsencode(os.path.realpath(folder))),
            since=datetime.now(UTC).isoformat(timespec="seconds"),
        )
        self.token = self._me.token
        self.number = 0
        """Of the lock that is held; 0 before."""
        self._path: Path | None = None

    def _refuse(self, path: Path) -> None:
        """Raise if a lock is that of a builder that may be at work."""
        holder = _read(path)
        if holder is None:
            if self._take_over or not path.exists():
                return
            raise BusyError(
                f"{path}: does not say who is writing the dataset; if nobody is, pass --take-over, "
                "or remove this file"
            )
        here = holder.machine == self._me.machine
        if holder == self._me or _is_dead(holder, self._folder) or (self._take_over and not here):
            return
        hint = "" if here else TAKE_OVER
        raise BusyError(
            f"{self._folder}: process {holder.pid} on {holder.host} is writing it; wait for it, "
            f"or stop it{hint}"
        )

    def _create(self, path: Path) -> bool:
        """Create a lock; return False if another builder was faster."""
        partial = path.with_name(f"{path.name}.{self.token}{PARTIAL}")
        try:
            write_partial(partial, [self._me.model_dump_json().encode()])
            publish(partial, path)
        except FileNotFoundError:
            return False  # the faster one has removed the temporary file
        finally:
            partial.unlink(missing_ok=True)
        # an answer lost on the network looks like a refusal: the content decides
        return _read(path) == self._me

    def _take(self) -> None:
        while self._path is None:
            locks = _locks(self._folder)
            for path in locks:
                self._refuse(path)
            number = _number(locks[-1]) + 1 if locks else 1
            path = self._folder / f"builder.{number}.lock"
            if self._create(path):
                self._path, self.number = path, number
        # what was seen before may be old by now: another may have taken a higher number since
        others = [path for path in _locks(self._folder) if path != self._path]
        for path in others:
            self._refuse(path)
        for path in others:
            path.unlink(missing_ok=True)
        self._clear(self._folder)

    def __enter__(self) -> Self:
        """Take the lock."""
        try:
            self._take()
        except BaseException as error:
            self.__exit__()
            if isinstance(error, OSError) and not isinstance(error, OutputError):
                raise OutputError(f"{self._folder}: cannot be written: {why(error)}") from error
            raise
        return self

    def check(self) -> None:
        """Make sure that nobody has taken the lock from this builder."""
        newest = _newest(self._folder)
        if newest is None or newest.token != self.token:
            who = f"process {newest.pid} on {newest.host}" if newest else "another builder"
            raise LostLockError(
                f"{self._folder}: {who} has taken over while this builder was out of touch; "
                "this one stops, and the shards that it has finished stay"
            )

    def __exit__(self, *_: object) -> None:
        """Give the lock back."""
        if self._path is not None and _read(self._path) == self._me:
            self._path.unlink(missing_ok=True)


def remove_lock_files(folder: Path) -> None:
    """Remove temporary files of locks, and nothing else: ``folder`` is no dataset."""
    for path in folder.iterdir():
        if _UNFINISHED.fullmatch(path.name) and not path.is_symlink() and path.is_file():
            path.unlink(missing_ok=True)


class LockView:
    """A builder's lock, as one who works for it elsewhere sees it.

    Parameters
    ----------
    folder
        The dataset's folder.
    number, token
        Those of the lock that the builder held when it gave the work out.
    patience_s
        How long a network file system may take to show the lock here. Once it was seen, it is
        lost as soon as it is seen no more.
    """

    def __init__(self, folder: Path, number: int, token: str, patience_s: float) -> None:
        self._folder = folder
        self._number = number
        self._token = token
        self._patience_s = patience_s

    def check(self) -> None:
        """Make sure that the builder still holds the lock."""
        end = time.monotonic() + self._patience_s
        while True:
            locks = _locks(self._folder) if self._folder.is_dir() else []
            newest = _read(locks[-1]) if locks else None
            if newest is not None and newest.token == self._token:
                self._patience_s = 0.0
                return
            outnumbered = locks and _number(locks[-1]) > self._number
            if outnumbered or time.monotonic() >= end:
                raise LostLockError(
                    f"{self._folder}: the builder that this worker works for holds its lock no "
                    "more; nothing is written for it"
                )
            time.sleep(min(0.2, self._patience_s))
