"""A large library: species of one size, each made from one built-in molecule.

Frequencies and atom tensors are scaled by random factors, under a new name, as arrays: species as
objects take ten times as long. ``python benchmarks/many_species.py N FILE`` writes a library file,
or JSON if the name ends so.
"""

import json
import sys
from pathlib import Path

import numpy as np

from tersgen.library.builtin import load_builtin
from tersgen.library.libraryfile import library_json, library_parts
from tersgen.schema.columns import PAGE, Column, Values, species_digest
from tersgen.schema.digest import canonical_json
from tersgen.schema.library import Library
from tersgen.schema.packing import matrices
from tersgen.store.files import write_durably

MOLECULE = "naphthalene"
ATOMS, MODES = 18, 48
_TOGETHER = 250


def _one_of(base: dict[str, Values], number: int) -> dict[str, Values]:
    """Return the arrays of a species; each number gives another."""
    random = np.random.default_rng(number)
    factor = random.uniform(0.8, 1.2, MODES)
    frequency = base["frequency"] * (0.99 + 0.02 * factor)
    order = np.argsort(frequency)
    shares = base["atom_tensor"].reshape(MODES, ATOMS, 6)
    shares = shares * factor[:, None, None] * random.uniform(0.5, 1.5, (MODES, ATOMS, 1))
    page = json.loads(base[PAGE].tobytes())
    page["name"] = f"made-{number:05d}"
    page["irreps"] = [page["irreps"][k] for k in order]
    return {
        **base,
        PAGE: np.frombuffer(canonical_json(page).encode(), np.uint8),
        "frequency": frequency[order],
        "tensor": matrices(shares.sum(axis=1))[order],
        "atom_tensor": shares[order].reshape(-1, 6),
    }


def _library(species: list[dict[str, Values]]) -> Library:
    columns = {name: Column.of_species([one[name] for one in species]) for name in species[0]}
    digests = b"".join(map(species_digest, species))
    return Library.of_columns(columns, np.frombuffer(digests, np.uint8))


def make_library(n: int, path: Path) -> None:
    """Write a library of ``n`` species of ``ATOMS`` atoms and ``MODES`` modes."""
    molecule = Library([load_builtin(MOLECULE)])
    base = {
        name: column.rows[:]
        for name, column in molecule.columns.items()
        if name not in ("displacement", "fwhm")
    }
    parts = [
        _library([_one_of(base, number) for number in range(first, min(n, first + _TOGETHER))])
        for first in range(0, n, _TOGETHER)
    ]
    library = Library.joined(parts)
    as_json = path.suffix == ".json"
    write_durably(path, [library_json(library)] if as_json else library_parts(library))


if __name__ == "__main__":
    make_library(int(sys.argv[1]), Path(sys.argv[2]))
