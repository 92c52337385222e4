"""From a molecule to a species: geometry, Hessian and tensors of an engine, modes by symmetry."""

import warnings
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..errors import LibraryError, TersWarning
from ..plugins import named_errors
from ..schema.species import Atom, Provenance, Species
from ..units import BOHR_ANGSTROM
from .covalent import covalent_radius
from .engine import Engine, Molecule
from .geometry import SYMBOLS
from .harmonic import (
    NormalModes,
    atom_tensors,
    build_modes,
    is_linear,
    normal_modes,
    round_to,
    to_matrix3,
)
from .irreps import label_modes
from .masses import isotope_masses, mass_numbers
from .pointgroup import PointGroup, orient, symmetrise
from .polarizability import Report, Response

Floats = NDArray[np.float64]

MOST_FOLLOWED = 3
"""How often a molecule is displaced along its imaginary modes and optimised again, at most."""
_BROKEN = 1.3
"""A bond longer than this many times the sum of the covalent radii is broken."""
_PUSH_ANGSTROM = 0.1
"""Largest displacement of an atom: beyond the tolerance of the point group."""


class Computed(NamedTuple):
    """A species, and remarks for the user."""

    species: Species
    n_imaginary: int
    """Imaginary modes that were left out."""
    n_followed: int
    """How often the molecule was displaced along imaginary modes."""
    is_chiral: bool
    """Whether the geometry differs from its mirror image."""


def compute_species(
    engine: Engine, molecule: Molecule, report: Report | None = None, follow: bool = True
) -> Species:
    """Optimise a closed-shell molecule and compute its modes and Raman tensors.

    Parameters
    ----------
    engine
        Computes energies and tensors, see ``engine.make_engine``.
    molecule
        The molecule, at a starting geometry.
    report
        Called with one line at the start of each stage.
    follow
        Whether a geometry with imaginary modes is displaced along them and optimised again, three
        times at most.

    Returns
    -------
    Species
        All vibrational modes in the molecule's standard frame, with per-atom tensors. Imaginary
        modes that remain are left out with a warning and counted in the note of the provenance.
    """
    computed = compute(engine, molecule, report, follow)
    if computed.n_imaginary:
        warnings.warn(
            f"{molecule.name}: {imaginary_left_out(computed.n_imaginary)}: the geometry is no "
            "minimum; start from one of lower symmetry",
            TersWarning,
            stacklevel=2,
        )
    return computed.species


def imaginary_left_out(count: int) -> str:
    """Return in words how many imaginary modes were left out."""
    return f"{count} imaginary mode{'s' if count > 1 else ''} left out"


def compute(
    engine: Engine, molecule: Molecule, report: Report | None = None, follow: bool = True
) -> Computed:
    """Compute a molecule, see ``compute_species``, without a warning."""
    tell = report or (lambda _: None)
    with named_errors("engine", engine.name, type(engine), LibraryError):
        engine.check(molecule)
        for n_followed in range(MOST_FOLLOWED + 1):
            tell(f"{molecule.name}: optimising {molecule.formula}")
            molecule = engine.optimise(molecule, tell)
            check_bonds(molecule)
            masses = isotope_masses(molecule.numbers)
            linear = is_linear(molecule.coordinates, masses)
            at, group = orient(molecule.numbers, molecule.coordinates, masses, linear)
            molecule = molecule._replace(coordinates=at)
            tell(f"{molecule.name}: Hessian, point group {group.name}")
            hessian = _square(engine.hessian(molecule, group, tell), group)
            modes = normal_modes(hessian, masses, at)
            if not modes.n_imaginary or not follow or n_followed == MOST_FOLLOWED:
                break
            tell(f"{molecule.name}: {modes.n_imaginary} imaginary, followed")
            molecule = molecule._replace(coordinates=at + _push(modes))
        tell(f"{molecule.name}: d(alpha)/dR")
        response = engine.response(molecule, group, tell)
    species = _species(engine, molecule, group, hessian, modes, response, n_followed)
    is_chiral = bool((np.linalg.det(group.operations) > 0).all())
    return Computed(species, modes.n_imaginary, n_followed, is_chiral)


def check_bonds(molecule: Molecule) -> None:
    """Refuse an optimised molecule with broken bonds."""
    for bond in molecule.bonds:
        symbols = [SYMBOLS[molecule.numbers[atom]] for atom in bond]
        length = float(np.linalg.norm(np.subtract(*molecule.coordinates[list(bond)])))
        if length > _BROKEN * sum(covalent_radius(molecule.numbers[atom]) for atom in bond):
            one, other = (f"{s}{atom + 1}" for s, atom in zip(symbols, bond, strict=True))
            raise LibraryError(
                f"expected the bonds of the input, got {one}-{other} of {length:.2f} Angstrom in "
                "the optimised geometry: it has become another molecule; give coordinates (.xyz)"
            )


def _square(hessian: Floats, group: PointGroup) -> Floats:
    """Return a symmetrised Hessian, (n_atoms, n_atoms, 3, 3), as a square matrix."""
    n = len(hessian)
    whole = symmetrise(hessian, group, 2).transpose(0, 2, 1, 3).reshape(3 * n, 3 * n)
    square: Floats = 0.5 * (whole + whole.T)
    return square


def _push(modes: NormalModes) -> Floats:
    """Return displacements along all imaginary modes, (n_atoms, 3), Angstrom."""
    unit = modes.imaginary / np.linalg.norm(modes.imaginary, axis=(1, 2), keepdims=True)
    total = unit.sum(axis=0)
    push: Floats = total * (_PUSH_ANGSTROM / np.linalg.norm(total, axis=1).max())
    return push


def _species(
    engine: Engine,
    molecule: Molecule,
    group: PointGroup,
    hessian: Floats,
    modes: NormalModes,
    response: Response,
    n_followed: int,
) -> Species:
    masses = isotope_masses(molecule.numbers)
    derivatives = symmetrise(response.derivatives, group, 1)
    shares = atom_tensors(modes.displacements, derivatives)
    alpha = symmetrise(response.polarizability, group, 0) * BOHR_ANGSTROM**3
    irreps = label_modes(modes.frequencies_cm1, modes.displacements, masses, group)
    scaling, source = engine.scaling()
    digits = engine.level.digits
    frequencies = modes.frequencies_cm1 * scaling
    times = "once" if n_followed == 1 else f"{n_followed} times"
    remarks = [
        molecule.remark,
        "most abundant isotopes; geometry, Hessian and tensors symmetrised in the point group; "
        "irreps from characters, axes as in tersgen.library.irreps",
        source,
        f"imaginary modes followed {times}" if n_followed else "",
        imaginary_left_out(modes.n_imaginary) if modes.n_imaginary else "",
    ]
    triangle = round_to(hessian[np.tril_indices(len(hessian))], digits)
    return Species(
        name=molecule.name,
        modes=build_modes(frequencies, shares, irreps, digits, modes.displacements),
        provenance=Provenance(
            kind="computed",
            program=engine.program(),
            method=engine.method(),
            scaling=scaling,
            note="; ".join(remark for remark in remarks if remark),
        ),
        formula=molecule.formula,
        charge=molecule.charge or None,
        point_group=group.name,
        atoms=tuple(
            Atom(symbol=SYMBOLS[number], position=(float(x), float(y), float(z)))
            for number, (x, y, z) in zip(
                molecule.numbers, np.round(molecule.coordinates, 8) + 0.0, strict=True
            )
        ),
        masses_amu=tuple(masses.tolist()),
        isotopes=mass_numbers(molecule.numbers),
        hessian=tuple(triangle.tolist()),
        polarizability=to_matrix3(round_to(0.5 * (alpha + alpha.T), digits)),
        frequency_uncertainty_cm1=engine.uncertainty_cm1(),
    )
