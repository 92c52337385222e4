"""Molecules from SMILES, and from MDL mol and sdf files, with RDKit.

Geometries are embedded with ETKDGv3 (S. Wang et al., J. Chem. Inf. Model. 60, 2044 (2020)) from a
fixed seed and relaxed with MMFF94, or UFF where that lacks parameters.
"""

from importlib import util
from typing import Any

import numpy as np

from ..errors import LibraryError, MissingExtraError
from .engine import Molecule

_SEED = 61453
_STEPS = 2000
_ALIKE_ANGSTROM = 0.1
"""Embedded conformers closer than this are the same."""


def require_rdkit() -> None:
    """Refuse to go on without RDKit."""
    if util.find_spec("rdkit") is None:
        raise MissingExtraError(
            "expected RDKit for SMILES, .mol and .sdf, got no such package; run: pip install "
            "'tersgen[xtb]'"
        )


def canonical_smiles(smiles: str) -> str:
    """Return RDKit's canonical SMILES of a SMILES that can be read."""
    from rdkit import Chem

    return str(Chem.MolToSmiles(_parsed(smiles)))


def sketch_smiles(smiles: str, name: str = "") -> Molecule:
    """Return the molecule of a SMILES without a geometry, by default named by its InChIKey."""
    from rdkit import Chem, rdBase

    graph = _parsed(smiles)
    with rdBase.BlockLogs():
        return _sketch(graph, name or str(Chem.MolToInchiKey(graph)))


def molecule_of_smiles(smiles: str, name: str) -> Molecule:
    """Return the molecule of a SMILES, at a starting geometry."""
    from rdkit import Chem

    return _embedded(Chem.AddHs(_parsed(smiles)), name, f"from SMILES {smiles}")[0]


def molecule_of_block(block: str, name: str) -> Molecule:
    """Return the molecule of a mol file: at its coordinates, or embedded if they are flat."""
    from rdkit import Chem

    graph = _parsed_block(block)
    conformer = graph.GetConformer() if graph.GetNumConformers() else None
    whole = Chem.AddHs(graph, addCoords=conformer is not None)
    if conformer is None or not conformer.Is3D():
        return _embedded(whole, name, "from the bonds of a mol file")[0]
    return _molecule(whole, name, "from a mol file")


def sketch_block(block: str, name: str) -> Molecule:
    """Return the molecule of a mol file without a geometry, see ``molecule_of_block``."""
    return _sketch(_parsed_block(block), name)


def _sketch(graph: Any, name: str) -> Molecule:
    from rdkit import Chem

    whole = Chem.AddHs(graph)
    numbers = np.array([atom.GetAtomicNum() for atom in whole.GetAtoms()], np.int64)
    return Molecule(name, numbers, np.zeros((len(numbers), 3)), Chem.GetFormalCharge(whole))


def _parsed(smiles: str) -> Any:
    from rdkit import Chem, rdBase

    with rdBase.BlockLogs():
        settings = Chem.SmilesParserParams()
        settings.sanitize = False
        settings.parseName = False
        graph = Chem.MolFromSmiles(smiles, settings)
        if graph is None or not graph.GetNumAtoms():
            hint = "; SMILES with names are read from a file, one a line" if " " in smiles else ""
            raise LibraryError(f"expected a SMILES such as c1ccncc1, got {smiles[:80]!r}{hint}")
        return _checked(graph, smiles)


def _parsed_block(block: str) -> Any:
    from rdkit import Chem, rdBase

    with rdBase.BlockLogs():
        graph = Chem.MolFromMolBlock(block, sanitize=False, removeHs=False)
        if graph is None or not graph.GetNumAtoms():
            raise LibraryError("expected a mol file (V2000 or V3000), got a damaged one")
        return _checked(graph, "the mol file")


def _checked(graph: Any, shown: str) -> Any:
    """Return a graph with valences checked; refuse all but single closed-shell molecules."""
    from rdkit import Chem

    problems = Chem.DetectChemistryProblems(graph)
    if problems:
        raise LibraryError(f"expected possible bonds in {shown[:80]}, got: {problems[0].Message()}")
    Chem.SanitizeMol(graph)
    if any(atom.GetAtomicNum() == 0 for atom in graph.GetAtoms()):
        raise LibraryError(f"expected elements, got a placeholder (*) in {shown[:80]}")
    n_fragments = len(Chem.GetMolFrags(graph))
    if n_fragments > 1:
        raise LibraryError(
            f"expected one molecule, got {n_fragments} fragments (a salt or a mixture) in "
            f"{shown[:80]}; give each by itself"
        )
    unpaired = sum(atom.GetNumRadicalElectrons() for atom in graph.GetAtoms())
    if unpaired:
        raise LibraryError(
            f"expected a closed shell, got {unpaired} unpaired electron"
            f"{'s' if unpaired > 1 else ''} in {shown[:80]}; radicals are not computed"
        )
    marked = [atom for atom in graph.GetAtoms() if atom.GetIsotope()]
    if marked:
        raise LibraryError(
            f"expected natural isotopes, got {marked[0].GetIsotope()}{marked[0].GetSymbol()} in "
            f"{shown[:80]}; compute it without, then: tersgen library isotopes"
        )
    return graph


def conformers_of_smiles(smiles: str, name: str, most: int) -> list[Molecule]:
    """Return distinct starting geometries of a molecule.

    ``most`` is the number embedded; similar ones are left out.
    """
    from rdkit import Chem

    return _embedded(Chem.AddHs(_parsed(smiles)), name, f"from SMILES {smiles}", most)


def has_stereocentres(smiles: str) -> bool:
    """Return whether a molecule has stereocentres, and so may differ from its mirror image."""
    from rdkit import Chem

    return bool(
        Chem.FindMolChiralCenters(
            _parsed(smiles), includeUnassigned=True, useLegacyImplementation=False
        )
    )


def _embedded(graph: Any, name: str, remark: str, most: int = 1) -> list[Molecule]:
    """Return a molecule at embedded geometries, relaxed in a force field."""
    from rdkit import Chem, rdBase
    from rdkit.Chem import AllChem

    with rdBase.BlockLogs():
        settings = AllChem.ETKDGv3()
        settings.randomSeed = _SEED
        settings.pruneRmsThresh = _ALIKE_ANGSTROM
        for settings.useRandomCoords in (False, True):
            found = list(AllChem.EmbedMultipleConfs(graph, most, settings))
            if found:
                break
        else:
            raise LibraryError(
                "expected a molecule that ETKDGv3 can embed, got none; give its coordinates (.xyz)"
            )
        if AllChem.MMFFHasAllMoleculeParams(graph):
            AllChem.MMFFOptimizeMoleculeConfs(
                graph, numThreads=1, maxIters=_STEPS, mmffVariant="MMFF94s"
            )
        elif AllChem.UFFHasAllMoleculeParams(graph):
            AllChem.UFFOptimizeMoleculeConfs(graph, numThreads=1, maxIters=_STEPS)
        open_centres = [
            where
            for where, label in Chem.FindMolChiralCenters(
                graph, includeUnassigned=True, useLegacyImplementation=False
            )
            if label == "?"
        ]
    if open_centres:
        remark += f"; {len(open_centres)} stereocentres not stated, one choice of many"
    return [_molecule(graph, name, remark, which) for which in found]


def _molecule(graph: Any, name: str, remark: str, conformer: int = -1) -> Molecule:
    from rdkit import Chem

    return Molecule(
        name,
        np.array([atom.GetAtomicNum() for atom in graph.GetAtoms()], np.int64),
        np.array(graph.GetConformer(conformer).GetPositions(), np.float64),
        Chem.GetFormalCharge(graph),
        remark,
        bonds=tuple((bond.GetBeginAtomIdx(), bond.GetEndAtomIdx()) for bond in graph.GetBonds()),
    )
