"""Export rows in a format by its name."""

import secrets
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from blake3 import blake3

from .. import plugins
from ..dataset.dataset import Dataset
from ..errors import ConfigError, OutputError
from ..schema.loading import validate
from ..urls import is_remote
from .about import TERSGEN_VERSION
from .exporter import Exporter, Report
from .place import new_place

GROUP: Final = "tersgen.exporters"


def exporter_class(name: str) -> type[Exporter]:
    """Return the exporter of a format.

    Raises
    ------
    ConfigError
        If there is none of that name.
    """
    found: type[Exporter] = plugins.load(GROUP, name)
    return found


def export(
    dataset: Dataset,
    out: Path,
    name: str,
    fields: Sequence[str] | None = None,
    settings: Mapping[str, Any] | None = None,
    report: Report | None = None,
) -> None:
    """Write rows in a format, whole or not at all; nothing is replaced.

    Formats that consist of many files resume an export that was killed.

    Parameters
    ----------
    dataset
        The rows, of a dataset or a view of one.
    out
        The new file or folder.
    name
        Name of the format.
    fields
        Fields to export; None for those that suit the format.
    settings
        Settings of the format by name.
    report
        Called with how many rows are written, and how many there are.

    Raises
    ------
    ConfigError
        If there is no such format or setting, or the dataset lacks what the format needs.
    UnknownFieldError
        If the dataset lacks a field.
    MissingExtraError
        If a package that the format needs is not installed.
    OutputError
        If ``out`` exists, is inside a dataset, is being written, or cannot be written.
    DamagedDataError
        If stored bytes are missing or fail their checksum.
    """
    kind = exporter_class(name)
    exporter = kind(validate(kind.Settings, dict(settings or {}), f"settings of {name}"))
    if is_remote(out):
        raise OutputError(f"{out}: expected a path on this machine, got a URL; copy it there later")
    if not out.name.endswith(kind.ending):
        raise OutputError(f"{out}: expected a name that ends in {kind.ending} for {name}")
    if not len(dataset):
        raise ConfigError(f"{dataset.path}: expected rows to export, got a selection without any")
    for field in fields or ():
        dataset[field]
    request = _request(dataset, name, exporter, fields)
    place = new_place(out, request, kind.resumes)
    with place as output, plugins.named_errors("exporter", name, kind, OutputError):
        exporter.write(dataset, fields, output, report or _ignore)


def _request(
    dataset: Dataset, name: str, exporter: Exporter, fields: Sequence[str] | None
) -> dict[str, Any]:
    """Return all that decides the bytes of an export; what another request wrote is not kept."""
    try:
        code = plugins.origin(type(exporter)).digest
    except ConfigError:  # a class without a source file
        code = secrets.token_hex(16)
    rows = blake3(dataset.row_numbers.tobytes()).hexdigest() if dataset.is_view else None
    return {
        "format": name,
        "settings": exporter.settings.model_dump(mode="json"),
        "fields": None if fields is None else list(fields),
        "dataset": dataset.path.name,
        "identity": dataset.identity,
        "version": dataset.manifest and dataset.manifest.version,
        "n_rows": len(dataset),
        "rows": rows,
        "code": [TERSGEN_VERSION, code],
    }


def _ignore(done: int, total: int) -> None:
    """Report to nobody."""
