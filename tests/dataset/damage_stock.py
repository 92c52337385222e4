"""The datasets that trials of damage copy, and what can be read of them while they are whole."""

import os
import shutil
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

import tersgen
from tersgen.bytefile import LocalFile
from tersgen.dataset.documents import checked_layout
from tersgen.dataset.parts import load_parts
from tersgen.dataset.splits import make_split
from tersgen.dataset.versions import give_tag, locate
from tersgen.jobs.extend import extend, plan_extension
from tersgen.jobs.plan import make_plan
from tersgen.jobs.run import run
from tersgen.schema.split import SplitRule
from tersgen.store.backends import make_store

FIRST_ROWS, ROWS = 560, 600
"""Rows of the tagged version, and of the newest: both end in the third shard."""
CHUNK_ROWS, SHARD_ROWS = 64, 256

SEED = 5
FORMS = {"zarr": ("zarr", "lz4"), "zarr, none": ("zarr", "none"), "hdf5": ("hdf5", None)}
NAMES = {"zarr": "data.zarr", "hdf5": "data.h5"}
MISPLACED = ("seed", "recipe", "layout", "form")
"""What sets other datasets of the same name apart from the one that is damaged."""


class StoredChunk(NamedTuple):
    """Where a chunk lies."""

    file: str
    """Inside the dataset's folder."""
    array: str
    number: int
    offset: int
    size: int


class Known(NamedTuple):
    """What a version must read as."""

    n_samples: int
    version: str
    digest: str
    classes: tuple[str, ...]
    specs: dict[str, Any]
    axes: dict[str, Any]
    values: dict[str, np.ndarray]
    parts: dict[str, bytes]
    recipe: tersgen.Recipe


class Stock(NamedTuple):
    """A dataset, what it must read as, and others that could be taken for it."""

    form: str
    path: Path
    folder: Path
    before: Path
    """The folder as it was before the dataset grew."""
    others: dict[str, Path]
    """Folders of other datasets."""
    known: dict[str, Known]
    """By version: "" is the newest."""
    known_of_others: list[Known]
    """What the others must read as."""
    chunks: list[StoredChunk]


def recipe_of(maps: bool, **changes: Any) -> tersgen.Recipe:
    """Return a resolved recipe of three random species."""
    table: dict[str, Any] = {
        "seed": SEED,
        "library": ("random:3",),
        "grid": {"n_points": 16},
        "lineshape": {"fwhm_cm1": 900.0},
        "random": {"n_modes": (2, 3)},
        "fields": {"maps": maps},
    }
    if maps:
        table["map"] = {"height": 4, "width": 5, "sigma_px": (1.0, 2.0), "move_px": 0.5}
    return tersgen.resolve(tersgen.Recipe(**{**table, **changes}))


def _build(path: Path, recipe: tersgen.Recipe, form: str, chunk_rows: int) -> None:
    format, compression = FORMS[form]
    plan = make_plan(recipe, FIRST_ROWS, format, chunk_rows, SHARD_ROWS, compression)
    path.parent.mkdir(parents=True)
    run(plan, path, threads=1)
    make_split(path, "default", SplitRule())
    give_tag(locate(path), "v1", None)


def grow(path: Path) -> None:
    """Extend a dataset to all its rows."""
    location, plan, _ = plan_extension(path, None, ROWS)
    extend(location, plan, threads=1)


def make_stock(top: Path, form: str, maps: bool) -> Stock:
    """Return a dataset in two versions, with a split and a tag, and others beside it."""
    format = FORMS[form][0]
    name = NAMES[format]
    path = top / "own" / name
    recipe = recipe_of(maps)
    _build(path, recipe, form, CHUNK_ROWS)
    folder = locate(path).folder
    shutil.copytree(top / "own", top / "before")
    grow(path)
    others = {}
    other_form = "hdf5" if format == "zarr" else "zarr"
    for what, (other, other_rows, others_form) in {
        "seed": (recipe_of(maps, seed=SEED + 1), CHUNK_ROWS, form),
        "recipe": (recipe_of(maps, lineshape={"fwhm_cm1": 800.0}), CHUNK_ROWS, form),
        "layout": (recipe, CHUNK_ROWS // 2, form),
        "form": (recipe, CHUNK_ROWS, other_form),
    }.items():
        place = top / what / NAMES[FORMS[others_form][0]]
        _build(place, other, others_form, other_rows)
        grow(place)
        others[what] = locate(place).folder
    known = {reference: _known(path, reference) for reference in ("", "@v1")}
    foreign = [
        _known(top / what / name, reference)
        for what in ("seed", "recipe", "layout")
        for reference in known
    ]
    before = top / "before" / folder.name
    return Stock(form, path, folder, before, others, known, foreign, _chunks(path))


def _known(path: Path, reference: str) -> Known:
    data = tersgen.open(f"{path}{reference}")
    manifest = data.manifest
    assert manifest is not None
    folder = locate(path).folder
    return Known(
        data.n_samples,
        manifest.version,
        manifest.digest,
        data.classes,
        {name: field.spec.model_dump() for name, field in data.fields.items()},
        {name: axis.model_dump() for name, axis in data.axes.items()},
        {name: field[:] for name, field in data.fields.items()},
        {split.name: load_parts(folder, split).tobytes() for split in manifest.splits},
        data.recipe,
    )


def _chunks(path: Path) -> list[StoredChunk]:
    manifest = tersgen.open(path).manifest
    assert manifest is not None
    layout, location = checked_layout(path, manifest), locate(path)
    store = make_store(manifest.format, manifest.contents, layout)
    found = []
    for shard in range(layout.n_shards(ROWS)):
        rows = min(SHARD_ROWS, ROWS - shard * SHARD_ROWS)
        for spec in manifest.fields:
            file = store.array_path(shard, spec)
            opened = LocalFile(os.open(location.folder / file, os.O_RDONLY))
            table = store.chunk_table(opened, spec, shard, rows)
            found += [
                StoredChunk(file, spec.name, number, offset, size)
                for number, (offset, size, _) in enumerate(table.tolist())
            ]
    return found
