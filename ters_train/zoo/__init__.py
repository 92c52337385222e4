"""Trained models that come with the package, by name: ``zoo:minerals``.

Each is a folder here: an ordinary run, with its recipe, model card (model_card.md) and scores
(about.json). ``folder_of`` is the only place that resolves such a name. Nothing is written here.
"""

from pathlib import Path

from tersgen.errors import DatasetError, OutputError
from tersgen.schema.base import Frozen, field
from tersgen.schema.loading import load_table, validate
from tersgen.text import not_among

PREFIX = "zoo:"
ABOUT, CARD = "about.json", "model_card.md"
_HOME = Path(__file__).parent


class ZooScore(Frozen):
    """Accuracy of a model of the zoo on some rows."""

    rows: str = field("what they are", "1")
    n_rows: int = field("how many", "row", gt=0)
    accuracy: float = field("fraction of rows whose first species is the true one", "1")
    low: float = field("lower end of its 95 % interval (Wilson)", "1")
    high: float = field("upper end", "1")


class About(Frozen):
    """Facts about a model of the zoo that its checkpoint does not have."""

    description: str = field("what it names, in a line", "1")
    commands: tuple[str, ...] = field("commands that trained and calibrated it", "1")
    scores: tuple[ZooScore, ...] = field("its scores", "1")


def names() -> tuple[str, ...]:
    """Return the names of all models of the zoo."""
    return tuple(sorted(path.parent.name for path in _HOME.glob(f"*/{ABOUT}")))


def is_named(run: str | Path) -> bool:
    """Return whether a run is given as ``zoo:NAME``."""
    return str(run).startswith(PREFIX)


def folder_of(run: Path) -> Path:
    """Return the folder of a run: the one in the package for ``zoo:NAME``, else the run itself.

    Raises
    ------
    DatasetError
        If the zoo has no model of that name.
    """
    if not is_named(run):
        return run
    name = str(run).removeprefix(PREFIX)
    if name not in names():
        raise DatasetError(f"{run}: {not_among(name, names())}")
    return _HOME / name


def is_shipped(folder: Path) -> bool:
    """Return whether a run, or a folder of one, is of the zoo."""
    return folder.absolute().is_relative_to(_HOME)


def refuse_shipped(folder: Path) -> None:
    """Refuse to write into a run of the zoo.

    Raises
    ------
    OutputError
        If it is one.
    """
    if is_shipped(folder):
        raise OutputError(
            f"{PREFIX}{folder.absolute().relative_to(_HOME).parts[0]}: models of the zoo are "
            f"read-only; copy {folder} and give the copy"
        )


def about(name: str) -> About:
    """Return what is said of a model of the zoo.

    Raises
    ------
    DatasetError
        If there is none of that name.
    """
    path = folder_of(Path(f"{PREFIX}{name}")) / ABOUT
    return validate(About, load_table(path), str(path))
