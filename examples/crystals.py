"""Make the built-in crystals from published figures: python crystals.py [FOLDER [QUARTZ]].

Positions are measured ones, and tensors have the form that the crystal class demands (R. Loudon,
Adv. Phys. 13, 423 (1964)), axes x, y, z along a, a x c, c of the conventional cell. What the form
leaves free is said in each note. Observed strengths are turned into activities once, here.
Activities are relative, the strongest band of a crystal is 100, summed over partners.

QUARTZ is the folder of Phonopy-Spectroscopy's example: its tensors (``quartz_raman_tensors.yaml``)
and widths (``quartz_raman_peaks.dat``) come from a computation, the positions are measured.
"""

import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tersgen.library.builtin import species_json
from tersgen.library.harmonic import round_to, to_matrix3
from tersgen.library.importing import read_species
from tersgen.library.intensities import Observation, to_activities
from tersgen.numeric.tensor import activity
from tersgen.schema.species import Mode, Provenance, Species


@dataclass(frozen=True)
class Band:
    """A Raman band: position, representation, strength summed over partners, FWHM, free ratio."""

    position_cm1: float
    irrep: str
    strength: float
    fwhm_cm1: float
    ratio: float = 1.0


@dataclass(frozen=True)
class Crystal:
    """A crystal's bands, and what their strengths are: observed as told, or activities (None)."""

    formula: str
    group: str
    bands: tuple[Band, ...]
    observed: Observation | None
    note: str


def tensor(xx=0.0, yy=0.0, zz=0.0, xy=0.0, xz=0.0, yz=0.0):
    """Return a symmetric matrix from its six elements."""
    return np.array([[xx, xy, xz], [xy, yy, yz], [xz, yz, zz]])


FORMS = {
    "Oh": {
        "A1g": lambda _: (tensor(1, 1, 1),),
        "T2g": lambda _: (tensor(yz=1), tensor(xz=1), tensor(xy=1)),
    },
    "D3d": {
        "A1g": lambda ratio: (tensor(1, 1, ratio),),
        "Eg": lambda ratio: (tensor(1, -1, yz=ratio), tensor(xy=-1, xz=-ratio)),
    },
    "D4h": {
        "A1g": lambda ratio: (tensor(1, 1, ratio),),
        "B1g": lambda _: (tensor(1, -1),),
        "Eg": lambda _: (tensor(xz=1), tensor(yz=1)),
    },
    "D6h": {
        "A1g": lambda _: (tensor(1, 1),),
        "E2g": lambda _: (tensor(1, -1), tensor(xy=-1)),
    },
}
"""Tensors of each representation by its free ratio, zz/xx or yz/xx; graphite's A1g has no zz."""

CRYSTALS = {
    "silicon": Crystal(
        "Si",
        "Oh",
        (
            Band(303, "A1g", 2.0, 16),
            Band(306, "A1g", 12.3, 144),
            Band(520.2, "T2g", 100.0, 4.6),
            Band(938, "A1g", 2.0, 15),
            Band(962, "A1g", 13.0, 57),
        ),
        Observation("area", 785.0),
        "520.2 +- 0.5 cm^-1, FWHM 4.6 cm^-1 with the spectrometer's part, at 300 K: J. H. Parker, "
        "D. W. Feldman and M. Ashkin, Phys. Rev. 155, 712 (1967). Second order is no mode of a "
        "harmonic model: it is drawn as Gaussian-like bands, two for 2TO (920 to 1000 cm^-1) and "
        "two for the acoustic overtones (2TA, 200 to 450 cm^-1), all A1g, as it mostly is: P. A. "
        "Temple and C. E. Hathaway, Phys. Rev. B 7, 3685 (1973); the weak bands from 600 to 850 "
        "cm^-1 are left out. Observed at 785 nm, taken as unpolarised, response corrected by SRM "
        "2241: the area of 2TO is 0.15 (+- 30 %) of the line's, mean of our fits to wafers S0N and "
        "S1N of ramanchada2 1.5.0 (MIT licence, folder ICV_BW785). Positions, widths and shares of "
        "the bands, overtones 0.95 of 2TO: our fits to S0B and S0P at 633 nm (folder TOP_Ho633), "
        "response not corrected",
    ),
    "calcite": Crystal(
        "CaCO3",
        "D3d",
        (
            Band(156, "Eg", 22.0, 7.6, 1.69),
            Band(282, "Eg", 80.0, 10.7, 2.47),
            Band(712, "Eg", 11.0, 4.8, 0.38),
            Band(1086, "A1g", 100.0, 3.9, 0.31),
        ),
        Observation("area", 785.0),
        "symmetries and positions, rounded (published ones differ by up to 3 cm^-1): S. P. S. "
        "Porto, J. A. Giordmaine and T. C. Damen, Phys. Rev. 147, 608 (1966). Areas observed at "
        "785 nm, taken as unpolarised: 22 +- 4, 80 +- 17, 11 +- 1, 100, mean and spread of our "
        "fits to the six spectra nCAL02 and sCAL02 of ramanchada2 1.5.0 (MIT licence, folder "
        "ICV_BW785), two crystals of unknown orientation, response corrected by SRM 2241 measured "
        "there, which halves the two low bands (its certificate begins at 200 cm^-1). FWHM: our "
        "fit to nCal on a Renishaw Qontor at 785 nm in the tests of ramanchada2, with the "
        "spectrometer's 3 cm^-1; the Lorentzian part is about 5.9, 10, 2.3 and 1.3 cm^-1. Free "
        "ratios yz/xx of Eg, sign unknown, and zz/xx of A1g: computed (PBE), calcite_CRYSTAL_PBE "
        "of ramanchada2. The weak Eg band near 1435 cm^-1 is left out",
    ),
    "anatase": Crystal(
        "TiO2",
        "D4h",
        (
            Band(144, "Eg", 499.06, 7.5),
            Band(197, "Eg", 3.58, 10),
            Band(399, "B1g", 276.51, 19),
            Band(513, "A1g", 272.20, 20, -0.14),
            Band(519, "B1g", 59.85, 20),
            Band(639, "Eg", 1000.0, 21),
        ),
        None,
        "positions and symmetries: T. Ohsaka, F. Izumi and Y. Fujiki, J. Raman Spectrosc. 7, 321 "
        "(1978), of the pair 513 and 519 cm^-1 at 73 K, which is one band at 516 cm^-1 at room "
        "temperature. Activities and zz/xx of A1g are computed, not observed, as no spectrum of a "
        "pure powder was at hand: PBE, CRYSTAL, Anatase_PBE_pob_TZVP_Raman_intens.out in the tests "
        "of ramanchada2 (MIT licence). Observed areas agree: 516/144 is 0.10 +- 0.01 in TiO2 in a "
        "polymer at 785 nm (ramanchada2 1.5.0, folders twinning, response corrected by SRM 2241), "
        "639/144 is 0.2 (+- 20 %) in crystal R060277 of RRUFF (broad scan 21346, laser and "
        "response not stated); 399 is not checked. FWHM: Lorentzian parts of our fits to the two, "
        "7.5 cm^-1 +- 0.3 of 144, the others +- 3; of 197 about 10 cm^-1",
    ),
    "graphite": Crystal(
        "C",
        "D6h",
        (Band(1582, "E2g", 100.0, 12), Band(2700, "A1g", 200.0, 50)),
        Observation("area", 514.5),
        "G band 1582 cm^-1: review by S. Reich and C. Thomsen, Phil. Trans. R. Soc. A 362, 2271 "
        "(2004); 2D band about 2700 cm^-1 at 514.5 nm (it moves with the laser's energy): A. Gupta "
        "et al., Nano Lett. 6, 2667 (2006); FWHM of G about 12 cm^-1: arXiv 1401.0804. The 2D "
        "band is a double resonance and no mode of a harmonic model: it is drawn as one A1g-like "
        "band, in-plane isotropic (xx = yy, zz = 0), with an FWHM of 50 cm^-1 and, at 514.5 nm, "
        "twice G's area, half its height: model figures, after the heights 1/4 and 1/2 of G that "
        "A. C. Ferrari et al., Phys. Rev. Lett. 97, 187401 (2006) state for its two components. "
        "The shear mode near 42 cm^-1 and the defect band D are left out",
    ),
}

QUARTZ_CM1 = {
    # computed (PBEsol-like lattice dynamics of the example): measured
    127: 128, 224: 207, 255: 265, 337: 356, 374: 394, 435: 450, 455: 464, 692: 697, 792: 795,
    1071: 1072, 1086: 1085, 1149: 1162,
}  # fmt: skip


def band_activities(crystal: Crystal) -> list[float]:
    """Return the activity of each band, the largest being 100."""
    rows = np.array([[band.position_cm1, band.strength, band.fwhm_cm1] for band in crystal.bands])
    if crystal.observed:
        rows = to_activities(rows, crystal.observed)
    return (100.0 * rows[:, 1] / rows[:, 1].max()).tolist()


def make_modes(crystal: Crystal) -> tuple[Mode, ...]:
    """Return one mode per partner, whose activities add up to the band's."""
    modes = []
    for band, total in zip(crystal.bands, band_activities(crystal), strict=True):
        partners = FORMS[crystal.group][band.irrep](band.ratio)
        for partner in partners:
            scale = np.sqrt(total / len(partners) / activity(partner))
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
            modes=make_modes(crystal),
            provenance=Provenance(
                kind="published",
                method=f"measured positions, tensors of the form of {crystal.group}",
                note=crystal.note,
            ),
            formula=crystal.formula,
            point_group=crystal.group,
        )
        for name, crystal in CRYSTALS.items()
    ]
    return made + ([make_quartz(quartz)] if quartz else [])


if __name__ == "__main__":
    out = Path(sys.argv[1] if len(sys.argv) > 1 else "crystals")
    out.mkdir(parents=True, exist_ok=True)
    for species in make_crystals(Path(sys.argv[2]) if len(sys.argv) > 2 else None):
        (out / f"{species.name}.json").write_text(species_json(species))
        print(f"wrote {out / species.name}.json")
