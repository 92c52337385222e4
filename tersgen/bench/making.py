"""The data of a task, in one folder: datasets for training and for scoring."""

import io
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import resources
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..api.building import build, prepare_build
from ..api.datasets import split
from ..api.measuring import ingest
from ..dataset.output_file import refuse_inside_dataset, replace_file
from ..errors import ConfigError, OutputError, TersError, TersWarning
from ..files import why
from ..measured.collection import find_files
from ..schema.base import Frozen, field
from ..schema.contents import Contents
from ..schema.loading import read_text, validate_text
from ..text import counted, not_among
from .task import ENDING, SIZES, TARGETS, PartName, Size, Task, load_task

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
        New, empty, or with the data of this task. Gets ``train.zarr``, ``test.zarr`` and so on.
    size
        ``"trial"``, ``"small"`` or ``"full"``; without effect on tasks that have no datasets.
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
    if size not in SIZES:
        raise ConfigError(f"size: {not_among(size, SIZES)}")
    task, folder = load_task(name), Path(folder)
    size = size if task.parts else "full"  # a task without datasets has one form
    if task.measured and measured is None:
        raise ConfigError(
            f"task {task.name}: expected --measured FOLDER, with a folder of spectra for each "
            "species, got none; this task is scored on spectra of your own"
        )
    if measured is not None and not task.measured:
        raise ConfigError(f"task {task.name}: expected no measured spectra, got {measured}")
    contents = {part: part_contents(task, part) for part in task.parts}
    digests = {part: one.recipe_digest for part, one in contents.items()}
    for part, digest in digests.items():
        frozen = task.parts[part].digest
        if frozen not in (None, digest):
            raise ConfigError(
                f"task {task.name}: expected a recipe with digest {frozen[:12]} for {part}, got "
                f"{digest[:12]}: this version of tersgen makes other rows; scores would not be "
                "comparable"
            )
        if part != "train" and digest == digests["train"]:
            raise ConfigError(
                f"task {task.name}: parts.{part}: expected other rows than those of train, got the "
                "same recipe; set another seed"
            )
    if measured is not None:
        _check_species(Path(measured), contents["train"].classes)
    _claim(task, folder, size)
    if str(name).endswith(ENDING):
        replace_file(folder / OWN_TASK, read_text(Path(name)).encode())
    for part, digest in digests.items():
        n, path = task.rows(part, size), folder / f"{part}.zarr"
        if task.parts[part].digest is None:
            note(f'{part} is not frozen: add digest = "{digest}" to [parts.{part}]')
        note(f"{path}: {counted(n, 'row')}")
        with _without_advice(task, part):
            dataset = build(task.recipe(part), n, path)
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


def part_contents(task: Task, part: PartName) -> Contents:
    """Return the contents of the dataset of a part; refuse one without what is predicted."""
    try:
        with _without_advice(task, part):
            plan = prepare_build(task.recipe(part), 1, "trial.zarr", is_trial=True).plan
    except TersError as error:
        raise ConfigError(f"task {task.name}: parts.{part}: {error}") from None
    contents, needed = plan.contents, TARGETS[task.kind]
    if needed not in {spec.name for spec in (*contents.fields, *contents.computed)}:
        raise ConfigError(
            f"task {task.name}: parts.{part}.recipe: expected settings that make {needed}, as "
            f"tasks of the kind {task.kind} need, got none"
        )
    return contents


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


@contextmanager
def _without_advice(task: Task, part: PartName) -> Iterator[None]:
    """Show no warnings about settings that are frozen."""
    with warnings.catch_warnings():
        if task.parts[part].digest is not None:
            warnings.simplefilter("ignore", TersWarning)
        yield


def _check_species(measured: Path, known: tuple[str, ...]) -> None:
    """Refuse measured spectra of other species than are trained on, which nothing could name."""
    for path in find_files([measured]):
        name = path.absolute().parent.name
        if name not in known:
            raise ConfigError(f"{path}: label of its folder: {not_among(name, known)}")


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
    refuse_inside_dataset(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        names = (one.name for one in folder.iterdir())
        found = min((name for name in names if not name.startswith(".")), default=None)
    except OSError as error:
        raise OutputError(f"{folder}: cannot be made: {why(error)}") from None
    if found is not None:
        raise OutputError(f"{folder}: expected a new or empty folder, found {found!r} in it")
    replace_file(path, (mine.model_dump_json(indent=2) + "\n").encode())
