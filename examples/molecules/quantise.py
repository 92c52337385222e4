"""Round computed libraries, so that they compress: python quantise.py COMPUTED.tlib ... GFN.tlib.

The group ``gfn`` is made of two lists and a molecule:

    tersgen library compute gfn.smi -o rigid.tlib --engine xtb
    tersgen library compute gfn_flexible.smi -o flexible.tlib --engine xtb --conformers 10
    tersgen library compute sulfur.xyz -o sulfur.tlib --engine xtb
    python quantise.py rigid.tlib flexible.tlib sulfur.tlib gfn.tlib

Arrays are rounded to multiples of powers of two, far below what the method is worth, and tensors
are the exact sums of the shares of their atoms. Of conformers the most populated one is kept.
Species come in alphabetical order.
"""

import sys
from pathlib import Path

import numpy as np

from tersgen.library.libraryfile import library_parts, read_library
from tersgen.schema.library import Library
from tersgen.schema.species import Species

STEPS = {"atom_tensors": 2.0**-18, "displacements": 2.0**-16, "hessian": 2.0**-24}
"""Angstrom^2 amu^-1/2, 1, and hartree/bohr^2."""


def quantised(values, step: float):
    """Return an array rounded to multiples of a step, without negative zeros."""
    return np.round(np.array(values) / step) * step + 0.0


def quantise(species: Species) -> Species:
    """Return a species with rounded arrays."""
    content = species.model_dump()
    content["provenance"] |= {"file": None, "sha256": None}  # the SMILES is in the note
    for mode in content["modes"]:
        shares = quantised(mode["atom_tensors"], STEPS["atom_tensors"])
        shares = 0.5 * (shares + shares.swapaxes(1, 2))  # exact: half a step is a power of two
        mode["atom_tensors"] = shares.tolist()
        mode["tensor"] = shares.sum(axis=0).tolist()
        if mode["displacements"] is not None:
            mode["displacements"] = quantised(mode["displacements"], STEPS["displacements"])
    if content["hessian"] is not None:
        content["hessian"] = quantised(content["hessian"], STEPS["hessian"])
    return Species.model_validate(content)


if __name__ == "__main__":
    *computed, out = map(Path, sys.argv[1:])
    species = [one for path in computed for one in read_library(path)]
    chosen = sorted((s for s in species if ", conformer" not in s.name), key=lambda s: s.name)
    library = Library(map(quantise, chosen))
    out.write_bytes(b"".join(library_parts(library)))
    print(f"wrote {out}: {len(library)} species, {out.stat().st_size / 1e6:.1f} MB")
