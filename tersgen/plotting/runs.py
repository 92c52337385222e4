"""Folders of training runs, as ``ters-train`` writes them; nothing of PyTorch is needed."""

import json
from contextlib import suppress
from pathlib import Path
from typing import Any

from ..errors import DamagedDataError
from ..files import read_input, why

_LOG, _CONFIG = "log.jsonl", "config.json"
_LARGEST = 16 << 20
_LARGEST_LOG = 1 << 28


def is_run(folder: Path) -> bool:
    """Return whether a folder holds the log and the configuration of a training run."""
    return all((folder / name).is_file() for name in (_LOG, _CONFIG))


def read_log(folder: Path, largest: int = _LARGEST_LOG) -> list[dict[str, Any]]:
    """Return the entries of a run's log; a line that was cut short is left out."""
    entries = []
    for line in _read(folder / _LOG, largest).splitlines():
        with suppress(ValueError, RecursionError):
            entry = json.loads(line, parse_constant=lambda _: None)
            if isinstance(entry, dict):
                entries.append(entry)
    return entries


def read_document(path: Path) -> Any:
    """Return a JSON document of a run; None if there is none, or a link."""
    if not path.is_file() or path.is_symlink():
        return None
    try:
        return json.loads(_read(path, _LARGEST), parse_constant=lambda _: None)
    except (ValueError, RecursionError) as error:
        raise DamagedDataError(
            f"{path.parent.name}/{path.name}: expected JSON, got: {error}"
        ) from None


def _read(path: Path, largest: int) -> bytes:
    name = f"{path.parent.name}/{path.name}"
    try:
        content = read_input(path, largest)
    except OSError as error:
        raise DamagedDataError(f"{name}: cannot be read: {why(error)}") from None
    if len(content) > largest:
        raise DamagedDataError(f"{name}: expected at most {largest >> 20} MiB, got more")
    return content
