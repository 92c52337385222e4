"""The files of measured spectra that a user names: without datasets, which are something else."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from .common.messages import say


def find_sources(paths: Iterable[Path], written: Sequence[Path] = ()) -> list[Path]:
    """Return the files named and those in folders; datasets inside folders are skipped and named.

    Nothing is said of what is ``written`` by the command itself.

    Raises
    ------
    MeasurementError
        If a dataset is named itself, a path is not there, or there is no file at all.
    """
    from ..dataset.ownership import is_same_place
    from ..errors import MeasurementError
    from ..measured.collection import find_files
    from ..text import command, printable

    paths = list(paths)
    for path in paths:
        if _is_dataset(path):
            raise MeasurementError(
                f"{printable(str(path))}: expected files of measured spectra, got a dataset of "
                f"tersgen; see {command('tersgen', 'info', path)}"
            )

    def skip(path: Path) -> bool:
        if not _is_dataset(path):
            return False
        if not any(is_same_place(path, one) for one in written):
            hint = command("tersgen", "info", path)
            say(f"skipped: {path}: a dataset of tersgen; see {hint}", err=True)
        return True

    return find_files(paths, skip)


def _is_dataset(path: Path) -> bool:
    """Return whether a path is a dataset, or the index file or the folder of one in HDF5."""
    from ..dataset.ownership import is_dataset
    from ..schema.manifest import BESIDE

    if path.is_dir():
        return is_dataset(path.resolve())
    return bool(path.name) and is_dataset(path.with_name(path.name + BESIDE))
