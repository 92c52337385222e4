"""Which species a sample is made of, and its fractions of them."""

from typing import NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from ..errors import ConfigError
from ..kernels import streams
from ..kernels._jit import kernel
from ..kernels.philox import philox, uniform
from ..schema.mixture import Mixture
from .labels import Members, species_of

_WORD = np.uint64(32)


class MixtureSettings(NamedTuple):
    """The numbers of a section ``mixture``."""

    fewest: int
    most: int
    least: float
    stated: NDArray[np.float64]
    """Fractions of every sample, shape (n_species,) or (0,)."""
    weights: NDArray[np.uint64]
    """How often each class is drawn, shape (K,); their sum is at most 2^32."""

    @classmethod
    def of(cls, spec: Mixture, thresholds: NDArray[np.uint64] | None, n_classes: int) -> Self:
        """Return the numbers of a section, with cumulative class weights or none.

        Raises
        ------
        ConfigError
            If fewer classes can be drawn than a sample may have.
        """
        weights = np.ones(n_classes, np.uint64)
        if thresholds is not None:
            weights = np.diff(thresholds, prepend=np.uint64(0))
        fewest, most = spec.sizes
        drawn = int((weights > 0).sum())
        if drawn < most:
            raise ConfigError(
                f"mixture.n_species: expected at most {drawn}, as many classes as are drawn, got "
                f"{most}; give more species or fewer of a sample"
            )
        return cls(fewest, most, spec.least, np.array(spec.fractions, np.float64), weights)


@kernel
def _draw_fractions(
    index: int, count: int, mixture: MixtureSettings, seed: int, fractions: NDArray[np.float32]
) -> None:
    """Fill the falling fractions of one sample; zero behind them."""
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
    index: int, count: int, mixture: MixtureSettings, seed: int, classes: NDArray[np.int32]
) -> None:
    """Draw the classes behind the first, none twice; zero behind them."""
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
    species: NDArray[np.int32], fractions: NDArray[np.float32], counts: NDArray[np.int32],
    start: int, mixture: MixtureSettings, members: Members, seed: int,
) -> None:  # fmt: skip
    """Fill the species of rows, and their fractions, from row ``start`` on.

    Parameters
    ----------
    species
        Shape (n, S): on entry the class of each row in the first column, then species; 0 behind.
    fractions
        Shape (n, S), falling; 0 behind.
    counts
        How many there are of each row, shape (n,).
    """
    for row in range(counts.shape[0]):
        index = start + row
        word, _, _, _ = philox(0, index, 0, seed, streams.MIXTURE)
        sizes = mixture.most - mixture.fewest + 1
        count = mixture.fewest + int(np.int64(word) % sizes)
        counts[row] = count
        _draw_classes(index, count, mixture, seed, species[row])
        _draw_fractions(index, count, mixture, seed, fractions[row])
        for c in range(count):
            species[row, c] = species_of(species[row, c], index, c, members, seed)
