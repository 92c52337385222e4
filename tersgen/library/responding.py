"""The response of a molecule's modes to the field of a tip, ab initio, stored with its species.

Every atom is displaced; the derivatives of the response to the potentials of the sites
(``tersgen.library.sites``) are contracted with the displacements of the modes. For any tip, the
amplitude of a mode is then a quadratic form of the field at the sites. The same derivatives for
point dipoles on a grid of tips are images without a model, the reference in ``docs/nearfield.md``.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import metadata

import numpy as np
from numpy.typing import NDArray

from ..errors import LibraryError
from ..schema.packing import matrices, six
from ..schema.species import Species
from ..units import BOHR_ANGSTROM
from .displacing import Finished, Mapper, ResponseLevel, Task, derivatives, run_here
from .engine import require
from .geometry import SYMBOLS, atomic_number
from .linear_response import Forms, Probes
from .mode_matching import find_displacements
from .nearfield import atom_positions, centred, principal_axes
from .pointgroup import find_operations
from .sites import packed, place_charges, place_sites, site_functions

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Report = Callable[[str], None]

_SYMMETRIC_ANGSTROM = 1e-3
"""Tolerance of symmetry operations that save displacements."""
_NO_TIPS = np.empty((0, 3))


@dataclass(frozen=True)
class Geometry:
    """A species as the computation sees it: atomic numbers, and atoms in bohr, shape (n, 3)."""

    numbers: Ints
    coordinates: Floats
    charge: int = 0

    @classmethod
    def of(cls, species: Species) -> "Geometry":
        """Return what is needed of a species with positions."""
        if not species.atoms or len(species.atoms) < 2:
            raise LibraryError(
                f"{species.name}: expected a molecule of two or more atoms with positions, got "
                f"{len(species.atoms or ())} atoms; compute it first: tersgen library compute"
            )
        numbers = np.array([atomic_number(atom.symbol) for atom in species.atoms], np.int64)
        return cls(numbers, atom_positions(species) / BOHR_ANGSTROM, species.charge or 0)


def respond(
    species: Species,
    finished: Finished,
    level: ResponseLevel | None = None,
    mapper: Mapper = run_here,
    report: Report | None = None,
) -> Species:
    """Return a species with the response of its modes to the field at sites, Eq. (2.12).

    Parameters
    ----------
    species
        A molecule with displacements of its modes, or with atom tensors: then its modes are those
        vibrations whose atom tensors at ``level`` are most similar.
    finished
        Where finished displacements are kept.
    level
        Level of theory, RHF/aug-cc-pVDZ by default.
    mapper
        Runs the tasks; one after the other by default.
    report
        Called with a line for each displacement.
    """
    molecule = Geometry.of(species)
    made = derive(molecule, level or ResponseLevel(), _NO_TIPS, finished, mapper, report)
    modes, source = find_displacements(species, made.far_field())
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
    finished: Finished,
    level: ResponseLevel | None = None,
    mapper: Mapper = run_here,
    report: Report | None = None,
) -> Species:
    """Return a species with ab-initio images of its modes: no sites, no model.

    Parameters
    ----------
    species, finished, level, mapper, report
        As of :func:`respond`.
    tips
        Positions of the tip's dipole, shape (T, 3), Angstrom, in the frame of the species.

    Returns
    -------
    Species
        With ``image_tips``, and for each mode ``image``: the amplitude under a dipole p is p^T B p.
    """
    molecule = Geometry.of(species)
    made = derive(molecule, level or ResponseLevel(), tips, finished, mapper, report)
    modes, source = find_displacements(species, made.far_field())
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
    """

    level: ResponseLevel
    sites: Floats
    matrices: Floats
    images: Floats

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
    finished: Finished,
    mapper: Mapper = run_here,
    report: Report | None = None,
) -> Derived:
    """Return the derivatives of the response of a molecule at its sites, and under tips.

    Only one atom of each set of equivalent ones is displaced. ``tips`` have shape (T, 3), Angstrom;
    the other parameters are those of :func:`respond`.
    """
    require("'tersgen[qm]'", "pyscf")
    if level.charge is None:
        level = level.model_copy(update={"charge": molecule.charge})
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
    done = derivatives(tasks, finished, mapper, report or (lambda _: None))
    return Derived(level, sites, symmetry.all_matrices(done), symmetry.all_images(done, len(tips)))


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

    def all_images(self, done: dict[tuple[int, int], Forms], n_tips: int) -> Floats:
        """Return the images of all atoms, shape (n_atoms, 3, T, 6)."""
        out = np.empty((self.atoms.shape[1], 3, n_tips, 6))
        for i in self.unique:
            here = matrices(np.array([done[i, c].images for c in range(3)]))
            carried = self._carried(i)
            parts = here.reshape(3, len(carried), n_tips, 3, 3)
            for k, (j, turn) in enumerate(carried):
                turned = np.einsum("xc,ya,zb,ctab->xtyz", turn, turn, turn, parts[:, k])
                out[j] = six(turned)
        return out

    def all_matrices(self, done: dict[tuple[int, int], Forms]) -> Floats:
        """Return the matrices of all atoms, shape (n_atoms, 3, P, P)."""
        n_atoms, n_sites = self.atoms.shape[1], self.sites.shape[1]
        size = 3 * n_sites
        total = np.zeros((n_atoms, 3, n_sites, 3, n_sites, 3))
        times = np.zeros(n_atoms)
        for turn, atoms, sites in zip(self.operations, self.atoms, self.sites, strict=True):
            for i in self.unique:
                j = atoms[i]
                times[j] += 1
                here = np.array([done[i, c].matrix for c in range(3)])
                here = here.reshape(3, n_sites, 3, n_sites, 3)
                turned = np.einsum("xc,ya,zb,csatb->xsytz", turn, turn, turn, here, optimize=True)
                total[j][np.ix_(range(3), sites, range(3), sites)] += turned
        total /= times[:, None, None, None, None, None]
        return total.reshape(n_atoms, 3, size, size)


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
        "charge": level.charge or None,
        "modes": tuple(modes),
        "provenance": provenance.model_copy(update={"levels": levels}),
    }
    return species.model_copy(update=update)
