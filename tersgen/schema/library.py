"""The library: species and their vibrational modes."""

from typing import Annotated, Literal, Self

from pydantic import AfterValidator, model_validator

from .base import Frozen, Name, field

Vector3 = tuple[float, float, float]
Matrix3 = tuple[Vector3, Vector3, Vector3]

UNKNOWN = "unknown"
"""Class of what nobody has named."""

SYMMETRY_TOLERANCE = 1e-6
"""Largest allowed |R_ij - R_ji| relative to the largest |R_ij| of a stored tensor."""


def _symmetric(tensor: Matrix3) -> Matrix3:
    largest = max(abs(value) for row in tensor for value in row)
    skew = max(abs(tensor[i][j] - tensor[j][i]) for i, j in ((0, 1), (0, 2), (1, 2)))
    if skew > SYMMETRY_TOLERANCE * largest:
        raise ValueError(
            f"expected a symmetric tensor (within {SYMMETRY_TOLERANCE:g} of its largest element), "
            f"got a difference of {skew:g} at a largest element of {largest:g}"
        )
    return tensor


SymmetricMatrix3 = Annotated[Matrix3, AfterValidator(_symmetric)]


class Atom(Frozen):
    """One atom of a species, in the frame of the species' tensors."""

    symbol: str = field("chemical symbol", "1", pattern=r"^[A-Z][a-z]?$")
    position: Vector3 = field("Cartesian position", "Angstrom")


class Mode(Frozen):
    """One vibrational mode."""

    frequency_cm1: float = field("harmonic frequency, scaled as stated", "cm^-1", gt=0)
    tensor: SymmetricMatrix3 = field("Raman tensor d(alpha)/dQ, symmetric", "Angstrom^2 amu^-1/2")
    irrep: str | None = field("irreducible representation", "1", None, max_length=16)
    fwhm_cm1: float | None = field("the mode's own full width at half maximum", "cm^-1", None, gt=0)
    atom_tensors: tuple[Matrix3, ...] | None = field(
        "each atom's share of the tensor; they add up to it", "Angstrom^2 amu^-1/2", None
    )


class Provenance(Frozen):
    """Where the modes of a species come from: enough to judge them and to make them again."""

    kind: Literal[
        "computed",
        "fchk",
        "output",
        "phonopy",
        "table",
        "sticks",
        "peaks",
        "random",
        "unknown",
        "published",
    ] = field("kind of source", "1")
    program: str | None = field("program and version", "1", None)
    method: str | None = field("level of theory, or the model the modes are drawn from", "1", None)
    scaling: float = field("factor applied to the frequencies", "1", 1.0, gt=0)
    temperature_k: float | None = field("temperature of the modes' own widths", "K", None, gt=0)
    file: str | None = field("name of the file read", "1", None)
    sha256: str | None = field("SHA-256 of that file", "1", None)
    note: str | None = field("remarks, citations, licence", "1", None)


class Species(Frozen):
    """A molecule or crystal: its name, modes and, where known, its geometry."""

    name: Name = field("unique name in the library", "1")
    modes: tuple[Mode, ...] = field("vibrational modes, by rising frequency", "1", min_length=1)
    provenance: Provenance = field("where the modes come from", "1")
    formula: str | None = field("chemical formula", "1", None, max_length=64)
    point_group: str | None = field("point group, Schoenflies symbol", "1", None, max_length=8)
    atoms: tuple[Atom, ...] | None = field("geometry", "Angstrom", None)

    @model_validator(mode="after")
    def _atom_tensors_match_geometry(self) -> Self:
        for number, mode in enumerate(self.modes):
            if mode.atom_tensors is None:
                continue
            if self.atoms is None or len(mode.atom_tensors) != len(self.atoms):
                atoms = 0 if self.atoms is None else len(self.atoms)
                raise ValueError(
                    f"mode {number}: expected one atom tensor for each of the {atoms} atoms, "
                    f"got {len(mode.atom_tensors)}"
                )
        return self

    @property
    def class_name(self) -> str:
        """Name of its class: its own, or ``unknown`` if it stands for what nobody has named."""
        return UNKNOWN if self.provenance.kind == "unknown" else self.name

    def __repr__(self) -> str:
        """Return name and size: the tensors would fill pages."""
        geometry = f", {len(self.atoms)} atoms" if self.atoms else ""
        return f"Species({self.name!r}, {len(self.modes)} modes{geometry})"

    __str__ = __repr__


class Library(Frozen):
    """An ordered set of species, each a class, but that all unknown ones are one class."""

    species: tuple[Species, ...] = field("the species, in label order", "1", min_length=1)

    @property
    def class_names(self) -> tuple[str, ...]:
        """Names of the classes in label order, which is that of their first species."""
        return tuple(dict.fromkeys(one.class_name for one in self.species))

    @model_validator(mode="after")
    def _names_are_unique(self) -> Self:
        names = [one.name for one in self.species]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"expected unique species names, got {', '.join(twice)} twice")
        return self
