"""What happens to a dataset while somebody has it open, each kind a function that does it."""

import shutil
from collections.abc import Callable
from pathlib import Path

from damage_kinds import Copy
from damage_look import Seen, compare, read_blocks, read_stream, stream_of
from damage_stock import ROWS, grow, recipe_of

import tersgen
from tersgen.jobs.plan import make_plan
from tersgen.jobs.run import run

Change = Callable[[Copy], None]

OPEN: dict[str, tuple[str, Change]] = {}
"""By name: the folder that is copied first, and what is done to the copy while it is open."""


def while_open(name: str, start: str = "own") -> Callable[[Change], Change]:
    """Enter a function under the name of what it does."""

    def enter(function: Change) -> Change:
        OPEN[f"while open: {name}"] = (start, function)
        return function

    return enter


def _copy_all(source: Path, target: Path) -> None:
    shutil.copytree(source, target, dirs_exist_ok=True)


@while_open("another dataset moved into its place, the old one beside it")
def moved(copy: Copy) -> None:
    other = copy.stock.others[copy.pick(("seed", "recipe"))].parent
    aside = copy.folder.parent / "aside"
    aside.mkdir()
    for path in {copy.path, copy.folder}:
        path.rename(aside / path.name)
    _copy_all(other, copy.folder.parent)


@while_open("another dataset moved into its place, the old one removed")
def replaced(copy: Copy) -> None:
    moved(copy)
    shutil.rmtree(copy.folder.parent / "aside")


@while_open("another dataset copied over it, file by file")
def copied_over(copy: Copy) -> None:
    _copy_all(copy.stock.others[copy.pick(("seed", "recipe"))].parent, copy.folder.parent)


@while_open("built again with another seed and --overwrite")
def built_over(copy: Copy) -> None:
    recipe = recipe_of("maps" in copy.stock.known[""].values, seed=77)
    compression = {"zarr, none": "none"}.get(copy.stock.form)
    format = "hdf5" if copy.stock.form == "hdf5" else "zarr"
    run(make_plan(recipe, ROWS, format, 64, 256, compression), copy.path, True, threads=1)


@while_open("extended", "before")
def extended(copy: Copy) -> None:
    grow(copy.path)


@while_open("reverted to before it grew")
def shrunk(copy: Copy) -> None:
    _copy_all(copy.stock.before.parent, copy.folder.parent)


@while_open("moved away")
def gone(copy: Copy) -> None:
    for path in {copy.path, copy.folder}:
        path.rename(path.with_name("gone-" + path.name))


def try_open(name: str, copy: Copy, seen: Seen) -> None:
    """Open a copy, read some of it, change it, and read all of it."""
    start, change = OPEN[name]
    known = copy.stock.known["@v1" if start == "before" else ""]
    data = tersgen.open(copy.path)
    reader, stream = data.blocks(data.fields), stream_of(data)
    touched = [one for one in data.fields if copy.random.random() < 0.5]
    row = int(copy.random.integers(data.n_samples))
    for one in touched:
        compare(one, row, data[one][row : row + 1], known, seen)
    read_blocks(data, reader, known, seen, copy.pick((0, 64, 1000)))
    if copy.pick((True, False)):
        read_stream(stream, data, known, seen)
    change(copy)
    for one in data.fields:
        values = seen.attempt(lambda n=one: data[n][:])
        if values is not None:
            compare(one, 0, values, known, seen)
    read_blocks(data, reader, known, seen)
    read_stream(stream, data, known, seen)
    told = ("another dataset", "replaced", "before the dataset grew")
    wanted = {"moved": told, "replaced": told, "copied_over": told, "built_over": told}
    words = wanted.get(change.__name__, ())
    for error in seen.errors:
        if words and not any(word in error for word in words):
            seen.add("OTHER ERROR", f"does not say that another dataset is there: {error}")
    if change is extended and seen.errors:
        seen.add("OTHER ERROR", f"an extension refused: {seen.errors[0]}")
