"""Levels of theory: functional, basis sets, numerical settings, and frequency scaling factors."""

from ..schema.base import Frozen, field

SCALING = {
    ("b3lyp", "6-311+g(d,p)"): (
        0.9679,
        "scaling factor: M. P. Andersson and P. Uvdal, J. Phys. Chem. A 109, 2937 (2005)",
    ),
    ("b3lyp", "6-31g(d)"): (
        0.9614,
        "scaling factor: A. P. Scott and L. Radom, J. Phys. Chem. 100, 16502 (1996)",
    ),
}
"""Frequency scaling factors known for a level of theory, with their source."""

THEORY = (
    "functional", "basis", "raman_basis", "grid", "field_step", "analytic_hessian", "displacement",
)  # fmt: skip
"""Settings of a level that engines with a level of theory of their own do not take."""
RESPONSE_GRID = 1
"""PySCF grid level of the response of the orbitals in an analytic Hessian."""


class Level(Frozen):
    """Level of theory of PySCF and its settings, and what all engines take: scaling and digits."""

    functional: str = field("functional as PySCF names it, or hf", "1", "b3lyp", max_length=64)
    basis: str = field("basis set as PySCF names it", "1", "6-311+g(d,p)", max_length=64)
    raman_basis: str | None = field(
        "basis set of d(alpha)/dR, at the same geometry; None takes that of the geometry",
        "1",
        "aug-cc-pvdz",
        max_length=64,
    )
    grid: int = field("PySCF grid level of the functional", "1", 3, ge=0, le=9)
    field_step: float = field("step of the field differences", "hartree/(e bohr)", 0.002, gt=0)
    analytic_hessian: bool = field("solve the CPKS equations for the Hessian", "1", False)
    displacement: float = field("step of the Hessian's differences", "bohr", 0.005, gt=0)
    scaling: float | None = field(
        "factor on the frequencies; None takes the published one of the level, else 1", "1", None,
        gt=0,
    )  # fmt: skip
    digits: int = field("significant digits kept", "1", 8, ge=4, le=17)

    def frequency_scaling(self) -> tuple[float, str]:
        """Return the factor on the frequencies, and where it is from (empty if given or 1)."""
        if self.scaling is not None:
            return self.scaling, ""
        return SCALING.get((self.functional.lower(), self.basis.lower()), (1.0, ""))

    def theory(self) -> str:
        """Return functional and basis set."""
        kind = "RHF" if self.functional.lower() == "hf" else f"RKS {self.functional}"
        return f"{kind}/{self.basis}"

    def describe(self) -> str:
        """Return the level of geometry and Hessian in one line, for a provenance."""
        hessian = f"analytic Hessian, its response on grid level {min(RESPONSE_GRID, self.grid)}"
        if not self.analytic_hessian:
            hessian = f"Hessian from gradients, step {self.displacement:g} bohr"
        return (
            f"{self.theory()}, density fitting with PySCF's default auxiliary bases, "
            f"grid level {self.grid}, {hessian}"
        )
