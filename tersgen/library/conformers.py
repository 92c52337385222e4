"""Conformers of a molecule, with their populations at room temperature."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ..errors import LibraryError
from .computing import Computed, check_bonds, compute
from .engine import Engine, Molecule
from .masses import isotope_masses
from .polarizability import Report

Floats = NDArray[np.float64]

ROOM_K = 298.15
_HARTREE_K = 315775.02480407
"""Hartree energy over the Boltzmann constant, K."""
_ALIKE_HARTREE = 1e-5
_ALIKE_MOMENTS = 0.01
"""Conformers are the same if energies and relative moments of inertia differ by less."""
LEAST_WEIGHT = 0.02
"""Conformers with a smaller population are left out."""


def compute_conformers(
    engine: Engine,
    starts: Sequence[Molecule],
    has_mirror_image: bool,
    report: Report | None = None,
    follow: bool = True,
) -> list[Computed]:
    """Compute the conformers of a molecule as species of their own, the most populated first.

    The populations follow from the energies at the minima; those of an achiral molecule that are
    not their own mirror image count twice. Later ones are named ``NAME, conformer 2`` and so on.
    All are one class, whose samples draw one of them by population.

    Parameters
    ----------
    engine
        Computes them.
    starts
        Geometries to start from.
    has_mirror_image
        Whether mirror images of conformers are conformers of the same molecule, which has no
        stereocentres.
    report, follow
        See ``computing.compute_species``.
    """
    tell = report or (lambda _: None)
    unique: list[tuple[Molecule, Floats]] = []
    failure: LibraryError | None = None
    for start in starts:
        try:
            engine.check(start)
            molecule = engine.optimise(start, tell)
            check_bonds(molecule)
        except LibraryError as error:
            failure = error
            continue
        moments = _moments(molecule)
        if not any(_alike(molecule, moments, *other) for other in unique):
            unique.append((molecule, moments))
    if not unique:
        raise failure or LibraryError("expected a conformer, got none")
    energies = np.array([molecule.energy for molecule, _ in unique], np.float64)
    order = np.argsort(energies, kind="stable")
    likely = np.exp(-(energies - energies.min()) * _HARTREE_K / ROOM_K)
    # A mirror image can at most double a weight: what is below half the limit needs no Hessian.
    kept = [k for k in order if 2 * likely[k] >= LEAST_WEIGHT]
    computed = [compute(engine, unique[k][0], tell, follow) for k in kept]
    weights = np.array(
        [
            likely[k] * (2 if has_mirror_image and one.is_chiral else 1)
            for k, one in zip(kept, computed, strict=True)
        ]
    )
    weights /= weights.sum()
    ranked = [k for k in np.argsort(-weights, kind="stable") if weights[k] >= LEAST_WEIGHT]
    share = weights[ranked].sum()
    return [
        _named(computed[k], number, float(round(weights[k] / share, 6)))
        for number, k in enumerate(ranked, 1)
    ]


def _named(one: Computed, number: int, weight: float) -> Computed:
    suffix = "" if number == 1 else f", conformer {number}"
    molecule = one.species.name
    update = {
        "name": molecule[: 64 - len(suffix)] + suffix,
        "conformer_weight": weight,
        "class_name": molecule,
    }
    return one._replace(species=one.species.model_copy(update=update))


def _moments(molecule: Molecule) -> Floats:
    """Return the principal moments of inertia, amu Angstrom^2."""
    masses = isotope_masses(molecule.numbers)
    centred = molecule.coordinates - np.average(molecule.coordinates, axis=0, weights=masses)
    second = np.einsum("i,ia,ib->ab", masses, centred, centred)
    return np.linalg.eigvalsh(np.eye(3) * np.trace(second) - second)


def _alike(one: Molecule, moments: Floats, other: Molecule, others: Floats) -> bool:
    if one.energy is None or other.energy is None:
        return False
    near = abs(one.energy - other.energy) < _ALIKE_HARTREE
    return near and bool(np.allclose(moments, others, rtol=_ALIKE_MOMENTS))
