"""The table that FHI-aims' script for vibrations prints."""

import numpy as np
import pytest

from tersgen.errors import LibraryError, TersWarning
from tersgen.library.importing import read_species
from tersgen.numeric.tensor import activity


@pytest.fixture
def read(tmp_path):
    """Return a function that reads a text."""

    def species(text):
        (tmp_path / "water.out").write_text(text)
        (one,) = read_species(tmp_path / "water.out")
        return one

    return species


def test_activities_of_fhi_aims(outputs, read):
    one = read(outputs["FHI-aims"])
    assert [mode.frequency_cm1 for mode in one.modes] == [500.25, 1200.5, 3100.75]
    activities = [activity(np.array(mode.tensor)) for mode in one.modes]
    assert activities == pytest.approx([10.5, 20.25, 80.125])
    assert one.provenance.program == "FHI-aims"
    assert "isotropic tensors" in one.provenance.note
    assert "6 modes nearest to 0 taken as translations and rotations" in one.provenance.note


def test_without_infrared_intensities(outputs, read):
    text = outputs["FHI-aims"].replace("IR-intensity [D^2/A^2*amu]", "")
    lines = [" ".join(line.split()[:3] + line.split()[4:]) if line.strip()[:1].isdigit() else line
             for line in text.split("\n")]  # fmt: skip
    assert len(read("\n".join(lines)).modes) == 3


@pytest.mark.parametrize(("old", "new", "message"), [
    ("Raman-intensity [Ang^4/amu]", "", "got frequencies only: run it with get_vibrations"),
    ("\n          9 ", "\n         10 ", "expected mode 9 in the table of FHI-aims, got 10"),
    ("             80.12500000", "", "mode 9 of FHI-aims"),
    ("Mode number", "Number", "expected the columns 'Mode number'"),
])  # fmt: skip
def test_damage(outputs, read, old, new, message):
    assert old in outputs["FHI-aims"]
    with pytest.raises(LibraryError, match=message.replace("(", r"\(")):
        read(outputs["FHI-aims"].replace(old, new))


def test_a_table_that_is_cut_off(outputs, read):
    text = outputs["FHI-aims"]
    with pytest.raises(LibraryError, match=r"three modes for each atom .*, got 8; is it whole"):
        read(text[: text.index("\n          9 ")])
    with pytest.warns(TersWarning, match="expected 'Summary of zero point energy'"):
        read(text[: text.index("Summary")])
