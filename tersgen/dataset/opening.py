"""Datasets opened, here or again in another process, and blocks generated without one.

A pickle contains the path, the version and how it was opened, as text and numbers; no rows and no
files. If there is another dataset at that path, it is refused.
"""

from collections.abc import Hashable
from functools import lru_cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, overload

import numpy as np
from numpy.typing import NDArray

from ..errors import ConfigError, DatasetError
from ..schema.manifest import MANIFEST, VERSIONS, Manifest
from ..store.backends import make_store
from ..store.layout import leaf_rows
from ..store.links import follows_links
from ..store.location import DatasetLocation
from ..store.reader import Reader
from ..store.sources import IN_FLIGHT, exists_inside, remote_source
from ..urls import RemoteOptions, as_path, is_remote
from .basis import StoredBasis, contents_of
from .cache import CachedRows
from .dataset import Dataset
from .documents import check_generator, checked_layout, load_stored_basis, load_version_file
from .field import Reference
from .recipes import RECIPE_FILES, RecipeLike, as_recipe, load_recipe
from .sources import GeneratedRows, PartlyComputed, StoredRows
from .versions import find_version, locate, split_reference

if TYPE_CHECKING:
    import torch

    from ..on_torch import TorchGenerator
    from ..recipe import Recipe

_DEFAULT_ROWS = 100_000
_MOST_KEPT = 4
"""Datasets that stay open after they were unpickled."""


def open_version(location: DatasetLocation, manifest: Manifest) -> Dataset:
    """Return one version of a stored dataset, read-only."""
    document = load_stored_basis(location, manifest.recipe_digest)
    layout, contents = checked_layout(location.path, manifest), manifest.contents
    store = make_store(manifest.format, contents, layout)
    rows: StoredRows = Reader(location.folder, store, manifest.n_samples)
    if contents.computed:
        rows = PartlyComputed(
            rows,
            (spec.name for spec in contents.computed),
            partial(check_generator, location.path, contents, document),
            leaf_rows(contents.fields),
        )
    kept = CachedRows(
        rows,
        contents.fields,
        layout.chunk_rows,
        manifest.n_samples,
        threads=1 if remote_source(location.folder) is None else IN_FLIGHT,
    )
    path, n_samples, folder = location.path, manifest.n_samples, location.folder
    reference = _reference(path, True, manifest.version, n_samples, follows_links(folder))
    return Dataset(path, document, contents, n_samples, kept, manifest, folder, reference)


def open(
    path: str | Path,
    n_samples: int = _DEFAULT_ROWS,
    follow_links: bool = False,
    token: str | None = None,
    cache: str | Path | None = None,
) -> Dataset:
    """Open a dataset read-only.

    Parameters
    ----------
    path
        A dataset, ``data.zarr`` or ``data.h5``, or its URL, ``s3://bucket/data.zarr`` (gs, az,
        http and https, too); a version of one, ``data.zarr@v1.0``, by tag or by the beginning of
        its id; or a recipe file (TOML, YAML or JSON), whose rows are generated as they are read.
    n_samples
        Rows of a dataset that is generated; a stored one knows its own.
    follow_links
        Whether files of the dataset may be links, as git-annex and the cache of Hugging Face keep
        them; they are checked as always.
    token
        Of a web server that asks for one; by default that of ``TERSGEN_TOKEN``.
    cache
        Folder that keeps what is read from a URL, for other processes and later; by default that
        of ``TERSGEN_CACHE``, if it is set.

    Raises
    ------
    IncompleteDatasetError
        If the dataset's build did not finish.
    DatasetError
        If there is no dataset, or one that cannot be read.
    ConfigError, LibraryError
        If a recipe file is not what was expected.
    """
    path = as_path(path)
    if is_remote(path):
        given = RemoteOptions(token, None if cache is None else Path(cache))
        path = as_path(path, given) if given != RemoteOptions() else path
    path, reference = split_reference(path)
    if path.suffix not in RECIPE_FILES or not path.is_file():
        if reference is None and path.suffix in RECIPE_FILES and not path.exists():
            raise DatasetError(f"{path}: no such dataset or recipe file")
        location = locate(path, follow_links)
        return open_version(location, find_version(location, reference))
    return open_recipe(path, n_samples)


def open_recipe(path: Path, n_samples: int) -> Dataset:
    """Return the dataset that a recipe file describes; rows are generated as they are read."""
    from ..resolution import resolve

    return generated(resolve(load_recipe(path)), n_samples, path)


def generated(recipe: "Recipe", n_samples: int, path: Path) -> Dataset:
    """Return the dataset of a resolved recipe; only one with its file can be pickled."""
    from ..generator import Generator  # stored datasets are opened without Numba

    document = StoredBasis.of(recipe)
    contents = contents_of(document)
    rows = GeneratedRows(Generator(recipe.complete), leaf_rows(contents.fields))
    reference = _reference(path, False, document.digest, n_samples, False)
    return Dataset(path, document, contents, n_samples, rows, reference=reference)


def _reference(
    path: Path, is_stored: bool, wanted: str, n_samples: int, follow_links: bool
) -> Reference:
    whole = str(path.absolute())
    return Reference(reopen, (whole, is_stored, wanted, n_samples, follow_links))


def reopen(path: str, is_stored: bool, wanted: str, n_samples: int, follow_links: bool) -> Dataset:
    """Open a dataset again that was pickled.

    The last few stay open: each task of a cluster unpickles the fields that it reads. ``wanted`` is
    the id of its version, or the digest of the recipe that makes its rows.
    """
    folder = locate(as_path(path)).folder if is_stored else Path()
    remote = remote_source(folder)
    if remote is not None:
        tag = remote.open(MANIFEST).identity
        return _reopened(path, is_stored, wanted, n_samples, follow_links, tag)
    try:
        facts = (folder / MANIFEST if is_stored else Path(path)).stat()
    except OSError:
        raise DatasetError(
            f"{path}: expected the dataset that was pickled, got none; it must lie under the same "
            "path wherever it is unpickled"
        ) from None
    identity = (facts.st_dev, facts.st_ino, facts.st_size, facts.st_mtime_ns)
    return _reopened(path, is_stored, wanted, n_samples, follow_links, identity)


@lru_cache(_MOST_KEPT)
def _reopened(
    path: str,
    is_stored: bool,
    wanted: str,
    n_samples: int,
    follow_links: bool,
    _identity: Hashable,
) -> Dataset:
    """Open a dataset whose manifest or recipe file is just this one."""
    if is_stored:
        location = locate(as_path(path), follow_links)
        if exists_inside(location.folder, f"{VERSIONS}/{wanted}.json"):
            return open_version(location, load_version_file(location, wanted))
    else:
        dataset = open_recipe(Path(path), n_samples)
        if dataset.document.digest == wanted:
            return dataset
        raise DatasetError(
            f"{path}: expected the recipe of digest {wanted[:12]}, which was pickled, got "
            f"{dataset.document.digest[:12]}; open it again"
        )
    raise DatasetError(
        f"{path}: expected version {wanted[:12]}, which was pickled, got another dataset or one "
        "without it; open it again"
    )


@overload
def generate(
    recipe: RecipeLike, start: int, stop: int, threads: int | None = None
) -> dict[str, NDArray[np.generic]]: ...


@overload
def generate(
    recipe: RecipeLike,
    start: int,
    stop: int,
    threads: int | None = None,
    *,
    device: "str | torch.device",
) -> "dict[str, torch.Tensor]": ...


def generate(
    recipe: RecipeLike,
    start: int,
    stop: int,
    threads: int | None = None,
    *,
    device: "str | torch.device | None" = None,
) -> dict[str, NDArray[np.generic]] | dict[str, "torch.Tensor"]:
    """Return rows ``start`` to ``stop`` of the dataset that a recipe describes, in memory.

    Parameters
    ----------
    recipe
        A recipe, a mapping of its settings, the path of a recipe file or the name of a preset.
    start, stop
        Rows; any from 0 to 2^53.
    threads
        Threads to use; by default one for each processor.
    device
        Where PyTorch makes the rows, such as ``"cuda"``: the same values to the bit, as tensors
        there. Without it they are made on the processor, as NumPy arrays, which is faster than
        ``"cpu"``.

    Returns
    -------
    dict
        Arrays by field name, each of ``stop - start`` rows; ``tersgen info`` and
        ``open(recipe)[name].spec`` give dimensions and units.

    Raises
    ------
    ConfigError, LibraryError
        If the recipe or its library is not what was expected, or the rows are not; or the device
        is not there, or cannot make an effect of the recipe.
    """
    if not (isinstance(start, (int, np.integer)) and isinstance(stop, (int, np.integer))):
        raise ConfigError(f"rows: expected whole numbers, got {start!r} and {stop!r}")
    if not 0 <= start <= stop <= 2**53:
        raise ConfigError(f"rows: expected 0 <= start <= stop <= 2^53, got {start} and {stop}")
    from ..resolution import resolve

    resolved = resolve(as_recipe(recipe))

    if device is not None:
        return torch_generator(resolved, device).block(start, stop)
    from ..generator import Generator

    return Generator(resolved.complete).block(start, stop, threads)


def torch_generator(recipe: "Recipe", device: "str | torch.device") -> "TorchGenerator":
    """Return what makes any rows of a resolved recipe as tensors on a device."""
    try:
        from ..on_torch import TorchGenerator
    except ModuleNotFoundError as error:
        if error.name != "torch":
            raise
        raise ConfigError(
            "device: expected PyTorch, which is not installed (pip install 'tersgen[train]'); or "
            "leave device out"
        ) from None
    return TorchGenerator(recipe, device)
