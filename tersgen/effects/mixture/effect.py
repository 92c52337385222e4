"""Which species a sample is made of, and its fractions of them: samples that are mixtures."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...errors import ConfigError
from ...numeric._jit import kernel
from ...random import streams
from ...random.philox import philox, uniform
from ...schema.fields import FieldSpec
from ...schema.library import Library
from ..base import Effect, Tile, spec
from ..classes.effect import Members, class_members, class_thresholds, species_of
from ..sections import Sections
from .settings import Mixture as Section

_WORD = np.uint64(32)


def component_sizes(recipe: Sections) -> dict[str, int]:
    """Return the dimension of a sample's species, if it has several."""
    return {} if recipe.mixture is None else {"component": recipe.n_components}


class Numbers(NamedTuple):
    """What the kernels read."""

    fewest: int
    most: int
    least: float
    stated: NDArray[np.float64]
    """Fractions of every sample, shape (n_species,) or (0,)."""
    weights: NDArray[np.uint64]
    """How often each class is drawn, shape (K,); their sum is at most 2^32."""


class Mixture(Effect[Section]):
    """Fills classes, species and fractions of each sample, by falling fraction; 0 beyond."""

    stage = "rows"
    section = "mixture"

    def __init__(self, recipe: Sections, library: Library) -> None:
        super().__init__(recipe, library)
        thresholds = class_thresholds(recipe, library)
        weights = np.ones(len(library.class_names), np.uint64)
        if thresholds is not None:
            weights = np.diff(thresholds, prepend=np.uint64(0))
        fewest, most = self.settings.sizes
        drawn = int((weights > 0).sum())
        if drawn < most:
            raise ConfigError(
                f"mixture.n_species: expected at most {drawn}, as many classes as are drawn, got "
                f"{most}; give more species, or lower mixture.n_species"
            )
        stated = np.array(self.settings.fractions, np.float64)
        self._numbers = Numbers(fewest, most, self.settings.least, stated, weights)
        self._members = class_members(library)

    @classmethod
    def fields(cls, recipe: Sections) -> list[FieldSpec]:
        """Return classes, fractions and how many there are."""
        each = component_sizes(recipe)
        text = "class of each species, by falling fraction; 0 beyond count"
        share = f"its fraction of the {cls.settings_of(recipe).of}; 0 beyond count"
        return [
            spec("mixture/label", "int32", "1", text, **each),
            spec("mixture/fraction", "float32", "1", share, **each),
            spec("mixture/count", "int32", "1", "number of species"),
        ]

    def apply(self, tile: Tile) -> None:
        """Draw the species and their fractions."""
        fill_components(
            tile.index, tile.seed, self._numbers, self._members, tile["label"],
            tile["mixture/label"], tile["species"], tile["mixture/fraction"], tile["mixture/count"],
        )  # fmt: skip
        tile["fraction"][...] = tile["mixture/fraction"]
        tile["n_components"][...] = tile["mixture/count"]


@kernel
def _draw_fractions(
    index: int, count: int, mixture: Numbers, seed: int, fractions: NDArray[np.float32]
) -> None:
    """Fill the falling fractions of one sample; 0 beyond."""
    fractions[:] = 0.0
    if mixture.stated.shape[0] > 0:
        for c in range(count):
            fractions[c] = mixture.stated[c]
        return
    # gaps between sorted uniform cuts of [0, 1] are uniform among all that add up to 1
    cuts = np.zeros(count + 1, np.float64)
    cuts[count] = 1.0
    for c in range(1, count):
        word, _, _, _ = philox(c, index, 0, seed, streams.FRACTIONS)
        cuts[c] = np.float64(uniform(word))
    cuts.sort()
    gaps = np.sort(cuts[1:] - cuts[:-1])
    room = 1.0 - count * mixture.least
    for c in range(count):
        fractions[c] = mixture.least + room * gaps[count - 1 - c]


@kernel
def _draw_classes(
    index: int, count: int, mixture: Numbers, seed: int, classes: NDArray[np.int32]
) -> None:
    """Draw the classes after the first, none twice; 0 beyond."""
    weights = mixture.weights
    left = np.uint64(0)
    for k in range(weights.shape[0]):
        left += weights[k]
    left -= weights[classes[0]]
    for c in range(1, classes.shape[0]):
        classes[c] = 0
    for c in range(1, count):
        word, _, _, _ = philox(c, index, 0, seed, streams.MIXTURE)
        rest = (np.uint64(word) * left) >> _WORD
        chosen = 0
        for k in range(weights.shape[0]):
            taken = False
            for before in range(c):
                taken = taken or classes[before] == k
            if taken:
                continue
            chosen = k
            if rest < weights[k]:
                break
            rest -= weights[k]
        classes[c] = chosen
        left -= weights[chosen]


@kernel
def fill_components(
    start: int, seed: int, mixture: Numbers, members: Members, labels: NDArray[np.int32],
    classes: NDArray[np.int32], species: NDArray[np.int32], fractions: NDArray[np.float32],
    counts: NDArray[np.int32],
) -> None:  # fmt: skip
    """Fill the components of rows from ``start`` on; 0 beyond their number.

    ``labels``, shape (n,), is the class of the first component of each; ``classes``, ``species``
    and ``fractions`` have shape (n, S).
    """
    for row in range(counts.shape[0]):
        index = start + row
        word, _, _, _ = philox(0, index, 0, seed, streams.MIXTURE)
        sizes = mixture.most - mixture.fewest + 1
        count = mixture.fewest + int(np.int64(word) % sizes)
        counts[row] = count
        classes[row, 0] = labels[row]
        _draw_classes(index, count, mixture, seed, classes[row])
        _draw_fractions(index, count, mixture, seed, fractions[row])
        species[row] = 0
        for c in range(count):
            species[row, c] = species_of(classes[row, c], index, c, members, seed)
