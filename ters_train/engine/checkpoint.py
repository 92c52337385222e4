"""Checkpoints: tensors as safetensors, all else as readable JSON; nothing in them is ever run.

A checkpoint is a folder. It is written under a temporary name, flushed and renamed, and its
``state.json`` holds the size and checksum of its other files: an incomplete
one is detected and skipped. ``state.xxh128`` is the checksum of ``state.json`` itself.
"""

import json
import os
import re
import stat
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Literal, NamedTuple, Self

from pydantic import Field, JsonValue, model_validator
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor
from xxhash import xxh3_128

from tersgen.dataset.output_file import replace_file
from tersgen.errors import ConfigError, DatasetError, OutputError
from tersgen.files import why
from tersgen.schema.base import DIGEST, Frozen, field
from tersgen.schema.loading import parse_json, validate_text
from tersgen.text import printable

from ..config import RunConfig
from ..config_versions import from_version_2
from ..zoo import folder_of

FORMAT_VERSION = 3
"""Version of the format of checkpoints; 2 is read too, which had a field for each model."""

CHECKPOINTS = "checkpoints"
CONFIG = "config.json"
_STATE, _CHECK = "state.json", "state.xxh128"
_NAME = re.compile(r"(step|best)-(\d{9})")
_PASSING = ("partial", "replaced")
"""Endings of the names of folders that a save makes and removes."""
_PASSING_NAME = re.compile(rf"{_NAME.pattern}\.({'|'.join(_PASSING)})")
_LARGEST = 1 << 36
_LARGEST_STATE = 1 << 23
_LARGEST_HEADER = 1 << 22
"""Larger headers of files of tensors are refused: those of the largest models have half of it."""
FILES = ("model", "optimiser", "average")
"""Files of tensors that a checkpoint may have."""
_OURS = (_CHECK, _STATE, *(f"{name}.safetensors" for name in FILES))
"""All files of a checkpoint, in the order in which they are removed: it is torn at once."""

Count = Annotated[int, Field(ge=0, le=2**53)]


class FileCheck(Frozen):
    """What a file of a checkpoint must be."""

    bytes: Count = field("size", "byte")
    xxh128: str = field("XXH3 128-bit hash", "1", pattern=r"^[0-9a-f]{32}$")


class Best(Frozen):
    """The best epoch so far on the part that chooses."""

    score: float = field(
        "what its task chooses by: macro-F1, Eq. (9.2), mean Dice, Eq. (9.5), ...", "1"
    )
    epoch: Count = field("the epoch, from 0", "1")
    step: Count = field("steps done at its end", "1")


class Position(Frozen):
    """The position of a run."""

    step: Count = field("optimiser steps done", "1", 0)
    epoch: Count = field("epoch that it is in, from 0", "1", 0)
    batch: Count = field("batches of the epoch that were used", "1", 0)
    best: Best | None = field("the best epoch so far", "1", None)
    since_best: Count = field("epochs since then", "1", 0)


class State(Frozen):
    """The readable part of a checkpoint."""

    format_version: Literal[3] = field("version of the format of checkpoints", "1", FORMAT_VERSION)
    position: Position = field("where the run stands; with the seed it decides what follows", "1")
    config: RunConfig = field("the run", "1")
    classes: tuple[str, ...] = field("species names in label order", "1")
    axis_cm1: tuple[float, float] | None = field(
        "first and last Raman shift of the spectra", "cm^-1", None
    )
    low: float = field("lower end of the range of the inputs: 0 or -1", "1", 0.0)
    parts: bool = field("whether it was shown spectra that were measured in part", "1", False)
    order: str | None = field("digest of the order of training", "1", None, pattern=DIGEST)
    scaler: dict[str, JsonValue] = field("state of the dynamic loss scale", "1", {})
    files: dict[str, FileCheck] = field("its other files", "1", {})

    @model_validator(mode="after")
    def _complete(self) -> Self:
        n_classes = self.config.task.options.get("n_classes", len(self.classes))
        if n_classes != len(self.classes):
            raise ValueError(
                f"classes: expected {n_classes}, as many as the model has outputs, got "
                f"{len(self.classes)}"
            )
        if self.low not in (0.0, -1.0):
            raise ValueError(f"low: expected 0 or -1, got {self.low:g}")
        if self.axis_cm1 is not None and not self.axis_cm1[0] < self.axis_cm1[1]:
            raise ValueError(f"axis_cm1: expected a rising axis, got {list(self.axis_cm1)}")
        return self


class Checkpoint(NamedTuple):
    """A checkpoint that was read and found whole."""

    folder: Path
    state: State
    tensors: dict[str, dict[str, Tensor]]
    """By file: ``model``, and where there are, ``optimiser`` and ``average``."""


def _durable(path: Path, content: bytes) -> None:
    with path.open("xb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _flush_names(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_config(run: Path, config: RunConfig) -> None:
    """Write what decides a run into its folder."""
    replace_file(run / CONFIG, config.model_dump_json(indent=1).encode() + b"\n")


def save_checkpoint(
    run: Path, state: State, tensors: Mapping[str, Mapping[str, Tensor]], best: bool = False
) -> Path:
    """Write a checkpoint, whole or not at all; one of the same step is replaced.

    Parameters
    ----------
    run
        Folder of the run.
    state
        Its readable part; ``files`` is filled in.
    tensors
        Tensors by name, by file.
    best
        Whether it is kept as the best.

    Raises
    ------
    OutputError
        If the file system refuses; the checkpoints before are as they were.
    """
    place = run / CHECKPOINTS
    target = place / f"{'best' if best else 'step'}-{state.position.step:09d}"
    partial, replaced = (place / f"{target.name}.{word}" for word in _PASSING)
    try:
        if place.is_symlink():
            raise OutputError(f"{place}: expected a folder, got a link; start the run where it is")
        place.mkdir(parents=True, exist_ok=True)
        for folder in (partial, replaced, target):
            _refuse_foreign(folder)
        _remove(partial)
        partial.mkdir()
        files = {}
        for name, values in tensors.items():
            content = save({key: value.contiguous().cpu() for key, value in values.items()})
            _durable(partial / f"{name}.safetensors", content)
            files[f"{name}.safetensors"] = FileCheck(
                bytes=len(content), xxh128=xxh3_128(content).hexdigest()
            )
        text = state.model_copy(update={"files": files}).model_dump_json(indent=1).encode()
        _durable(partial / _STATE, text + b"\n")
        _durable(partial / _CHECK, xxh3_128(text + b"\n").hexdigest().encode())
        _flush_names(partial)
        _remove(replaced)
        if target.exists():  # away with it by a rename: it is whole until the new one is
            target.rename(replaced)
        partial.rename(target)
        _flush_names(place)
        _remove(replaced)
    except OutputError:
        raise
    except OSError as error:
        with suppress(OSError):
            _remove(partial)  # to give back what room it took
        raise OutputError(
            f"{target}: the checkpoint cannot be written: {why(error)}; those before it are "
            "kept; make room and continue with --resume"
        ) from None
    return target


def _foreign(folder: Path) -> Path | None:
    """Return what is in the place of a checkpoint, or in it, and none of its files."""
    if not os.path.lexists(folder):
        return None
    if folder.is_symlink() or not folder.is_dir():
        return folder
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.name not in _OURS or not entry.is_file(follow_symlinks=False):
                return folder / entry.name
    return None


def _refuse_foreign(folder: Path) -> None:
    foreign = _foreign(folder)
    if foreign is not None:
        raise OutputError(
            f"{foreign}: expected nothing but the files of a checkpoint there, got what no run "
            "has made; move it away and continue with --resume"
        )


def _remove(folder: Path) -> None:
    """Remove a checkpoint, file by file, by their names."""
    if folder.exists():
        for name in _OURS:
            (folder / name).unlink(missing_ok=True)
        folder.rmdir()


def _step_of(folder: Path) -> int:
    return int(folder.name.rpartition("-")[2])


def _folders(run: Path, kind: str) -> list[Path]:
    """Return the checkpoints of a kind, newest first."""
    place = run / CHECKPOINTS
    if place.is_symlink() or not place.is_dir():
        return []
    found = [path for path in place.iterdir() if path.is_dir() and not path.is_symlink()]
    named = [path for path in found if (m := _NAME.fullmatch(path.name)) and m[1] == kind]
    return sorted(named, key=lambda path: path.name, reverse=True)


def has_checkpoints(run: Path) -> bool:
    """Return whether a run has saved a checkpoint, complete or not."""
    return bool(_folders(run, "step") or _folders(run, "best"))


def prune(run: Path, position: Position, keep: int) -> None:
    """Remove all but the newest ``keep`` checkpoints up to a position, and its best one.

    Those of later steps are left over from before a resume, which has found them torn or has not
    come there again. One that holds anything else than its files is left as it is.
    """
    place = run / CHECKPOINTS
    if place.is_symlink() or not place.is_dir():
        return
    best = None if position.best is None else position.best.step
    steps = [path for path in _folders(run, "step") if _step_of(path) <= position.step][:keep]
    kept = {*steps, *(path for path in _folders(run, "best") if _step_of(path) == best)}
    try:
        passing = [path for path in place.iterdir() if _PASSING_NAME.fullmatch(path.name)]
        for path in [*_folders(run, "step"), *_folders(run, "best"), *passing]:
            if path not in kept and _foreign(path) is None:
                _remove(path)
    except OSError as error:
        raise OutputError(f"{error.filename}: cannot be removed: {why(error)}") from None


def _content(path: Path, largest: int) -> bytes:
    # not to wait for what a pipe of that name may bring
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
    with os.fdopen(os.open(path, flags), "rb") as file:
        status = os.fstat(file.fileno())
        if not stat.S_ISREG(status.st_mode):
            raise DatasetError(f"{path}: expected a file, got something else")
        if status.st_size > largest:
            raise DatasetError(f"{path}: expected at most {largest} bytes, got {status.st_size}")
        return file.read(status.st_size)


def load_checkpoint(folder: Path) -> Checkpoint:
    """Read a checkpoint.

    Raises
    ------
    DatasetError
        If it is torn, damaged or none.
    """
    try:
        state = _read_state(folder)
        tensors = {}
        for name, check in state.files.items():
            stem = name.removesuffix(".safetensors")
            if stem not in FILES or stem == name:
                raise DatasetError(
                    f"{folder}: expected names of files, {', '.join(FILES)}.safetensors, got "
                    f"{name[:40]!r}"
                )
            data = _content(folder / name, min(check.bytes, _LARGEST))
            if len(data) != check.bytes or xxh3_128(data).hexdigest() != check.xxh128:
                raise DatasetError(f"{folder / name}: is not what was saved")
            tensors[stem] = _tensors(folder / name, data)
        if "model" not in tensors:
            raise DatasetError(f"{folder}: expected weights, model.safetensors, got none")
    except DatasetError:
        raise
    except OSError as error:
        raise DatasetError(f"{folder}: cannot be read: {why(error)}") from None
    return Checkpoint(folder, state, tensors)


def _read_state(folder: Path) -> State:
    path = folder / _STATE
    content = _content(path, _LARGEST_STATE)
    if xxh3_128(content).hexdigest().encode() != _content(folder / _CHECK, _LARGEST_STATE):
        raise DatasetError(f"{path}: is not what was saved")
    try:
        text = content.decode()
        table = parse_json(text)
    except ValueError as error:
        reason = printable(" ".join(str(error).split()))[:120]
        raise DatasetError(f"{path}: expected JSON, got something else: {reason}") from None
    if not isinstance(table, dict):
        raise DatasetError(f"{path}: expected a table, got {type(table).__name__}")
    version = table.get("format_version")
    if version not in (2, FORMAT_VERSION):
        raise DatasetError(
            f"{folder}: expected a checkpoint of format version {FORMAT_VERSION}, got "
            f"{printable(repr(version)[:20])}; use the version of ters_train that wrote it, or "
            "train again"
        )
    if version == 2:
        config = table.get("config")
        table["config"] = from_version_2(config) if isinstance(config, dict) else config
        text = json.dumps({**table, "format_version": FORMAT_VERSION})
    try:
        return validate_text(State, text, str(path))
    except ConfigError as error:
        raise DatasetError(str(error)) from None


def _tensors(path: Path, data: bytes) -> dict[str, Tensor]:
    """Return the tensors in a file's content; its header may not be larger than models need."""
    header = int.from_bytes(data[:8], "little")
    if header > min(_LARGEST_HEADER, len(data) - 8):
        raise DatasetError(f"{path}: expected tensors, got a header of {header} bytes")
    try:
        return load(data)
    except (SafetensorError, ValueError, KeyError, TypeError, RuntimeError) as error:
        reason = printable(" ".join(str(error).split()))[:120]
        raise DatasetError(f"{path}: expected tensors, got a file that fails: {reason}") from None


def newest(run: Path, kind: str = "step") -> tuple[Checkpoint | None, list[str]]:
    """Return the newest whole checkpoint of a run, if any, and what is wrong with newer ones."""
    wrong: list[str] = []
    for folder in _folders(run, kind):
        try:
            return load_checkpoint(folder), wrong
        except DatasetError as error:
            wrong.append(str(error))
    return None, wrong


def choose(path: Path) -> Checkpoint:
    """Return the checkpoint that a user names: itself, or the best, else the newest, of a run.

    ``zoo:NAME`` is a run that comes with the package.
    """
    path = folder_of(path)
    if (path / _STATE).exists():
        return load_checkpoint(path)
    wrong: list[str] = []
    for kind in ("best", "step"):
        found, faults = newest(path, kind)
        wrong += faults
        if found is not None:
            return found
    if not path.exists():
        raise DatasetError(f"{path}: no such run")
    more = f": {wrong[0]}" if wrong else ", there is none yet"
    raise DatasetError(f"{path}: expected a run with a whole checkpoint{more}")
