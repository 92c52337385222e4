"""The class of each sample, and a species of that class, from the index.

Rows are not ordered by class: a balanced dataset has every class once in each run of K rows, in
an order drawn for that run; otherwise each row is drawn on its own from the class weights.
"""

from decimal import Decimal, localcontext
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...errors import ConfigError
from ...numeric._jit import kernel
from ...random.philox import philox
from ...random.streams import CLASS
from ...schema.fields import FieldSpec
from ...schema.library import Library
from ...text import did_you_mean
from ..base import ArraySpec, Effect, Tile, spec
from ..sections import Sections
from .settings import Classes as Section

if TYPE_CHECKING:
    from ..on_torch import TorchTile

_FULL = 2**32
_PLACES = 1000
"""Places of a class of conformers, each as likely as any other: a population to 0.1 %."""


class Classes(Effect[Section]):
    """Fills ``label``, and ``species``, shape (n, 1): the species of one of each class."""

    stage = "rows"
    section = "classes"

    def __init__(self, recipe: Sections, library: Library) -> None:
        super().__init__(recipe, library)
        self._thresholds = class_thresholds(recipe, library)
        self._n_classes = len(library.class_names)
        self._members = class_members(library)

    @classmethod
    def fields(cls, recipe: Sections) -> list[FieldSpec]:
        """Return the class."""
        text = "class: position of the species in the library"
        if recipe.mixture is not None:
            text += ", of that with the largest fraction"
        return [spec("label", "int32", "1", text)]

    def scratch(self) -> dict[str, ArraySpec]:
        """Return the species, and how many there are."""
        n = self.recipe.n_components
        return {
            "species": ArraySpec((n,), np.int32),
            "n_components": ArraySpec((), np.int32),
            "fraction": ArraySpec((n,), np.float32),
        }

    def apply(self, tile: Tile) -> None:
        """Draw the classes; and the species, if samples are no mixtures."""
        self.fill_labels(tile["label"], tile.index)
        if self.recipe.mixture is None:
            pick_species(
                tile["label"], tile.index, self._members, tile.seed, tile["species"].reshape(-1)
            )
            tile["n_components"][:] = 1
            tile["fraction"][:] = 1.0

    def apply_on_torch(self, tile: "TorchTile") -> None:
        """Draw the classes and the species, of shape (n,)."""
        from . import on_torch

        table = self._thresholds
        thresholds = None if table is None else tile.tensor(table.astype(np.int64))
        labels = on_torch.labels_of(tile.index, thresholds, self._n_classes, tile.seed)
        tile["label"] = labels
        tile["species"] = on_torch.species_of(tile, labels, self._members)

    def fill_labels(self, labels: NDArray[np.int32], start: int) -> None:
        """Fill the classes of rows from ``start`` on."""
        if self._thresholds is None:
            fill_balanced(labels, start, self._n_classes, self.recipe.seed)
        else:
            fill_weighted(labels, start, self._thresholds, self.recipe.seed)


@kernel
def fill_balanced(labels: NDArray[np.int32], start: int, n_classes: int, seed: int) -> None:
    """Fill ``labels`` from row ``start`` on: a Fisher-Yates shuffle for each run of K rows."""
    order = np.empty(n_classes, np.int32)
    run = -1
    for k in range(labels.shape[0]):
        index = start + k
        if index // n_classes != run:
            run = index // n_classes
            for j in range(n_classes):
                order[j] = j
            for j in range(n_classes - 1, 0, -1):
                # 64 random bits: the bias of the remainder is below K / 2^64
                low, high, _, _ = philox(j, run, 0, seed, CLASS)
                word = (np.uint64(high) << np.uint64(32)) | np.uint64(low)
                other = int(word % np.uint64(j + 1))
                order[j], order[other] = order[other], order[j]
        labels[k] = order[index - run * n_classes]


@kernel
def fill_weighted(
    labels: NDArray[np.int32], start: int, thresholds: NDArray[np.uint64], seed: int
) -> None:
    """Fill ``labels``: class c where thresholds[c - 1] <= random 32-bit word < thresholds[c]."""
    for k in range(labels.shape[0]):
        word, _, _, _ = philox(0, start + k, 1, seed, CLASS)
        labels[k] = np.searchsorted(thresholds, np.uint64(word), side="right")


class Members(NamedTuple):
    """Which species each class has."""

    first: NDArray[np.int64]
    """First place of each class in ``species`` and the end, shape (K + 1,)."""
    species: NDArray[np.int32]
    """Species, class by class, each once, or as often as its population asks."""
    label: NDArray[np.int32]
    """Class of each species, shape (n_species,)."""


def class_members(library: Library) -> Members:
    """Return which species each class has: one, but of conformers and of unknown ones."""
    place = {name: label for label, name in enumerate(library.class_names)}
    label = np.array([place[name] for name in library.class_of_species], np.int32)
    sizes = np.bincount(label, minlength=len(place))
    species = np.argsort(label, kind="stable").astype(np.int32)
    weights = [page.get("conformer_weight") for page in library.pages]
    members = []
    for own in np.split(species, np.cumsum(sizes)[:-1]):
        populations = [weights[k] for k in own]
        if len(own) > 1 and all(populations):  # else each is as likely as any other
            own = np.repeat(own, _places(np.array(populations, np.float64)))
        members.append(own)
    first = np.concatenate([[0], np.cumsum([len(own) for own in members])])
    return Members(first.astype(np.int64), np.concatenate(members), label)


def _places(populations: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return how many of ``_PLACES`` each conformer has, by the largest remainders."""
    wanted = _PLACES * populations / populations.sum()
    count = np.floor(wanted).astype(np.int64)
    most = np.argsort(count - wanted, kind="stable")
    count[most[: _PLACES - int(count.sum())]] += 1
    return count


@kernel
def species_of(label: int, index: int, component: int, members: Members, seed: int) -> int:
    """Return one of the species of a class, each place as likely as any other."""
    first = members.first[label]
    count = members.first[label + 1] - first
    chosen = 0
    if count > 1:
        word, _, _, _ = philox(component, index, 2, seed, CLASS)
        chosen = int(np.int64(word) % count)
    return int(members.species[first + chosen])


@kernel
def pick_species(
    labels: NDArray[np.int32], start: int, members: Members, seed: int, species: NDArray[np.int32]
) -> None:
    """Fill the species of each row from its class."""
    for k in range(labels.shape[0]):
        species[k] = species_of(labels[k], start + k, 0, members, seed)


def class_thresholds(recipe: Sections, library: Library) -> NDArray[np.uint64] | None:
    """Return cumulative class weights scaled to 2^32, shape (K,), or None if balanced.

    Computed in decimal arithmetic: a maths library could round a power differently elsewhere.
    """
    classes = recipe.classes
    names = library.class_names
    if classes.balance == "balanced":
        return None
    unknown = sorted(set(classes.weights) - set(names))
    if unknown:
        raise ConfigError(
            f"classes.weights: expected species of the library ({', '.join(names[:12])}"
            f"{', ...' if len(names) > 12 else ''}), got {', '.join(unknown)}"
            f"{did_you_mean(unknown[0], names)}"
        )
    with localcontext() as context:
        context.prec = 50
        if classes.balance == "zipf":
            exponent = Decimal(classes.exponent)
            weights = [1 / Decimal(rank) ** exponent for rank in range(1, len(names) + 1)]
        else:
            weights = [Decimal(classes.weights.get(name, 1.0)) for name in names]
        total = sum(weights, Decimal(0))
        if total <= 0:
            raise ConfigError("classes.weights: expected a weight above 0, got zeros only")
        cumulative = Decimal(0)
        thresholds = []
        for weight in weights:
            cumulative += weight
            thresholds.append(int(cumulative * _FULL / total))
    thresholds[-1] = _FULL
    # a class of weight zero at the end stays empty: its predecessors reach the end too
    for c in range(len(weights) - 1, 0, -1):
        if weights[c] > 0:
            break
        thresholds[c - 1] = _FULL
    return np.array(thresholds, np.uint64)
