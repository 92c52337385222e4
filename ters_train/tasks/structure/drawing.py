"""Structures in maps, from a trained U-Net: masks, bonds and where the atoms are."""

import io
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from tersgen.dataset.dataset import Dataset
from tersgen.dataset.opening import open as open_dataset
from tersgen.dataset.output_file import replace_file
from tersgen.errors import ConfigError

from ...engine.trained import Trained, check_inputs
from ...prediction.arrays import read_arrays
from .positions import find_atoms
from .task import Structure


class Structures(NamedTuple):
    """What a model sees in some maps."""

    masks: NDArray[np.float16]
    """Probability of an atom's pixel, shape (N, E, H, W)."""
    bonds: NDArray[np.float16] | None
    """The same of a bond, shape (N, H, W)."""
    rows: NDArray[np.int64]
    """Which map each atom is in, shape (n,)."""
    elements: NDArray[np.int64]
    """Its element's channel, shape (n,)."""
    positions: NDArray[np.float32]
    """Its x (rows) and y (columns) from the frame's centre, Angstrom, shape (n, 2)."""


def read_maps(
    trained: Trained, path: Path, n_rows: int | None = None, follow_links: bool = False
) -> NDArray[np.generic]:
    """Return the maps, or cubes, of a dataset or of a file of NumPy.

    Parameters
    ----------
    trained
        The model; its shape and range are those that are expected.
    path
        A dataset, or ``.npy`` with one map or several, or ``.npz`` with them under the name of what
        the model is fed, ``maps`` or ``cube``.
    n_rows
        How many of the first rows of a dataset; None for all.
    follow_links
        Whether files of a dataset may be links.

    Returns
    -------
    ndarray
        Shape (N, C, H, W) of maps, (N, H, W, C) of cubes.
    """
    (name,) = trained.model.shapes
    if path.suffix in (".npy", ".npz"):
        return read_arrays(trained, path)[name]
    dataset: Dataset = open_dataset(path, follow_links=follow_links)
    if name not in dataset:
        raise ConfigError(
            f"{path}: expected a dataset with {name}, got {', '.join(dataset.fields)}"
        )
    rows = {name: dataset[name][: n_rows or dataset.n_samples]}
    return check_inputs(trained, rows, str(path))[name]


@torch.inference_mode()
def predict_structures(trained: Trained, maps: NDArray[np.generic]) -> Structures:
    """Return what a model sees in maps, or cubes, of the shape that it is for."""
    if not isinstance(trained.task, Structure):
        raise ConfigError(
            f"{trained.folder}: expected a model of structures, got one of "
            f"{trained.state.config.task.name}"
        )
    targets = trained.task.options
    masks, bonds, wheres, places = [], [], [], []
    (name,) = trained.model.shapes
    first = 0
    for batch in trained.batches({name: maps}):
        with torch.inference_mode():
            outputs = trained.model(batch)
        shares = outputs["masks"].float().sigmoid()
        where, place = find_atoms(shares, targets)
        wheres.append((where + torch.tensor([first, 0], device=where.device)).cpu().numpy())
        places.append(place.cpu().numpy())
        masks.append(shares.half().cpu().numpy())
        if "bonds" in outputs:
            bonds.append(outputs["bonds"].float().sigmoid().half().cpu().numpy())
        first += len(shares)
    atoms = np.concatenate(wheres)
    return Structures(
        masks=np.concatenate(masks),
        bonds=np.concatenate(bonds) if bonds else None,
        rows=atoms[:, 0],
        elements=atoms[:, 1],
        positions=np.concatenate(places),
    )


def write_structures(path: Path, found: Structures, elements: tuple[str, ...]) -> None:
    """Write structures as ``.npz``: masks, bonds, symbols, and row, element and place of atoms."""
    arrays: dict[str, Any] = {
        "masks": found.masks,
        "symbols": np.array(elements),
        "atom_rows": found.rows,
        "atom_elements": found.elements,
        "atom_positions": found.positions,
    }
    if found.bonds is not None:
        arrays["bonds"] = found.bonds
    content = io.BytesIO()
    np.savez_compressed(content, **arrays)
    replace_file(path, content.getvalue())
