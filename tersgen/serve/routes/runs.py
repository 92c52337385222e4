"""Training runs of the folder, as ``ters-train`` writes them; nothing of PyTorch is needed."""

from contextlib import suppress
from pathlib import Path
from typing import Any

from fastapi import APIRouter

from ...errors import DamagedDataError
from ...plotting.runs import read_document, read_log
from ...text import not_among
from ..auth import needs
from ..folder import UnknownNameError
from ..server import Here

router = APIRouter(prefix="/api/v1/runs", tags=["runs"], dependencies=[needs("read")])

_MOST_ENTRIES = 2000
_LARGEST_LOG = 16 << 20
_DOCUMENTS = ("scores", "confusion", "misread")


def _log(folder: Path) -> list[dict[str, Any]]:
    """Return the entries of a run's log, thinned out if there are very many."""
    entries = read_log(folder, _LARGEST_LOG)
    step = -(-len(entries) // _MOST_ENTRIES) or 1
    return entries[::-step][::-1]  # the last one is always there


def _evaluations(folder: Path) -> dict[str, dict[str, Any]]:
    """Return scores and confusion matrices of the run itself, and of evaluations inside it."""
    found = {}
    for place in (folder, *sorted(folder.iterdir())):
        if (place / "scores.json").is_file() and not place.is_symlink():
            name = "run" if place == folder else place.name
            found[name] = {one: read_document(place / f"{one}.json") for one in _DOCUMENTS}
    return found


@router.get("")
def runs(server: Here) -> list[dict[str, Any]]:
    """Return the training runs of the folder, each with the last entry of its log."""
    listed = []
    for name, folder in server.folder.runs().items():
        with suppress(DamagedDataError):
            log = _log(folder)
            listed.append({"name": name, "n_entries": len(log), "last": log[-1] if log else None})
    return listed


@router.get("/{name}")
def run(server: Here, name: str) -> dict[str, Any]:
    """Return a run: its settings, log, and the scores and confusion matrices of evaluations."""
    known = server.folder.runs()
    if name not in known:
        raise UnknownNameError(f"run: {not_among(name, known)}")
    return {
        "name": name,
        "config": read_document(known[name] / "config.json"),
        "log": _log(known[name]),
        "evaluations": _evaluations(known[name]),
    }
