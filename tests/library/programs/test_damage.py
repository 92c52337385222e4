"""Damage of any kind gives one line or a valid species, and never takes long."""

import random
import warnings

import numpy as np
import pytest

from tersgen.errors import LibraryError, TersWarning
from tersgen.library.importing import FORMATS
from tersgen.library.sourcefile import make_source, one_line_errors
from tersgen.plugins import parts
from tersgen.schema.species import Species

MUTATIONS = 150
"""For each file; by hand many thousands were tried."""
TEXTS = {
    "sticks": "# intensity: observed height\n# laser: 785 nm\nmode;shift [cm-1];height;width\n"
    "1;100,5;12,5;4\n2;200,25;3;5,5\n3;1001,5;20,5;6\n",
    "jcamp_peaks": "##TITLE=calcite\n##JCAMP-DX=4.24\n##DATA TYPE=RAMAN PEAK TABLE\n"
    "##XUNITS=1/CM\n##YUNITS=ACTIVITY\n##NPOINTS=2\n##PEAK TABLE=(XYW..XYW)\n"
    "1086,100,4 281,30,10\n##END=\n",
    "tensor_table": "frequency [THz],xx [bohr^2 amu^-1/2],yy,zz,xy,xz,yz\n15,1,2,3,0,0,0\n",
    "vasp_raman": "# mode  freq(cm-1)  alpha  beta2  activity\n001  1336.24  0.5  0.2  12.65\n",
    "phonopy": "frequency_units: thz\nraman_activities:\n- frequency: 3.0\n"
    "  raman_tensor: [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 2.0]]\n",
}


def mutated(text: str, chance: random.Random) -> bytes:
    """Return a text with bits flipped, characters replaced, or lines lost, doubled or cut off."""
    content = bytearray(text.encode())
    for _ in range(chance.randint(1, 4)):
        if not content:
            break
        at = chance.randrange(len(content))
        kind = chance.randrange(6)
        if kind == 0:
            content[at] ^= 1 << chance.randrange(8)
        elif kind == 1:
            content[at : at + 1] = chance.choice(
                [b"", b"*", b"-", b"9" * 30, b"e9", b"\n", b"\0", b","]
            )
        elif kind == 2:
            content = content[:at]
        else:
            lines = bytes(content).split(b"\n")
            line = chance.randrange(len(lines))
            lines[line : line + 1] = {
                3: [], 4: [lines[line]] * 2, 5: [lines[line], chance.choice(lines)],
            }[kind]  # fmt: skip
            content = bytearray(b"\n".join(lines))
    return bytes(content)


def names() -> list[str]:
    programs = [f"output {number}" for number in range(9)]
    solids = ["castep", "castep_phonon", "crystal", "dynmat", "fildyn", "orca_hess", "fchk"]
    return [*programs, *solids, *TEXTS]


@pytest.fixture(scope="module")
def texts(outputs, solids, orca_hess, small_fchk):
    programs = {f"output {number}": text for number, text in enumerate(outputs.values())}
    return {**programs, **solids, "orca_hess": orca_hess, "fchk": small_fchk, **TEXTS}


def test_every_importer_is_tried(texts):
    kinds = {name.split()[0] for name in texts}
    built_in = {
        name for name, part in parts(FORMATS.group) if part.__module__.startswith("tersgen")
    }
    assert kinds == built_in - {"json"}, "and test_importing tries json"


@pytest.mark.parametrize("name", names())
def test_damage_is_one_line_or_a_species(texts, tmp_path, name):
    importer = FORMATS.choose(tmp_path / "some.txt", b"", name.split()[0]).part
    chance = random.Random(name)
    read = 0
    for _ in range(MUTATIONS):
        content = mutated(texts[name], chance)
        FORMATS.choose(tmp_path / "some.txt", content[: 1 << 18])
        try:
            with warnings.catch_warnings(), one_line_errors("some.txt"):
                warnings.simplefilter("ignore", TersWarning)
                species = importer.read_source(make_source("some.txt", content))
        except LibraryError as error:
            message = str(error)
        else:
            message = "some.txt: "
            read += 1
            assert Species.model_validate_json(species.model_dump_json()) == species
            assert all(np.isfinite(mode.tensor).all() for mode in species.modes)
        assert message.startswith("some.txt: ")
        assert "\n" not in message
        assert len(message) < 500
    assert read < MUTATIONS
