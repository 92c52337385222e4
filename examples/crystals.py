"""Make the built-in crystals from published figures: python crystals.py [FOLDER [QUARTZ]].

Positions are measured ones, and tensors have the form that the crystal class demands (R. Loudon,
Adv. Phys. 13, 423 (1964)), axes x, y, z along a, a x c, c of the conventional cell. What the form
leaves free is said in each note. Activities are relative, the strongest band of a crystal is 100,
summed over partners. Widths that we could not trace to a measurement are left out.

QUARTZ is the folder of Phonopy-Spectroscopy's example: its tensors (``quartz_raman_tensors.yaml``)
and widths (``quartz_raman_peaks.dat``) come from a computation, the positions are measured.
"""

import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tersgen.kernels.tensor import activity
from tersgen.library.builtin import species_json
from tersgen.library.harmonic import round_to, to_matrix3
from tersgen.library.importing import read_species
from tersgen.schema.species import Mode, Provenance, Species

VERY_STRONG, STRONG, MEDIUM, WEAK = 100.0, 30.0, 10.0, 3.0


@dataclass(frozen=True)
class Band:
    """A Raman band: position, representation, activity summed over partners, FWHM."""

    position_cm1: float
    irrep: str
    activity: float
    fwhm_cm1: float | None = None


def tensor(xx=0.0, yy=0.0, zz=0.0, xy=0.0, xz=0.0, yz=0.0):
    """Return a symmetric matrix from its six elements."""
    return np.array([[xx, xy, xz], [xy, yy, yz], [xz, yz, zz]])


FORMS = {
    "Oh": {"T2g": (tensor(yz=1), tensor(xz=1), tensor(xy=1))},
    "D3d": {
        "A1g": (tensor(1, 1, 1),),
        "Eg": (tensor(1, -1, yz=1), tensor(xy=-1, xz=-1)),
    },
    "D4h": {
        "A1g": (tensor(1, 1, 1),),
        "B1g": (tensor(1, -1),),
        "Eg": (tensor(xz=1), tensor(yz=1)),
    },
    "D6h": {
        "A1g": (tensor(1, 1),),
        "E2g": (tensor(1, -1), tensor(xy=-1)),
    },
}
"""Tensors of each representation; free ratios are 1, but for graphite, which has no zz."""

STRENGTHS = (
    "activities are strength classes, not measurements: very strong 100, strong 30, medium 10, "
    "weak 3"
)

CRYSTALS = {
    "silicon": (
        "Si",
        "Oh",
        [Band(520.2, "T2g", VERY_STRONG, 4.6)],
        "position 520.2 +- 0.5 cm^-1 and FWHM 4.6 cm^-1, the spectrometer's part in it, at 300 K: "
        "J. H. Parker, D. W. Feldman and M. Ashkin, Phys. Rev. 155, 712 (1967); the second-order "
        "band near 950 cm^-1 is left out",
    ),
    "calcite": (
        "CaCO3",
        "D3d",
        [
            Band(156, "Eg", MEDIUM),
            Band(282, "Eg", STRONG),
            Band(712, "Eg", MEDIUM),
            Band(1086, "A1g", VERY_STRONG),
        ],
        "symmetries and positions, rounded (published ones differ by up to 3 cm^-1): S. P. S. "
        "Porto, J. A. Giordmaine and T. C. Damen, Phys. Rev. 147, 608 (1966); the weak Eg band "
        f"near 1435 cm^-1 and all widths left out; {STRENGTHS}; the free ratios zz/xx of A1g "
        "and yz/xx of Eg taken as 1",
    ),
    "anatase": (
        "TiO2",
        "D4h",
        [
            Band(144, "Eg", VERY_STRONG),
            Band(197, "Eg", WEAK),
            Band(399, "B1g", MEDIUM),
            Band(513, "A1g", MEDIUM),
            Band(519, "B1g", MEDIUM),
            Band(639, "Eg", MEDIUM),
        ],
        "positions and symmetries: T. Ohsaka, F. Izumi and Y. Fujiki, J. Raman Spectrosc. 7, 321 "
        "(1978), of the pair 513 and 519 cm^-1 at 73 K, which is one band at 516 cm^-1 at room "
        f"temperature; widths left out; {STRENGTHS}; the free ratio zz/xx of A1g taken as 1",
    ),
    "graphite": (
        "C",
        "D6h",
        [Band(1582, "E2g", 100.0, 12.0), Band(2700, "A1g", 200.0, 50.0)],
        "G band 1582 cm^-1: review by S. Reich and C. Thomsen, Phil. Trans. R. Soc. A 362, 2271 "
        "(2004); 2D band about 2700 cm^-1 at 514.5 nm (it moves with the laser's energy): A. Gupta "
        "et al., Nano Lett. 6, 2667 (2006); FWHM of G about 12 cm^-1: arXiv 1401.0804. The 2D "
        "band is a double resonance and no mode of a harmonic model: it is drawn as one A1g-like "
        "band, in-plane isotropic (xx = yy, zz = 0), with an FWHM of 50 cm^-1 and twice G's area, "
        "half its height: model figures, after the heights 1/4 and 1/2 of G that A. C. Ferrari et "
        "al., Phys. Rev. Lett. 97, 187401 (2006) state for its two components. The shear mode near "
        "42 cm^-1 and the defect band D are left out",
    ),
}

QUARTZ_CM1 = {
    # computed (PBEsol-like lattice dynamics of the example): measured
    127: 128, 224: 207, 255: 265, 337: 356, 374: 394, 435: 450, 455: 464, 692: 697, 792: 795,
    1071: 1072, 1086: 1085, 1149: 1162,
}  # fmt: skip


def make_modes(group: str, bands: list[Band]) -> tuple[Mode, ...]:
    """Return one mode per partner, whose activities add up to the band's."""
    modes = []
    for band in bands:
        partners = FORMS[group][band.irrep]
        for partner in partners:
            scale = np.sqrt(band.activity / len(partners) / activity(partner))
            modes.append(
                Mode(
                    frequency_cm1=band.position_cm1,
                    tensor=to_matrix3(round_to(scale * partner, 8)),
                    irrep=band.irrep,
                    fwhm_cm1=band.fwhm_cm1,
                )
            )
    return tuple(modes)


def make_quartz(folder: Path) -> Species:
    """Return alpha-quartz: tensors and widths of the example at the measured positions."""
    (computed,) = read_species(
        folder / "quartz_raman_tensors.yaml", "quartz", folder / "quartz_raman_peaks.dat"
    )
    modes = []
    for mode in computed.modes:
        tensor_rounded = to_matrix3(round_to(np.array(mode.tensor), 6))
        position = QUARTZ_CM1[round(mode.frequency_cm1)]
        width = round(mode.fwhm_cm1, 2)
        update = {"frequency_cm1": position, "tensor": tensor_rounded, "fwhm_cm1": width}
        modes.append(Mode.model_validate(mode.model_dump() | update))
    note = (
        "positions of A1 and of E, transverse: J. F. Scott and S. P. S. Porto, Phys. Rev. 161, 903 "
        "(1967); tensors (symmetrised), widths and irreps: computed, the example a-SiO2 of "
        "Phonopy-Spectroscopy (MIT licence, in data/crystals/NOTICE), J. M. Skelton et al., Phys. "
        "Chem. Chem. Phys. 19, 12452 (2017), whose own positions lie up to 20 cm^-1 off; "
        "longitudinal modes left out; activities per cell, Angstrom^4/amu"
    )
    origin = computed.provenance
    return Species(
        name="quartz",
        modes=tuple(sorted(modes, key=lambda mode: mode.frequency_cm1)),
        provenance=Provenance(
            kind="published", program=origin.program, file=origin.file, sha256=origin.sha256,
            note=note,
        ),
        formula="SiO2",
        point_group="D3",
    )  # fmt: skip


def make_crystals(quartz: Path | None = None) -> list[Species]:
    """Return the crystals; alpha-quartz only from its example's folder."""
    made = [
        Species(
            name=name,
            modes=make_modes(group, bands),
            provenance=Provenance(
                kind="published",
                method=f"measured positions, tensors of the form of {group}",
                note=note,
            ),
            formula=formula,
            point_group=group,
        )
        for name, (formula, group, bands, note) in CRYSTALS.items()
    ]
    return made + ([make_quartz(quartz)] if quartz else [])


if __name__ == "__main__":
    out = Path(sys.argv[1] if len(sys.argv) > 1 else "crystals")
    out.mkdir(parents=True, exist_ok=True)
    for species in make_crystals(Path(sys.argv[2]) if len(sys.argv) > 2 else None):
        (out / f"{species.name}.json").write_text(species_json(species))
        print(f"wrote {out / species.name}.json")
