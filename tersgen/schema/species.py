"""Species, their vibrational modes and libraries, as documents: what importers make."""

from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from ..text import counted
from .base import DIGEST, Frozen, Name, field
from .plugin import PluginRecord

Vector3 = tuple[float, float, float]
Matrix3 = tuple[Vector3, Vector3, Vector3]
Six = tuple[float, float, float, float, float, float]

UNKNOWN = "unknown"
"""Class of all species without a name of their own."""

Observed = Literal["observed area", "observed height"]
"""Strengths of bands as a spectrometer records them: areas or heights, in photons."""

Estimated = Literal["strength class", "positions only"]
"""What a published table of bands has in place of strengths: words (very strong to very weak), or
nothing, in which case all bands get the same activity."""

SYMMETRY_TOLERANCE = 1e-6
"""Largest allowed |R_ij - R_ji| relative to the largest |R_ij| of a stored tensor."""


def triangle(size: Any) -> Any:
    """Return how many numbers the triangle of a square matrix has, its diagonal included.

    ``size`` is a number of rows, or an array of such.
    """
    return size * (size + 1) // 2


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
    fwhm_cm1: float | None = field("full width at half maximum of the mode", "cm^-1", None, gt=0)
    atom_tensors: tuple[Matrix3, ...] | None = field(
        "contribution of each atom to the tensor; they sum to it, and only their symmetric parts "
        "are used",
        "Angstrom^2 amu^-1/2",
        None,
    )
    displacements: tuple[Vector3, ...] | None = field(
        "Cartesian displacement of each atom, normalised over all atoms", "1", None
    )
    site_response: tuple[float, ...] | None = field(
        "response to the field at the sites of the species: upper triangle of a symmetric matrix, "
        "row by row, over x, y, z of each site in turn",
        "Angstrom^2 amu^-1/2",
        None,
    )
    image: tuple[Six, ...] | None = field(
        "amplitude p^T B p under a dipole p at each tip of the species: xx, yy, zz, xy, xz, yz of "
        "B, for a field of [3 n (n.p) - p] / d^3 with d in Angstrom",
        "Angstrom^-4 amu^-1/2",
        None,
    )


class Provenance(Frozen):
    """Where the modes of a species come from: enough to judge and to reproduce them."""

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
        "imported",
    ] = field("kind of source", "1")
    program: str | None = field("program and version", "1", None)
    method: str | None = field(
        "level of theory, or the model from which modes are drawn", "1", None
    )
    scaling: float = field("factor applied to the frequencies", "1", 1.0, gt=0)
    temperature_k: float | None = field(
        "temperature at which the widths of the modes apply", "K", None, gt=0
    )
    file: str | None = field("name of the file read", "1", None)
    sha256: str | None = field("SHA-256 of that file", "1", None)
    note: str | None = field("remarks, citations, licence", "1", None)
    intensity: Observed | Estimated | None = field(
        "kind of the strengths before conversion to activities; none if they were activities",
        "1",
        None,
    )
    laser_nm: float | None = field("laser wavelength of observed strengths", "nm", None, gt=0)
    observed_temperature_k: float | None = field(
        "sample temperature of observed strengths", "K", None, gt=0
    )
    response: str | None = field(
        "correction of observed strengths for the response of the instrument", "1", None
    )
    importer: PluginRecord | None = field("plug-in importer that read the file", "1", None)
    levels: dict[str, str] | None = field(
        "level of theory of quantities (frequencies, tensors, ...) for which it differs from "
        "method",
        "1",
        None,
    )


class Species(Frozen):
    """A molecule or crystal: its name, modes and, where known, its geometry."""

    name: Name = field("unique name in the library", "1")
    modes: tuple[Mode, ...] = field("vibrational modes, by rising frequency", "1", min_length=1)
    provenance: Provenance = field("where the modes come from", "1")
    formula: str | None = field("chemical formula", "1", None, max_length=64)
    point_group: str | None = field("point group, Schoenflies symbol", "1", None, max_length=8)
    atoms: tuple[Atom, ...] | None = field("geometry", "Angstrom", None)
    charge: int | None = field("charge; none if neutral or not stated", "e", None)
    masses_amu: tuple[Annotated[float, Field(gt=0)], ...] | None = field(
        "mass of each atom", "amu", None
    )
    isotopes: tuple[Annotated[int, Field(ge=0)], ...] | None = field(
        "mass number of each atom; 0 for the natural mixture", "1", None
    )
    hessian: tuple[float, ...] | None = field(
        "second derivatives of the energy with respect to Cartesian coordinates: lower triangle, "
        "row by row",
        "Hartree bohr^-2",
        None,
    )
    polarizability: SymmetricMatrix3 | None = field("static polarizability", "Angstrom^3", None)
    atom_polarizabilities: tuple[Matrix3, ...] | None = field(
        "contribution of each atom to the static polarizability; they sum to it", "Angstrom^3", None
    )
    sites: tuple[Vector3, ...] | None = field(
        "points at which the field of a tip is taken, for the response of the modes", "Angstrom",
        None,
    )  # fmt: skip
    image_tips: tuple[Vector3, ...] | None = field(
        "positions of the tip's dipole in the images of the modes", "Angstrom", None
    )
    frequency_uncertainty_cm1: float | None = field(
        "standard deviation of the frequencies from measured ones", "cm^-1", None, ge=0
    )
    conformer_weight: float | None = field(
        "population of this conformer at room temperature", "1", None, ge=0, le=1
    )
    class_name: Name | None = field(
        "class that it shares with others, such as the conformers of a molecule; None for one of "
        "its own",
        "1",
        None,
    )

    @model_validator(mode="after")
    def _one_for_each_atom(self) -> Self:
        atoms = len(self.atoms or ())
        each: list[tuple[str, int | None]] = [
            (f"mode {number}: {what}", None if values is None else len(values))
            for number, mode in enumerate(self.modes)
            for what, values in (
                ("atom_tensors", mode.atom_tensors),
                ("displacements", mode.displacements),
            )
        ]
        for name in ("masses_amu", "isotopes", "atom_polarizabilities"):
            values = getattr(self, name)
            each.append((name, None if values is None else len(values)))
        for name, count in each:
            if count not in (None, atoms):
                raise ValueError(f"{name}: expected one for each of the {atoms} atoms, got {count}")
        self._check_each_mode("site_response", "sites", triangle(3 * len(self.sites or ())))
        self._check_each_mode("image", "image_tips", len(self.image_tips or ()))
        wanted = triangle(3 * atoms)
        if self.hessian is not None and len(self.hessian) != wanted:
            raise ValueError(
                f"hessian: expected the {wanted} numbers of a lower triangle for {atoms} atoms, "
                f"got {len(self.hessian)}"
            )
        return self

    def _check_each_mode(self, name: str, points: str, wanted: int) -> None:
        """Refuse a species in which some modes lack a quantity at points, or have too much."""
        for number, mode in enumerate(self.modes):
            count = len(getattr(mode, name) or ())
            if count != wanted:
                raise ValueError(
                    f"mode {number}: {name}: expected {wanted} values for the {points} of the "
                    f"species, got {count}"
                )

    def __repr__(self) -> str:
        """Return name and size: the tensors would fill pages."""
        geometry = f", {counted(len(self.atoms), 'atom')}" if self.atoms else ""
        return f"Species({self.name!r}, {counted(len(self.modes), 'mode')}{geometry})"

    __str__ = __repr__


class LibraryDocument(Frozen):
    """A library as JSON: its species written out."""

    species: tuple[Species, ...] = field("the species, in label order", "1", min_length=1)


class LibraryReference(Frozen):
    """A library by its digest, as a stored recipe names it."""

    digest: str = field("BLAKE3 digest of the library", "1", pattern=DIGEST)
    file: str | None = field("its file; by default library.tlib next to the recipe", "1", None)
