"""BagIt (RFC 8493): the files of a dataset in a bag, for archives."""

import datetime
import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ...dataset.verify import verify
from ...dataset.versions import find_version, locate
from ...errors import ConfigError, DamagedDataError
from ...files import open_input
from ...plugins import register
from ...store.files import is_unfinished, sync_file
from ...store.lock import is_lock_file
from ...text import counted
from ...urls import is_remote
from ..about import TERSGEN_VERSION
from ..exporter import Exporter, Report

if TYPE_CHECKING:
    from ...dataset.dataset import Dataset

_PIECE = 1 << 22
_PAYLOAD = "data"


@register("tersgen.exporters", "bagit")
class BagIt(Exporter):
    """The dataset as it is stored, with all its versions, and a SHA-512 checksum of each file."""

    resumes = True
    format = "BagIt bag of the whole dataset, for archives"

    def write(
        self, dataset: "Dataset", fields: Sequence[str] | None, out: Path, report: Report
    ) -> None:
        """Write the bag."""
        if dataset.manifest is None or is_remote(dataset.path):
            raise ConfigError(
                f"{dataset.path}: expected a dataset on this machine for a bag, got another; build "
                "or copy it first"
            )
        if dataset.is_view or fields is not None:
            raise ConfigError(
                "bagit: expected all rows and fields, as a bag has the dataset's own files, got a "
                "selection; leave it out, or choose another format"
            )
        place = locate(dataset.path)
        if find_version(place, None).version != dataset.manifest.version:
            raise ConfigError(
                f"{dataset.path}: expected the newest version, as a bag has all of them, got "
                f"{dataset.manifest.version[:12]}; leave @VERSION out"
            )
        files = _files(place.path, place.folder)
        lines = []
        total = sum(path.stat().st_size for path in files)
        done = 0
        for path in files:
            name = f"{_PAYLOAD}/{path.relative_to(place.path.parent).as_posix()}"
            lines.append(f"{_copy(path, out / name)}  {name}")
            done += path.stat().st_size
            report(len(dataset) * done // max(1, total), len(dataset))
        found = verify(out / _PAYLOAD / place.path.name, quick=True)
        if not found.sound or found.digest != dataset.manifest.digest:
            why = found.faults[0] if found.faults else "it has changed while it was copied"
            raise DamagedDataError(f"{dataset.path}: expected a sound dataset for a bag: {why}")
        _write_tags(out, dataset, lines, f"{total}.{len(files)}")


def _files(path: Path, folder: Path) -> list[Path]:
    """Return the files of a dataset, without those of builders."""
    inside = sorted(one for one in folder.rglob("*") if one.is_file())
    kept = [one for one in inside if not is_lock_file(one) and not is_unfinished(folder, one)]
    files = kept if path == folder else [path, *kept]
    for one in files:
        if one.is_symlink():
            raise ConfigError(
                f"{one}: expected files for a bag, got a link; copy the dataset first"
            )
    return files


def _copy(source: Path, target: Path) -> str:
    """Copy a file, unless an interrupted export has copied it, and return its SHA-512."""
    if target.exists():
        with target.open("rb") as file:
            return hashlib.file_digest(file, "sha512").hexdigest()
    target.parent.mkdir(parents=True, exist_ok=True)
    digest = hashlib.sha512()
    partial = target.with_name(f"{target.name}.partial")
    with open_input(source) as file, partial.open("wb") as copy:
        while piece := file.read(_PIECE):
            digest.update(piece)
            copy.write(piece)
    sync_file(partial)
    partial.replace(target)
    return digest.hexdigest()


def _write_tags(out: Path, dataset: "Dataset", payload: list[str], oxum: str) -> None:
    """Write what makes a folder a bag."""
    known = ", ".join(dataset.classes)
    about = [
        ("External-Identifier", dataset.identity),
        (
            "External-Description",
            f"{dataset.kind} Raman data, {counted(len(dataset), 'sample')}: {known}",
        ),
        ("Bagging-Date", datetime.datetime.now(datetime.UTC).date().isoformat()),
        ("Payload-Oxum", oxum),
        ("Bag-Software-Agent", f"tersgen {TERSGEN_VERSION}"),
    ]
    texts = {
        "bagit.txt": "BagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-8\n",
        "bag-info.txt": "".join(f"{name}: {value}\n" for name, value in about),
        "manifest-sha512.txt": "".join(f"{line}\n" for line in payload),
    }
    tags = "".join(
        f"{hashlib.sha512(text.encode()).hexdigest()}  {name}\n" for name, text in texts.items()
    )
    for name, text in {**texts, "tagmanifest-sha512.txt": tags}.items():
        (out / name).write_text(text, "utf-8")
