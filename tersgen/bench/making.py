"""The data of a task, in one folder: datasets for training and for scoring."""

import io
from collections.abc import Callable
from importlib import resources
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..api.building import build, prepare_build
from ..api.datasets import split
from ..api.measuring import ingest
from ..dataset.output_file import replace_file
from ..errors import ConfigError, OutputError
from ..files import why
from ..schema.base import Frozen, field
from ..schema.loading import read_text, validate_text
from ..schema.presets import Table
from ..text import counted
from .task import ENDING, Size, Task, load_task

DOCUMENT = "task.json"
OWN_TASK = "task.toml"
"""Copy of the file of a task that is not one of ours."""
RATIOS = {"train": 0.9, "val": 0.1}
MOLECULES = "molecules.npz"
_SOLUTION = "/images"
"""Ending of the names of arrays with the solution."""


class MadeTask(Frozen):
    """Contents of ``task.json``: the task whose data are in the folder."""

    task: str = field("name", "1")
    version: int = field("version of the task", "1")
    size: Size = field("small or full", "1")


class Made(NamedTuple):
    """The data of a task."""

    task: Task
    folder: Path
    size: Size


def make(
    name: str | Path,
    folder: str | Path,
    size: Size = "small",
    measured: str | Path | None = None,
    note: Callable[[str], None] = lambda _: None,
) -> Made:
    """Make the data of a task, or resume; what is there already is kept.

    Parameters
    ----------
    name
        The task, or the path of a file ``NAME.toml`` with one (docs/tersbench.md). A copy of the
        file is kept in the folder.
    folder
        Gets the datasets ``train.zarr``, ``test.zarr`` and so on.
    size
        ``"small"`` or ``"full"``.
    measured
        For the task on measured spectra: a folder with a folder of files for each species.
    note
        Called with a line for each part.

    Raises
    ------
    ConfigError
        If this version of tersgen makes other rows than those that are frozen, or ``measured``
        does not fit the task.
    OutputError
        If the folder has the data of another task, or cannot be written.
    """
    task, folder = load_task(name), Path(folder)
    if task.measured and measured is None:
        raise ConfigError(
            f"task {task.name}: expected --measured FOLDER, with a folder of spectra for each "
            "species, got none; this task is scored on spectra of your own"
        )
    if measured is not None and not task.measured:
        raise ConfigError(f"task {task.name}: expected no measured spectra, got {measured}")
    _claim(task, folder, size)
    if str(name).endswith(ENDING):
        replace_file(folder / OWN_TASK, read_text(Path(name)).encode())
    for part in task.parts:
        recipe, n = task.recipe(part), task.rows(part, size)
        path = folder / f"{part}.zarr"
        digest, frozen = recipe_digest(recipe), task.parts[part].digest
        if frozen is None:
            note(f'{part} is not frozen: add digest = "{digest}" to [parts.{part}]')
        elif digest != frozen:
            raise ConfigError(
                f"task {task.name}: expected a recipe with digest {frozen[:12]} for {part}, got "
                f"{digest[:12]}: this version of tersgen makes other rows; scores would not be "
                "comparable"
            )
        note(f"{path}: {counted(n, 'row')}")
        dataset = build(recipe, n, path)
        if part == "train" and "default" not in dataset.splits:
            split(path, RATIOS)
    if measured is not None:
        path = folder / "test.zarr"
        note(f"{path}: spectra in {measured}")
        # the points that a spectrum lacks repeat its ends, which inputs.mask marks
        ingest(
            [Path(measured)],
            path,
            label_from="folder",
            like=folder / "train.zarr",
            allow_extrapolation=True,
            skip_bad=True,
        )
    if task.kind == "response":
        given: dict[str, Any] = {
            name: x for name, x in load_images().items() if not name.endswith(_SOLUTION)
        }
        content = io.BytesIO()
        np.savez_compressed(content, **given)
        replace_file(folder / MOLECULES, content.getvalue())
    return Made(task, folder, size)


def recipe_digest(recipe: Table) -> str:
    """Return the digest of the resolved recipe of some settings, which names its rows."""
    return prepare_build(recipe, 1, "trial.zarr", is_trial=True).plan.contents.recipe_digest


def open_made(folder: str | Path) -> Made:
    """Return the task whose data are in a folder.

    Raises
    ------
    ConfigError
        If it has none, or of another version.
    """
    folder = Path(folder)
    if not (folder / DOCUMENT).exists():
        raise ConfigError(
            f"{folder}: expected the data of a task, got no {DOCUMENT}; make them with "
            "tersgen bench make TASK --out FOLDER"
        )
    made = validate_text(MadeTask, read_text(folder / DOCUMENT), str(folder / DOCUMENT))
    own = folder / OWN_TASK
    task = load_task(own, made.task) if own.exists() else load_task(made.task)
    if task.version != made.version:
        raise ConfigError(
            f"{folder}: expected version {task.version} of task {task.name}, got {made.version}; "
            "make it again in another folder"
        )
    return Made(task, folder, made.size)


def load_images() -> dict[str, NDArray[Any]]:
    """Return the molecules of the task on responses, and their ab-initio images.

    For each molecule NAME: ``NAME/symbols`` (A,), ``NAME/atoms`` (A, 3) in Angstrom,
    ``NAME/frequencies`` (M,) in cm^-1, ``NAME/displacements`` (M, A, 3) in amu^-1/2,
    ``NAME/atom_tensors`` (M, A, 3, 3) in Angstrom^2 amu^-1/2, the tips' positions ``NAME/tips``
    (T, 3) in Angstrom and directions ``NAME/directions`` (T, 3), and the solution: amplitudes
    ``NAME/images`` (T, M) in Angstrom^-4 amu^-1/2 for a tip with a dipole moment of 1. RHF in
    aug-cc-pVDZ, by linear response (docs/nearfield.md).
    """
    file = resources.files(__package__) / "response_images.npz"
    with resources.as_file(file) as path, np.load(path) as arrays:
        return dict(arrays)


def _claim(task: Task, folder: Path, size: Size) -> None:
    """Make the folder, or check that it has the data of this task."""
    mine = MadeTask(task=task.name, version=task.version, size=size)
    path = folder / DOCUMENT
    if path.exists():
        there = validate_text(MadeTask, read_text(path), str(path))
        if there != mine:
            raise OutputError(
                f"{folder}: expected task {task.name} {task.version}, {size}, got {there.task} "
                f"{there.version}, {there.size}; choose another folder"
            )
        return
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"{folder}: cannot be made: {why(error)}") from None
    replace_file(path, (mine.model_dump_json(indent=2) + "\n").encode())
