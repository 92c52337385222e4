"""The files of measured spectra that a user names: without datasets, which are something else."""

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from ..dataset.downloads import with_local_copy
from ..dataset.ownership import is_same_place, names_dataset
from ..errors import MeasurementError
from ..measured.collection import find_files
from ..text import command, printable
from ..urls import is_remote

Note = Callable[[str], None]
"""Tells a user what may be overlooked."""


def find_sources(paths: Iterable[Path], note: Note, written: Sequence[Path] = ()) -> list[Path]:
    """Return the files named and those in folders; datasets inside folders are skipped and named.

    Nothing is said of what is ``written`` by the command itself.
    """
    paths = [with_local_copy(path) for path in paths]
    for path in paths:
        if is_remote(path) and names_dataset(path):  # by its URL: nobody has looked there yet
            raise MeasurementError(
                f"{printable(str(path))}: expected URLs of files of measured spectra, such as "
                "https://host/spectrum.txt, got that of a folder or dataset; name its files"
            )
        if names_dataset(path):
            raise MeasurementError(
                f"{printable(str(path))}: expected files of measured spectra, got a dataset of "
                f"tersgen; see {command('tersgen', 'info', path)}"
            )

    def skip(path: Path) -> bool:
        if not names_dataset(path):
            return False
        if not any(is_same_place(path, one) for one in written):
            hint = command("tersgen", "info", path)
            note(f"skipped: {path}: a dataset of tersgen; see {hint}")
        return True

    return find_files(paths, skip)
