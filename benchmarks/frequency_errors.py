"""Differences of frequencies between two methods, and which modes have correlated errors.

    tersgen library compute examples/molecules/*.xyz -o gfn.tlib --engine xtb
    python benchmarks/frequency_errors.py gfn.tlib --factor 0.99

Compares the species of a library with the built-in ones of the same name: modes are matched by the
overlap of their mass-weighted displacements. docs/decisions/0056-frequency-errors.md
"""

import argparse
import itertools
from pathlib import Path

import numpy as np
from machine import describe, write_json
from scipy.optimize import linear_sum_assignment

from tersgen.library.builtin import builtin_names, load_builtin
from tersgen.library.forces import force_field
from tersgen.library.harmonic import normal_modes
from tersgen.library.importing import load_library
from tersgen.library.uncertainty import FAMILY_EDGES_CM1

LEAST_OVERLAP = 0.5
FARTHEST_ANGSTROM = 0.3
"""Molecules in which an atom is displaced farther between the methods are other conformers."""


def matched(reference, other):
    """Return frequencies of the modes of one molecule by two methods, shape (n, 2), cm^-1.

    None for another conformer.
    """
    fields = [force_field(one) for one in (reference, other)]
    masses = fields[0].masses
    centred = [f.coordinates - np.average(f.coordinates, axis=0, weights=masses) for f in fields]
    left, _, right = np.linalg.svd((centred[0] * masses[:, None]).T @ centred[1])
    turn = (left * [1.0, 1.0, np.linalg.det(left @ right)]) @ right
    if np.linalg.norm(centred[1] @ turn.T - centred[0], axis=1).max() > FARTHEST_ANGSTROM:
        return None
    modes = [normal_modes(f.hessian, masses, f.coordinates) for f in fields]
    root = np.sqrt(masses)[:, None]
    first = (modes[0].displacements * root).reshape(len(modes[0].displacements), -1)
    second = (modes[1].displacements @ turn.T * root).reshape(len(modes[1].displacements), -1)
    overlap = (first @ second.T) ** 2
    rows, columns = linear_sum_assignment(-overlap)
    found = overlap[rows, columns] > LEAST_OVERLAP
    pairs = np.stack([modes[0].frequencies_cm1[rows], modes[1].frequencies_cm1[columns]], axis=1)
    return pairs[found]


def spread(groups):
    """Return statistics of the deviations of some modes, those of each molecule in a list."""
    values = np.concatenate(groups)
    square = float((values**2).mean())
    products = [a * b for group in groups for a, b in itertools.combinations(group, 2)]
    return {
        "n": len(values),
        "mean": round(float(values.mean()), 1),
        "rms": round(square**0.5, 1),
        "median": round(float(np.median(np.abs(values))), 1),
        "shared": round(float(np.mean(products)) / square, 2) if products and square else None,
        "pairs": len(products),
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("library", type=Path)
    parser.add_argument("--factor", type=float, default=1.0, help="on the frequencies of library")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    deviations, families = [], []
    for other in load_library(arguments.library):
        if other.name in builtin_names():
            pairs = matched(load_builtin(other.name), other)
            if pairs is None:
                print(f"{other.name}: another conformer, left out")
                continue
            deviations.append(arguments.factor * pairs[:, 1] - pairs[:, 0])
            families.append(np.searchsorted(FAMILY_EDGES_CM1, pairs[:, 0], side="right"))
    result = {"all": spread(deviations)}
    for k in range(len(FAMILY_EDGES_CM1) + 1):
        groups = [d[f == k] for d, f in zip(deviations, families, strict=True)]
        if any(map(len, groups)):
            result[f"family {k}"] = spread(groups)
    for name, row in result.items():
        print(f"{name:<10}", *(f"{key} {value}" for key, value in row.items()))
    if arguments.json:
        write_json(arguments.json, {"machine": describe(), **result})


if __name__ == "__main__":
    main()
