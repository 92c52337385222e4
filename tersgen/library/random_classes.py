"""Random species whose tensors obey a point group.

Forms of the Raman tensors: R. Loudon, Adv. Phys. 13, 423 (1964); D. A. Long, "The Raman Effect"
(2002), appendix A10. Degenerate modes come as complete sets of partners at one frequency.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from ..numeric.elementary import exp
from ..numeric.tensor import activity
from ..random.normal import normal_pair
from ..random.philox import between, philox
from ..random.streams import RANDOM_SPECIES
from ..schema.species import Matrix3, Mode, Provenance, Species
from .random_prior import RandomClasses

F64 = NDArray[np.float64]
Coefficients = tuple[float, float, float, float]
Form = Callable[[Coefficients], tuple[F64, ...]]

_LN10 = 2.302585092994046
_SQRT3 = float(np.sqrt(3.0))
_SCALE = 30.0
"""Largest activity of a random mode, Angstrom^4/amu: that of a strong ring mode."""


def _tensor(xx: float = 0, yy: float = 0, zz: float = 0, xy: float = 0, xz: float = 0,
            yz: float = 0) -> F64:  # fmt: skip
    return np.array([[xx, xy, xz], [xy, yy, yz], [xz, yz, zz]], np.float64)


FORMS: dict[str, dict[str, Form]] = {
    "D2h": {
        "Ag": lambda c: (_tensor(c[0], c[1], c[2]),),
        "B1g": lambda c: (_tensor(xy=c[0]),),
        "B2g": lambda c: (_tensor(xz=c[0]),),
        "B3g": lambda c: (_tensor(yz=c[0]),),
    },
    "C2h": {
        "Ag": lambda c: (_tensor(c[0], c[1], c[2], xy=c[3]),),
        "Bg": lambda c: (_tensor(xz=c[0], yz=c[1]),),
    },
    "C2v": {
        "A1": lambda c: (_tensor(c[0], c[1], c[2]),),
        "A2": lambda c: (_tensor(xy=c[0]),),
        "B1": lambda c: (_tensor(xz=c[0]),),
        "B2": lambda c: (_tensor(yz=c[0]),),
    },
    "D3": {
        "A1": lambda c: (_tensor(c[0], c[0], c[1]),),
        "E": lambda c: (_tensor(c[0], -c[0], yz=c[1]), _tensor(xy=-c[0], xz=-c[1])),
    },
    "D6h": {
        "A1g": lambda c: (_tensor(c[0], c[0], c[1]),),
        "E1g": lambda c: (_tensor(yz=c[0]), _tensor(xz=-c[0])),
        "E2g": lambda c: (_tensor(c[0], -c[0]), _tensor(xy=-c[0])),
    },
    "Oh": {
        "A1g": lambda c: (_tensor(c[0], c[0], c[0]),),
        "Eg": lambda c: (
            _tensor(c[0], c[0], -2 * c[0]),
            _tensor(-_SQRT3 * c[0], _SQRT3 * c[0]),
        ),
        "T2g": lambda c: (_tensor(yz=c[0]), _tensor(xz=c[0]), _tensor(xy=c[0])),
    },
}
"""Raman-active representations of each point group: coefficients to the tensors of all partners."""


_FIRST_UNKNOWN = 2**31


def _matrix(tensor: F64) -> Matrix3:
    rows = [tuple(float(value) for value in row) for row in tensor]
    return (rows[0], rows[1], rows[2])  # type: ignore[return-value]


def _draw_modes(
    number: int, group: str, n_modes: int, prior: RandomClasses, seed: int
) -> list[Mode]:
    modes: list[Mode] = []
    draw = 0
    while len(modes) < n_modes:
        draw += 1
        w0, w1, w2, _ = philox(draw, number, 1, seed, RANDOM_SPECIES)
        v0, v1, v2, v3 = philox(draw, number, 2, seed, RANDOM_SPECIES)
        pair_a, pair_b = normal_pair(v0, v1), normal_pair(v2, v3)
        coefficients = (float(pair_a[0]), float(pair_a[1]), float(pair_b[0]), float(pair_b[1]))
        room = n_modes - len(modes)
        fitting = [(irrep, form) for irrep, form in FORMS[group].items()
                   if len(form(coefficients)) <= room]  # fmt: skip
        irrep, form = fitting[int(w0) % len(fitting)]
        tensors = form(coefficients)
        frequency = round(between(*prior.frequency_cm1, w1), 2)
        decades = -prior.activity_decades * between(0.0, 1.0, w2)
        wanted = _SCALE * float(exp(np.float32(decades * _LN10)))
        factor = float(np.sqrt(wanted / activity(tensors[0])))
        modes += [
            Mode(frequency_cm1=frequency, tensor=_matrix(factor * tensor), irrep=irrep)
            for tensor in tensors
        ]
    return sorted(modes, key=lambda mode: mode.frequency_cm1)


def unknown_species(number: int, prior: RandomClasses, seed: int) -> Species:
    """Return one of the random species that together form the class ``unknown``.

    None is a species of ``random_species``.
    """
    drawn = random_species(_FIRST_UNKNOWN + number, prior, seed)
    provenance = drawn.provenance.model_copy(update={"kind": "unknown"})
    return drawn.model_copy(update={"name": f"unknown-{number:04d}", "provenance": provenance})


def random_species(number: int, prior: RandomClasses, seed: int) -> Species:
    """Return random species ``number``, a function of (number, prior, seed) alone.

    Point group and mode count are uniform over the prior's; each mode takes a Raman-active
    representation at random, normal tensor components, a uniform frequency and a log-uniform
    activity.
    """
    w0, w1, _, _ = philox(0, number, 0, seed, RANDOM_SPECIES)
    group = prior.point_groups[int(w0) % len(prior.point_groups)]
    fewest, most = prior.n_modes
    n_modes = fewest + int(w1) % (most - fewest + 1)
    return Species(
        name=f"random-{number:04d}",
        modes=tuple(_draw_modes(number, group, n_modes, prior, seed)),
        point_group=group,
        provenance=Provenance(
            kind="random",
            method=f"tensors of {group} with normal components, uniform frequencies in "
            f"{prior.frequency_cm1[0]:g}-{prior.frequency_cm1[1]:g} cm^-1, activities uniform in "
            f"the logarithm over {prior.activity_decades:g} decades",
            note=f"seed {seed}, number {number}",
        ),
    )
