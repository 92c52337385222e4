"""Where the molecules of a scene are: superlattices of a (111) surface, in domains.

The surface's lattice vectors a1 and a2 have equal length and are at 60 degrees; molecules are at
integer combinations of them plus an adsorption site. A domain has all lattice points nearest to its
seed, a point drawn uniformly. x runs along rows' axis, y along columns', from the frame's centre,
in Angstrom.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...numeric._jit import inlined, kernel
from ...numeric.elementary import cos_sin_turn
from ...numeric.tensor import multiply_quaternions
from ...random import streams
from ...random.normal import normal_pair
from ...random.philox import between, philox, uniform
from .settings import MOST_DOMAINS, Scene, reduced

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]
I64 = NDArray[np.int64]

_ROOT_3 = 1.7320508075688772
_HALF_ROOT = 0.5 * _ROOT_3
_SIXTHS = np.array(
    [
        *((1.0, 0.0), (_HALF_ROOT, 0.5), (0.5, _HALF_ROOT)),
        *((0.0, 1.0), (-0.5, _HALF_ROOT), (-_HALF_ROOT, 0.5)),
    ]
)
"""Cosine and sine of half of each multiple of 60 degrees."""
_SITES = {"top": (0.0, 0.0), "bridge": (0.5, 0.0), "fcc": (1 / 3, 1 / 3), "hcp": (2 / 3, 2 / 3)}
_WORDS = 4294967296.0


class LatticeNumbers(NamedTuple):
    """The recipe's numbers for positions."""

    spacing: float
    """Nearest-neighbour distance of the surface, Angstrom."""
    vectors: I64
    """The superlattice's two shortest vectors in those of the surface, shape (2, 2)."""
    sites: F64
    """Adsorption sites in vectors of the surface, shape (n, 2)."""
    fewest: int
    most: int
    islands: bool
    vacancies: F64
    jitter: float
    half_turn: float
    """Half the standard deviation of a molecule's rotation, in turns."""
    closest: float
    half: F64
    """Half the extents of the region that has molecules, shape (2,), Angstrom."""
    n_molecules: int


def lattice_numbers(scene: Scene, half_region: tuple[float, float], most: int) -> LatticeNumbers:
    """Return what the kernels read of a scene with at most ``most`` molecules."""
    return LatticeNumbers(
        spacing=scene.neighbours,
        vectors=np.array(reduced(scene.superlattice), np.int64),
        sites=np.array([_SITES[site] for site in scene.sites], np.float64),
        fewest=scene.domains[0],
        most=scene.domains[1],
        islands=scene.islands,
        vacancies=np.array(scene.vacancies, np.float64),
        jitter=scene.jitter_angstrom,
        half_turn=scene.turn_deg / 720.0,
        closest=scene.closest,
        half=np.array(half_region, np.float64),
        n_molecules=most,
    )


class Molecules(NamedTuple):
    """Molecules of one scene, the first of at most N."""

    position: F64
    """Shape (N, 2), Angstrom."""
    quaternion: F64
    """Rotation from the species' frame to the laboratory, shape (N, 4)."""
    component: I64
    """Which of the sample's species, shape (N,)."""
    domain: I64


@kernel
def no_molecules(most: int) -> Molecules:
    """Return room for molecules."""
    return Molecules(
        np.zeros((most, 2), np.float64), np.zeros((most, 4), np.float64),
        np.zeros(most, np.int64), np.zeros(most, np.int64),
    )  # fmt: skip


@kernel
def _component_of(share: np.float32, fractions: F32, count: int) -> int:
    """Return the species for a uniform number."""
    total = np.float64(0.0)
    for c in range(count - 1):
        total += np.float64(fractions[c])
        if np.float64(share) < total:
            return c
    return count - 1


@inlined
def _squared_distance(x: float, y: float, place: F64) -> float:
    return (x - place[0]) * (x - place[0]) + (y - place[1]) * (y - place[1])


@kernel
def _turn_by(cosine: float, sine: float, quaternion: F64, held: F64, step: F64) -> None:
    """Rotate a molecule about the normal; half the angle is given."""
    step[0], step[1], step[2], step[3] = cosine, 0.0, 0.0, sine
    held[:] = quaternion
    multiply_quaternions(step, held, quaternion)


@kernel
def _half_angle(half_turn: float) -> tuple[float, float]:
    """Return cosine and sine of an angle in turns."""
    share = half_turn + 0.125
    word = np.uint32(np.int64((share - np.floor(share)) * _WORDS))
    cosine, sine = cos_sin_turn(word)
    return np.float64(cosine), np.float64(sine)


@kernel
def place_molecules(
    index: int, seed: int, lattice: LatticeNumbers, fractions: F32, n_components: int,
    quaternions: F64, recorded: F32, molecules: Molecules,
) -> int:  # fmt: skip
    """Place the molecules of one scene; return their number.

    Parameters
    ----------
    index, seed
        Of the sample and the recipe.
    lattice
        The recipe's numbers.
    fractions
        Of the molecules, shape (S,).
    n_components
        Number of species.
    quaternions
        Orientation of each in a domain that is not rotated, shape (S, 4).
    recorded
        Filled with the lattice's angle in degrees, the domains, and the fraction of vacancies.
    molecules
        Filled.
    """
    w0, w1, w2, w3 = philox(0, index, 0, seed, streams.SCENE)
    cosine, sine = np.float64(cos_sin_turn(w0)[0]), np.float64(cos_sin_turn(w0)[1])
    size = np.sqrt(cosine * cosine + sine * sine)
    half_cos, half_sin = cosine / size, sine / size
    cosine = half_cos * half_cos - half_sin * half_sin
    sine = 2.0 * half_cos * half_sin
    origin_u, origin_v = np.float64(uniform(w1)), np.float64(uniform(w2))
    vacancies = between(lattice.vacancies[0], lattice.vacancies[1], w3)
    angle = 720.0 * (np.float64(w0) / _WORDS) - 90.0  # as that of the cosine, twice
    w0, _, _, _ = philox(1, index, 0, seed, streams.SCENE)
    n_domains = lattice.fewest + int(np.float64(uniform(w0)) * (lattice.most - lattice.fewest + 1))
    recorded[0] = angle - 360.0 * np.floor(angle / 360.0)
    recorded[1] = n_domains
    recorded[2] = vacancies

    half_x, half_y = lattice.half[0], lattice.half[1]
    seeds = np.empty((MOST_DOMAINS, 2), np.float64)
    for d in range(n_domains):
        w0, w1, _, _ = philox(d, index, 0, seed, streams.DOMAINS)
        seeds[d, 0] = between(-half_x, half_x, w0)
        seeds[d, 1] = between(-half_y, half_y, w1)
    u1, v1 = lattice.vectors[0, 0], lattice.vectors[0, 1]
    u2, v2 = lattice.vectors[1, 0], lattice.vectors[1, 1]
    determinant = u1 * v2 - u2 * v1
    cell = abs(determinant)
    long_side = np.sqrt(np.float64(u2 * u2 + u2 * v2 + v2 * v2)) * lattice.spacing
    short_side = np.sqrt(np.float64(u1 * u1 + u1 * v1 + v1 * v1)) * lattice.spacing
    area = 0.5 * _ROOT_3 * cell * lattice.spacing * lattice.spacing
    radius = np.sqrt(half_x * half_x + half_y * half_y)
    # rows of lattice points are area / length of a vector apart
    n1 = int(radius * long_side / area) + 2
    n2 = int(radius * short_side / area) + 2

    placed = np.empty((molecules.position.shape[0], 2), np.float64)  # vacancies and molecules
    n_placed = count = 0
    step, held = np.empty(4, np.float64), np.empty(4, np.float64)
    for d in range(n_domains):
        _, _, w2, w3 = philox(d, index, 0, seed, streams.DOMAINS)
        sixths = int(np.float64(uniform(w2)) * 6.0)
        site = int(np.float64(uniform(w3)) * lattice.sites.shape[0])
        w0, w1, w2, _ = philox(d, index, 1, seed, streams.DOMAINS)
        # uniform over a square of so many vectors, so over all that are not those of the lattice
        shift_u = int(np.float64(uniform(w0)) * cell) + origin_u + lattice.sites[site, 0]
        shift_v = int(np.float64(uniform(w1)) * cell) + origin_v + lattice.sites[site, 1]
        own = _component_of(uniform(w2), fractions, n_components)
        p1, q1, p2, q2 = u1, v1, u2, v2
        for _ in range(sixths):
            p1, q1 = -q1, p1 + q1
            p2, q2 = -q2, p2 + q2
        turned = p1 * q2 - p2 * q1
        first = int(np.floor(-(shift_u * q2 - shift_v * p2) / turned + 0.5))
        second = int(np.floor(-(shift_v * p1 - shift_u * q1) / turned + 0.5))
        for i in range(first - n1, first + n1 + 1):
            for j in range(second - n2, second + n2 + 1):
                u = shift_u + i * p1 + j * p2
                v = shift_v + i * q1 + j * q2
                right = lattice.spacing * (u + 0.5 * v)
                up = lattice.spacing * (0.5 * _ROOT_3) * v
                x, y = cosine * right - sine * up, sine * right + cosine * up
                if not (abs(x) <= half_x and abs(y) <= half_y):
                    continue
                own_distance = _squared_distance(x, y, seeds[d])
                free = n_placed < placed.shape[0]
                for other in range(n_domains):
                    distance = _squared_distance(x, y, seeds[other])
                    if distance < own_distance or (distance == own_distance and other < d):
                        free = False
                least = lattice.closest * lattice.closest
                for k in range(n_placed if free and d > 0 else 0):
                    free = free and _squared_distance(x, y, placed[k]) >= least
                if not free:
                    continue
                placed[n_placed, 0], placed[n_placed, 1] = x, y
                w0, w1, _, _ = philox(n_placed, index, 0, seed, streams.PLACES)
                w2, w3, w4, w5 = philox(n_placed, index, 1, seed, streams.PLACES)
                n_placed += 1
                if np.float64(uniform(w0)) < vacancies:
                    continue
                component = own
                if not lattice.islands:
                    component = _component_of(uniform(w1), fractions, n_components)
                a, b = normal_pair(w2, w3)
                molecules.position[count, 0] = x + lattice.jitter * np.float64(a)
                molecules.position[count, 1] = y + lattice.jitter * np.float64(b)
                molecules.component[count] = component
                molecules.domain[count] = d
                quaternion = molecules.quaternion[count]
                quaternion[:] = quaternions[component]
                a, _ = normal_pair(w4, w5)
                if lattice.half_turn > 0.0:
                    c, s = _half_angle(lattice.half_turn * np.float64(a))
                    _turn_by(c, s, quaternion, held, step)
                _turn_by(_SIXTHS[sixths, 0], _SIXTHS[sixths, 1], quaternion, held, step)
                _turn_by(half_cos, half_sin, quaternion, held, step)
                count += 1
    return count
