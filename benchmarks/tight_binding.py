"""Tight binding: how long molecules take, and how well they agree with density functional theory.

``python benchmarks/tight_binding.py time symmetry agreement`` measures and writes the JSON file;
``python benchmarks/tight_binding.py table`` prints the table of docs/outside_checks.md.
"""

import argparse
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
from machine import describe, write_json
from numpy.typing import NDArray

from tersgen.library.builtin import builtin_names, load_builtin
from tersgen.library.computing import compute_species
from tersgen.library.degeneracy import mode_activity
from tersgen.library.engine import Molecule, make_engine
from tersgen.library.entries import make_molecule, read_entries
from tersgen.library.geometry import SYMBOLS
from tersgen.library.pointgroup import PointGroup
from tersgen.numeric.tensor import activity, depolarization_plane
from tersgen.schema.species import Species

Floats = NDArray[np.float64]

RESULTS = Path(__file__).parent / "results" / "tight_binding.json"
DRUG_LIKE = """
c1ccncc1 pyridine
c1c[nH]cn1 imidazole
Oc1ccccc1 phenol
Nc1ccccc1 aniline
NC(N)=O urea
NCC(=O)O glycine
O=Cc1ccco1 furfural
c1cncnc1 pyrimidine
Nc1cc[nH]c(=O)n1 cytosine
O=c1cc[nH]c(=O)[nH]1 uracil
Nc1ncnc2[nH]cnc12 adenine
NC(=O)c1ccccc1 benzamide
NC(=O)c1cccnc1 nicotinamide
NNC(=O)c1ccncc1 isoniazid
O=c1[nH]cc(F)c(=O)[nH]1 fluorouracil
CC(=O)Nc1ccc(O)cc1 paracetamol
CC(=O)Oc1ccccc1C(=O)O aspirin
Cn1cnc2c1c(=O)n(C)c(=O)n2C caffeine
O=C(O)c1ccccc1 benzoic acid
NCCc1c[nH]cn1 histamine
CC(C)=O acetone
"""
SYMMETRIC = (
    "O=C=O", "S=C=S", "C#C", "C=C", "c1ccccc1", "c1cnccn1", "F/C=C/F", "O=CC=O", "C1CCCCC1",
    "O=C1C=CC(=O)C=C1", "C#CC#C", "N#CC#N", "C", "N", "O",
)  # fmt: skip
"""Molecules with a centre of inversion first: carbon dioxide to cyanogen."""
METHODS = ("xtb:gfn1", "xtb:gfn2")
_FWHM_CM1 = 10.0
_BELOW_CM1 = 1800.0


def measure_times(most: int) -> dict[str, Any]:
    """Return processor seconds, sum rule and imaginary modes of drug-like molecules."""
    engine = make_engine("xtb")
    make_molecule(read_entries("C")[0])  # RDKit reads its parameters
    rows = []
    for line in DRUG_LIKE.split("\n")[1:-1][:most]:
        smiles, _, name = line.partition(" ")
        (entry,) = read_entries(smiles, name)
        start = time.process_time()
        species = compute_species(engine, make_molecule(entry))
        seconds = time.process_time() - start
        rows.append(
            {
                "name": name,
                "atoms": len(species.atoms or ()),
                "group": species.point_group,
                "seconds": round(seconds, 2),
                "sum_rule": _sum_rule(_bare_derivatives(species)),
                "followed": "followed" in (species.provenance.note or ""),
                "left_out": "left out" in (species.provenance.note or ""),
            }
        )
        print(rows[-1], flush=True)
    return {
        "molecules": rows,
        "mean_atoms": round(float(np.mean([row["atoms"] for row in rows])), 1),
        "mean_seconds": round(float(np.mean([row["seconds"] for row in rows])), 2),
    }


def _bare_derivatives(species: Species) -> Floats:
    """Return d(alpha)/dR computed without symmetry, (n_atoms, 3, 3, 3)."""
    atoms = species.atoms or ()
    numbers = np.array([SYMBOLS.index(atom.symbol) for atom in atoms])
    at = np.array([atom.position for atom in atoms])
    bare = PointGroup("C1", np.eye(3)[None], np.arange(len(atoms))[None], False)
    engine = make_engine("xtb")
    return engine.response(Molecule("x", numbers, at), bare, lambda _: None).derivatives


def _sum_rule(derivatives: Floats) -> float:
    """Return the largest sum over atoms, over the largest element."""
    return float(np.abs(derivatives.sum(axis=0)).max() / np.abs(derivatives).max())


def measure_symmetry(most: int) -> list[dict[str, Any]]:
    """Return how well tensors that are not symmetrised obey selection rules."""
    rows = []
    for smiles in SYMMETRIC[:most]:
        species = compute_species(make_engine("xtb"), make_molecule(read_entries(smiles, "one")[0]))
        derivatives = _bare_derivatives(species)
        units = np.array([mode.displacements for mode in species.modes])
        tensors = np.einsum("mic,icab->mab", units, derivatives)
        strengths = np.array([float(activity(tensor)) for tensor in tensors])
        irreps = [str(mode.irrep) for mode in species.modes]
        silent = [s for s, irrep in zip(strengths, irreps, strict=True) if irrep.endswith("u")]
        total = ("A1", "A1g", "A'", "Ag", "A", "Sigma+", "Sigma+g")
        ratios = [
            depolarization_plane(tensor)
            for tensor, strength, irrep in zip(tensors, strengths, irreps, strict=True)
            if irrep not in total and strength > 1e-5 * strengths.max()
        ]
        rows.append(
            {
                "smiles": smiles,
                "group": species.point_group,
                "modes_u": len(silent),
                "largest_u": float(max(silent, default=0.0) / strengths.max()),
                "modes_rho": len(ratios),
                "largest_rho_error": float(max((abs(r - 0.75) for r in ratios), default=0.0)),
            }
        )
        print(rows[-1], flush=True)
    return rows


def measure_agreement(most: int) -> dict[str, Any]:
    """Return deviations of frequencies and spectra from those of the built-in molecules."""
    found: dict[str, Any] = {}
    for method in METHODS:
        engine = make_engine(method)
        rows = []
        for name in builtin_names()[:most]:
            expected = load_builtin(name)
            if "B3LYP" not in (expected.provenance.method or "").upper():
                continue
            atoms = expected.atoms or ()
            numbers = np.array([SYMBOLS.index(atom.symbol) for atom in atoms])
            at = np.array([atom.position for atom in atoms])
            species = compute_species(engine, Molecule(name, numbers, at))
            rows.append({"name": name, **_compared(species, expected)})
            print(method, rows[-1], flush=True)
        found[method] = rows
    return found


def _compared(species: Species, expected: Species) -> dict[str, Any]:
    """Compare modes in order within their representations, or in order if these differ."""
    here, there = species.modes, expected.modes
    pairs = list(zip(here, there, strict=False))
    irreps = sorted(str(mode.irrep) for mode in here)
    if len(here) == len(there) and irreps == sorted(str(mode.irrep) for mode in there):
        pairs = []
        for irrep in set(irreps):
            mine = [mode for mode in here if str(mode.irrep) == irrep]
            theirs = [mode for mode in there if str(mode.irrep) == irrep]
            pairs += list(zip(mine, theirs, strict=True))
    deviations = np.array([one.frequency_cm1 - two.frequency_cm1 for one, two in pairs])
    strengths = np.array([mode_activity(one) for one, _ in pairs])
    wanted = np.array([mode_activity(two) for _, two in pairs])
    positions = np.array([one.frequency_cm1 for one, _ in pairs])
    measured = np.array([two.frequency_cm1 for _, two in pairs])
    reference = _spectrum(measured, wanted)
    return {
        "modes": len(pairs),
        "missing": abs(len(here) - len(there)),
        "deviations": [round(float(one), 1) for one in deviations],
        "positions": [round(float(one), 1) for one in measured],
        "cosine": round(_cosine(_spectrum(positions, strengths), reference), 3),
        "cosine_at_dft_positions": round(_cosine(_spectrum(measured, strengths), reference), 3),
    }


def _spectrum(positions: Floats, strengths: Floats) -> Floats:
    axis = np.arange(100.0, _BELOW_CM1)
    half = _FWHM_CM1 / 2
    lines: Floats = strengths @ (half**2 / ((axis - positions[:, None]) ** 2 + half**2))
    return lines


def _cosine(one: Floats, other: Floats) -> float:
    length = float(np.linalg.norm(one) * np.linalg.norm(other))
    return float(one @ other) / length if length else float("nan")


def table(results: dict[str, Any]) -> str:
    """Return the table of docs/outside_checks.md."""
    rows = [
        "| method | modes | mean deviation, cm^-1 | median | rms | rms below 1800 | largest | "
        "cosine of spectra | at the positions of DFT |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for method, molecules in results["agreement"].items():
        off = np.abs(np.concatenate([one["deviations"] for one in molecules]))
        positions = np.concatenate([one["positions"] for one in molecules])
        rms, low = (
            np.sqrt(np.mean(np.square(part))) for part in (off, off[positions < _BELOW_CM1])
        )
        cosine, moved = (
            np.nanmean([one[key] for one in molecules])
            for key in ("cosine", "cosine_at_dft_positions")
        )
        rows.append(
            f"| {method} | {len(off)} | {off.mean():.0f} | {np.median(off):.0f} "
            f"| {rms:.0f} | {low:.0f} | {off.max():.0f} | {cosine:.2f} | {moved:.2f} |"
        )
    return "\n".join(rows)


def main() -> None:
    """Measure what the command line asks for."""
    measures = {
        "time": measure_times,
        "symmetry": measure_symmetry,
        "agreement": measure_agreement,
    }
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("parts", nargs="+", choices=[*measures, "table"])
    parser.add_argument("--molecules", type=int, default=1000, help="molecules at most")
    parser.add_argument("--json", type=Path, default=RESULTS)
    options = parser.parse_args()
    results = json.loads(options.json.read_text()) if options.json.exists() else {}
    for part in options.parts:
        if part == "table":
            print(table(results))
        else:
            results = {**results, "machine": describe(), part: measures[part](options.molecules)}
            write_json(options.json, results)


if __name__ == "__main__":
    main()
