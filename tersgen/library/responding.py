"""The response of a molecule's modes to the field of a tip, ab initio, stored with its species.

Every atom is displaced; the derivatives of the response to the potentials of the sites
(``tersgen.library.sites``) are contracted with the displacements of the modes. For any tip, the
amplitude of a mode is then a quadratic form of the field at the sites. The same derivatives for
point dipoles on a grid of tips are images without a model, the reference in ``docs/nearfield.md``.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..errors import LibraryError
from ..schema.packing import matrices, six
from ..schema.species import Species
from ..units import BOHR_ANGSTROM
from .displacing import Derivative, Mapper, ResponseLevel, Task, derivatives, run_here
from .engine import require
from .geometry import SYMBOLS, atomic_number
from .harmonic import normal_modes
from .linear_response import Probes
from .masses import isotope_masses
from .nearfield import atom_positions, centred, principal_axes
from .pointgroup import find_operations
from .sites import packed, place_charges, place_sites, site_functions

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Report = Callable[[str], None]

_SYMMETRIC_ANGSTROM = 1e-3
"""Tolerance of symmetry operations that save displacements."""
_LEAST_LIKENESS = 0.5
"""Least cosine between atom tensors of corresponding modes of two computations."""
_NO_TIPS = np.empty((0, 3))


@dataclass(frozen=True)
class Geometry:
    """A species as the computation sees it: atomic numbers, and atoms in bohr, shape (n, 3)."""

    numbers: Ints
    coordinates: Floats

    @classmethod
    def of(cls, species: Species) -> "Geometry":
        """Return what is needed of a species with positions."""
        if not species.atoms or len(species.atoms) < 2:
            raise LibraryError(
                f"{species.name}: expected a molecule of two or more atoms with positions, got "
                f"{len(species.atoms or ())} atoms; compute it first: tersgen library compute"
            )
        numbers = np.array([atomic_number(atom.symbol) for atom in species.atoms], np.int64)
        return cls(numbers, atom_positions(species) / BOHR_ANGSTROM)


def respond(
    species: Species,
    folder: Path,
    level: ResponseLevel | None = None,
    mapper: Mapper = run_here,
    report: Report | None = None,
) -> Species:
    """Return a species with the response of its modes to the field at sites, Eq. (2.12).

    Parameters
    ----------
    species
        A molecule with displacements of its modes, or with atom tensors: then its modes are found
        among those of the Hessian at ``level`` by the similarity of their atom tensors.
    folder
        Where finished displacements are kept: :func:`tersgen.library.displacing.remove_results`.
    level
        Level of theory, RHF/6-31G* by default.
    mapper
        Runs the tasks; one after the other by default.
    report
        Called with a line for each displacement.

    Raises
    ------
    MissingExtraError
        If PySCF is not installed.
    LibraryError
        If the molecule or level cannot be used, or its modes are not found.
    """
    molecule = Geometry.of(species)
    made = derive(molecule, level or ResponseLevel(), _NO_TIPS, folder, mapper, report)
    modes, source = _displacements(species, molecule, made)
    response = np.einsum("mic,icpq->mpq", modes, made.matrices, optimize=True)
    kept = packed(response * BOHR_ANGSTROM**2).astype(np.float32)
    return _with(
        species,
        made.level,
        {"sites": tuple(map(tuple, np.round(made.sites, 8).tolist()))},
        [{"site_response": tuple(row)} for row in kept.tolist()],
        "site response",
        source,
    )


def image(
    species: Species,
    tips: Floats,
    folder: Path,
    level: ResponseLevel | None = None,
    mapper: Mapper = run_here,
    report: Report | None = None,
) -> Species:
    """Return a species with ab-initio images of its modes: no sites, no model.

    Parameters
    ----------
    species, folder, level, mapper, report
        As of :func:`respond`.
    tips
        Positions of the tip's dipole, shape (T, 3), Angstrom, in the frame of the species.

    Returns
    -------
    Species
        With ``image_tips``, and for each mode ``image``: the amplitude under a dipole p is p^T B p.
    """
    molecule = Geometry.of(species)
    made = derive(molecule, level or ResponseLevel(), tips, folder, mapper, report)
    modes, source = _displacements(species, molecule, made)
    amplitudes = np.einsum("mic,ictk->mtk", modes, made.images, optimize=True) / BOHR_ANGSTROM**4
    rows = amplitudes.astype(np.float32).tolist()
    return _with(
        species,
        made.level,
        {"image_tips": tuple(map(tuple, tips.tolist()))},
        [{"image": tuple(map(tuple, row))} for row in rows],
        "images",
        source,
    )


def tip_grid(species: Species, heights: Sequence[float], step: float, margin: float) -> Floats:
    """Return tips over a molecule that lies flat, in the frame of the species, shape (T, 3).

    Parameters
    ----------
    species
        A molecule with positions.
    heights
        Above the highest atom, Angstrom; the slowest index.
    step
        Spacing of tips along the longer principal axes, Angstrom.
    margin
        Margin of the grid beyond the outermost atoms, Angstrom.
    """
    positions = atom_positions(species)
    turn = principal_axes(positions)
    flat = centred(positions) @ turn.T
    axes = []
    for low, high in zip(flat.min(axis=0)[:2] - margin, flat.max(axis=0)[:2] + margin, strict=True):
        half = int(np.ceil((high - low) / (2 * step)))
        axes.append(0.5 * (low + high) + step * np.arange(-half, half + 1))
    z, x, y = np.meshgrid(flat[:, 2].max() + np.array(heights), *axes, indexing="ij")
    tips: Floats = np.stack([x, y, z], axis=-1).reshape(-1, 3) @ turn + positions.mean(axis=0)
    return tips


@dataclass(frozen=True)
class Derived:
    """Derivatives of the response along displacements of every atom, atomic units.

    Attributes
    ----------
    level
        Level of theory.
    sites
        Shape (S, 3), Angstrom.
    matrices
        Response at sites, shape (n_atoms, 3, 3 S, 3 S).
    images
        B of p^T B p for a dipole p at each tip, shape (n_atoms, 3, T, 6): xx, yy, zz, xy, xz, yz.
    hessian
        Shape (n_atoms, 3, n_atoms, 3).
    """

    level: ResponseLevel
    sites: Floats
    matrices: Floats
    images: Floats
    hessian: Floats

    def far_field(self) -> Floats:
        """Return d(alpha)/dR, shape (n_atoms, 3, 3, 3): all sites in one field."""
        n_atoms, n_sites = len(self.matrices), len(self.sites)
        by_site = self.matrices.reshape(n_atoms, 3, n_sites, 3, n_sites, 3)
        far: Floats = by_site.sum(axis=(2, 4))
        return far


def derive(
    molecule: Geometry,
    level: ResponseLevel,
    tips: Floats,
    folder: Path,
    mapper: Mapper = run_here,
    report: Report | None = None,
) -> Derived:
    """Return the derivatives of the response of a molecule at its sites, and under tips.

    Only one atom of each set of equivalent ones is displaced. ``tips`` have shape (T, 3), Angstrom;
    the other parameters are those of :func:`respond`.
    """
    require("'tersgen[qm]'", "pyscf")
    positions = molecule.coordinates * BOHR_ANGSTROM
    sites = place_sites([SYMBOLS[number] for number in molecule.numbers], positions)
    charges = place_charges(positions) / BOHR_ANGSTROM
    functions = site_functions(sites / BOHR_ANGSTROM, charges)
    symmetry = _Symmetry.of(molecule, sites)
    tasks = []
    for i in symmetry.unique:
        seen = symmetry.tips_of(i, tips) / BOHR_ANGSTROM
        probes = Probes(charges, functions, seen, level.smearing)
        tasks += [
            Task(molecule.numbers, molecule.coordinates, level, probes, i, c) for c in range(3)
        ]
    done = derivatives(tasks, folder, mapper, report or (lambda _: None))
    matrices, hessian = symmetry.all_atoms(done)
    images = symmetry.all_images(done, len(tips))
    return Derived(level, sites, matrices, images, hessian)


@dataclass(frozen=True)
class _Symmetry:
    """Symmetry operations of a molecule about its centre, as permutations of atoms and sites."""

    middle: Floats
    operations: Floats
    atoms: Ints
    sites: Ints

    @classmethod
    def of(cls, molecule: Geometry, sites: Floats) -> "_Symmetry":
        """Find the operations that carry atoms to atoms and sites to sites.

        For a linear molecule only the identity is taken.
        """
        positions = molecule.coordinates * BOHR_ANGSTROM
        middle = positions.mean(axis=0)
        operations, images = np.eye(3)[None], np.arange(len(positions))[None]
        if np.linalg.matrix_rank(positions - middle, tol=0.1) > 1:
            operations, images = find_operations(
                molecule.numbers, positions - middle, _SYMMETRIC_ANGSTROM
            )
        away = np.einsum("gab,sb->gsa", operations, sites - middle)[:, :, None] - (sites - middle)
        gaps = np.linalg.norm(away, axis=-1)
        kept = gaps.min(axis=2).max(axis=1) < 10 * _SYMMETRIC_ANGSTROM
        return cls(middle, operations[kept], images[kept], gaps[kept].argmin(axis=2))

    @property
    def unique(self) -> list[int]:
        """One atom of each set of equivalent ones, by number."""
        return [i for i in range(self.atoms.shape[1]) if self.atoms[:, i].min() == i]

    def _carried(self, i: int) -> list[tuple[int, Floats]]:
        """Return the atoms that atom ``i`` is mapped onto, each with one such operation."""
        found: dict[int, Floats] = {}
        for operation, atoms in zip(self.operations, self.atoms, strict=True):
            found.setdefault(int(atoms[i]), operation)
        return sorted(found.items(), key=lambda pair: pair[0])

    def tips_of(self, i: int, tips: Floats) -> Floats:
        """Return the tips of all atoms that ``i`` is mapped onto, moved back to it, Angstrom."""
        seen = [(tips - self.middle) @ one + self.middle for _, one in self._carried(i)]
        return np.concatenate(seen)

    def all_images(self, done: dict[tuple[int, int], Derivative], n_tips: int) -> Floats:
        """Return the images of all atoms, shape (n_atoms, 3, T, 6)."""
        out = np.empty((self.atoms.shape[1], 3, n_tips, 6))
        for i in self.unique:
            here = matrices(np.array([done[i, c].forms.images for c in range(3)]))
            carried = self._carried(i)
            parts = here.reshape(3, len(carried), n_tips, 3, 3)
            for k, (j, turn) in enumerate(carried):
                turned = np.einsum("xc,ya,zb,ctab->xtyz", turn, turn, turn, parts[:, k])
                out[j] = six(turned)
        return out

    def all_atoms(self, done: dict[tuple[int, int], Derivative]) -> tuple[Floats, Floats]:
        """Return matrices, (n_atoms, 3, P, P), and Hessian, (n_atoms, 3, n_atoms, 3), of all."""
        n_atoms, n_sites = self.atoms.shape[1], self.sites.shape[1]
        size = 3 * n_sites
        total = np.zeros((n_atoms, 3, n_sites, 3, n_sites, 3))
        hessian = np.zeros((n_atoms, 3, n_atoms, 3))
        times = np.zeros(n_atoms)
        for turn, atoms, sites in zip(self.operations, self.atoms, self.sites, strict=True):
            for i in self.unique:
                j = atoms[i]
                times[j] += 1
                here = np.array([done[i, c].forms.matrix for c in range(3)])
                here = here.reshape(3, n_sites, 3, n_sites, 3)
                turned = np.einsum("xc,ya,zb,csatb->xsytz", turn, turn, turn, here, optimize=True)
                total[j][np.ix_(range(3), sites, range(3), sites)] += turned
                forces = np.array([done[i, c].forces for c in range(3)])
                hessian[j][:, atoms] += np.einsum("xc,ya,cna->xny", turn, turn, forces)
        total /= times[:, None, None, None, None, None]
        hessian /= times[:, None, None, None]
        return total.reshape(n_atoms, 3, size, size), hessian


def _displacements(species: Species, molecule: Geometry, made: Derived) -> tuple[Floats, str]:
    """Return dR/dQ of the modes of a species, amu^-1/2, (n_modes, n_atoms, 3), and how found.

    Raises
    ------
    LibraryError
        If the species has neither displacements nor atom tensors, or they do not match.
    """
    masses = np.array(species.masses_amu or isotope_masses(molecule.numbers))
    known = [mode.displacements for mode in species.modes]
    if all(one is not None for one in known):
        raw = np.array(known, np.float64)
        size = np.sqrt(np.einsum("i,mic->m", masses, raw**2))
        return raw / size[:, None, None], "displacements of the species"
    shares = [mode.atom_tensors for mode in species.modes]
    if any(one is None for one in shares):
        raise LibraryError(
            f"{species.name}: expected displacements or atom tensors of all modes, got neither; "
            "import a Gaussian .fchk or compute the molecule (tersgen library compute)"
        )
    n = len(masses)
    square = made.hessian.reshape(3 * n, 3 * n)
    modes = normal_modes(square, masses, molecule.coordinates).displacements
    computed = np.einsum("mic,icab->miab", modes, made.far_field())
    wanted = np.array(shares, np.float64)
    wanted = 0.5 * (wanted + wanted.swapaxes(-1, -2))
    mixing, likeness = match_modes(wanted, computed)
    if np.median(likeness) < _LEAST_LIKENESS:
        raise LibraryError(
            f"{species.name}: expected atom tensors like those of the computed modes, got a cosine "
            f"of {np.median(likeness):.2f}; compute the molecule (tersgen library compute)"
        )
    found = np.einsum("mk,kic->mic", mixing, modes)
    least = float(likeness.min())
    return found, f"modes by their atom tensors, least cosine {least:.2f}"


def match_modes(wanted: Floats, computed: Floats) -> tuple[Floats, Floats]:
    """Return the orthogonal mixing of modes whose atom tensors are most similar to others.

    Both sets of modes are orthonormal in mass-weighted coordinates, so that one follows from the
    other by an orthogonal matrix: that of P. H. Schoenemann, Psychometrika 31, 1 (1966).

    Parameters
    ----------
    wanted
        Atom tensors, shape (n_modes, n_atoms, 3, 3).
    computed
        Those of other modes, as many or a few more.

    Returns
    -------
    mixing, likeness
        Shape (n_modes, n_computed), with orthonormal rows; and the cosine of the tensors of each
        mode with those of its mixture.
    """
    left, right = wanted.reshape(len(wanted), -1), computed.reshape(len(computed), -1)
    u, _, v = np.linalg.svd(left @ right.T, full_matrices=False)
    mixing = u @ v
    mixed = mixing @ right
    size = np.linalg.norm(left, axis=1) * np.linalg.norm(mixed, axis=1)
    return mixing, np.einsum("mk,mk->m", left, mixed) / np.maximum(size, 1e-12)


def _with(
    species: Species, level: ResponseLevel, own: dict[str, object],
    each: Sequence[dict[str, object]], what: str, source: str,
) -> Species:  # fmt: skip
    """Return a species with more quantities, and their level."""
    provenance = species.provenance
    text = f"{level.describe()}, PySCF {metadata.version('pyscf')}; {source}"
    levels = {**(provenance.levels or {}), what: text}
    modes = [mode.model_copy(update=more) for mode, more in zip(species.modes, each, strict=True)]
    update = {
        **own,
        "modes": tuple(modes),
        "provenance": provenance.model_copy(update={"levels": levels}),
    }
    return species.model_copy(update=update)
