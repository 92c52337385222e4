"""Open datasets in other processes: pickled by reference, opened again where they arrive.

A pickle names the place, the version and how it was opened, as text and numbers; no rows, no files
and no code. Where something else lies at that place, it is refused.
"""

from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from ..errors import DatasetError
from ..schema.manifest import MANIFEST

if TYPE_CHECKING:
    from .dataset import Dataset, Field

_MOST_KEPT = 4


class Reference(NamedTuple):
    """What opens a dataset again."""

    path: str
    is_stored: bool
    """Whether its rows lie in files; or a recipe makes them."""
    wanted: str
    """Id of its version, or digest of its recipe."""
    n_samples: int
    follow_links: bool

    def elsewhere(self) -> tuple[str, bool, str, int, bool]:
        """Return it as text and numbers alone, with the whole path."""
        return (str(Path(self.path).absolute()), *self[1:])


def reopen(
    path: str, is_stored: bool, wanted: str, n_samples: int, follow_links: bool
) -> "Dataset":
    """Open a dataset again that was pickled.

    The last few stay open: each task of a cluster unpickles the fields that it reads.

    Parameters
    ----------
    path
        Where it lies.
    is_stored
        Whether it is stored, or a recipe makes its rows.
    wanted
        Id of its version, or digest of its recipe.
    n_samples
        Its rows.
    follow_links
        Whether links in it are followed.

    Raises
    ------
    DatasetError
        If it is not there, or another one is in its place.
    """
    from .versions import locate

    place = locate(Path(path)).folder / MANIFEST if is_stored else Path(path)
    try:
        facts = place.stat()
    except OSError:
        raise DatasetError(
            f"{path}: expected the dataset that was pickled, got none; it must lie under the same "
            "path wherever it is unpickled"
        ) from None
    identity = (facts.st_dev, facts.st_ino, facts.st_size, facts.st_mtime_ns)
    return _reopen(Reference(path, is_stored, wanted, n_samples, follow_links), identity)


def reopen_field(reference: tuple[str, bool, str, int, bool], name: str) -> "Field":
    """Return a field that was pickled, of its dataset that is opened again."""
    return reopen(*reference)[name]


@lru_cache(_MOST_KEPT)
def _reopen(reference: Reference, _identity: tuple[int, ...]) -> "Dataset":
    """Open a dataset whose manifest or recipe file is just this one."""
    from .documents import load_version_file
    from .opening import open_recipe, open_version
    from .versions import locate, version_ids

    path, is_stored, wanted, n_samples, follow_links = reference
    if is_stored:
        home = locate(Path(path), follow_links)
        if wanted in version_ids(home):
            return open_version(home, load_version_file(home, wanted))
    else:
        dataset = open_recipe(Path(path), n_samples)
        if dataset.document.digest == wanted:
            return dataset
    what = "version" if is_stored else "the recipe of digest"
    raise DatasetError(
        f"{path}: expected {what} {wanted[:12]}, which was pickled, got another dataset or one "
        "without it; open it anew"
    )
