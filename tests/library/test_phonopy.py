"""Phonopy-Spectroscopy: alpha-quartz against its printed table, and damage."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tersgen.errors import LibraryError
from tersgen.library.importers.phonopy import Phonopy
from tersgen.library.peak_table import attach_peaks, read_peak_table
from tersgen.library.sourcefile import make_source, one_line_errors, open_source
from tersgen.numeric.tensor import activity
from tersgen.schema.species import Species

SMALL = """\
frequency_units: thz
activity_units: sqrt(amu) * Ang ^ 2

raman_activities:
- #0
  band_index: 3
  frequency:      -0.00042865
  raman_tensor:
  - [ 0.1, 0.0, 0.0 ]
  - [ 0.0, 0.1, 0.0 ]
  - [ 0.0, 0.0, 0.1 ]
- #1
  band_index: 4
  frequency:       3.00000000
  raman_tensor:
  - [ 1.0, 0.001, 0.0 ]
  - [ 0.0, 1.0, 0.0 ]
  - [ 0.0, 0.0, 2.0 ]
"""


def read(text):
    content = text.encode() if isinstance(text, str) else text
    with one_line_errors("some.yaml"):
        return Phonopy().read_source(make_source("some.yaml", content))


def table(text):
    return read_peak_table(make_source("some.dat", text.encode()))


@pytest.fixture(scope="module")
def quartz(reference_data):
    return Phonopy().read(reference_data("quartz_raman_tensors.yaml"))


@pytest.fixture(scope="module")
def peaks(reference_data):
    return read_peak_table(open_source(reference_data("quartz_raman_peaks.dat")))


def test_all_12_quartz_peaks(quartz, peaks):
    assert len(quartz.modes) == 20
    assert len(peaks) == 12
    labelled = attach_peaks(quartz, peaks, "peaks.dat")
    for peak in peaks:
        members = [mode for mode in labelled.modes if mode.fwhm_cm1 == peak.fwhm_cm1]
        assert [mode.irrep for mode in members] == [peak.irrep] * (2 if peak.irrep == "E" else 1)
        for mode in members:
            assert mode.frequency_cm1 == pytest.approx(peak.frequency_cm1, abs=2e-5)
        total = sum(activity(np.array(mode.tensor)) for mode in members)
        # The table was made from tensors before symmetrisation: 5e-4 of the largest is the most
        # that averaging R_ij and R_ji, which differ by up to 0.2 %, changes.
        assert total == pytest.approx(peak.intensity, rel=8e-4)
        if peak.irrep == "A1":
            assert total == pytest.approx(peak.intensity, abs=1e-6)


def test_quartz_tensors_are_exactly_symmetric(quartz):
    for mode in quartz.modes:
        tensor = np.array(mode.tensor)
        assert (tensor == tensor.T).all()


def test_units_and_acoustic_bands():
    species = read(SMALL)
    assert len(species.modes) == 1
    assert species.modes[0].frequency_cm1 == pytest.approx(100.06922855944561)
    assert "1 modes of frequency <= 0 left out" in species.provenance.note
    in_cm1 = read(SMALL.replace("thz", "inv_cm"))
    assert in_cm1.modes[0].frequency_cm1 == 3.0
    in_mev = read(SMALL.replace("thz", "meV"))
    assert in_mev.modes[0].frequency_cm1 == pytest.approx(24.196632)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: [1, 2", "syntax error"),
        ("", "content"),
        ("- 1\n- 2\n", "dictionary|instance"),
        (SMALL.replace("thz", "furlong"), "expected frequencies in thz"),
        (SMALL.replace("0.001", "0.03"), "symmetric tensor.*#1"),
        (SMALL.replace("2.0 ]", ".nan ]"), "finite"),
        (SMALL.replace("2.0 ]", "********* ]"), "raman_activities|syntax"),
        (SMALL.replace("[ 0.0, 0.0, 2.0 ]", "[ 0.0, 2.0 ]"), "raman_activities.1"),
        (SMALL[: SMALL.index("  raman_tensor")], "raman_activities.0.raman_tensor"),
        (SMALL.replace("3.0000", "-3.0000"), "positive frequency"),
        ("frequency_units: thz\nraman_activities:\n" + "- " * 5000, "syntax|raman_activities"),
        ("!!python/object/apply:os.system ['true']", "syntax error"),
    ],
)
def test_damage_is_one_clear_line(text, message):
    with pytest.raises(LibraryError, match=message) as caught:
        read(text)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 400


def test_aliases_do_not_multiply():
    bomb = "x0: &x0 [1]\n" + "".join(
        f"x{n}: &x{n} [{', '.join([f'*x{n - 1}'] * 9)}]\n" for n in range(1, 30)
    )
    assert len(read(bomb + SMALL).modes) == 1


def test_peak_table_without_irreps_or_widths():
    both = table("frequency intensity\n100.5 2.0\n200.5 3.0\n")
    assert [(peak.irrep, peak.fwhm_cm1) for peak in both] == [(None, None)] * 2


@pytest.mark.parametrize(
    "text", ["", "heading only\n", "v I\n100.0 A1 nan 2.0\n", "v I\n1 2 3 4\n", "v I\n100 -1 2\n"]
)
def test_damaged_peak_table_is_one_line(text):
    with pytest.raises(LibraryError) as caught:
        table(text)
    assert "\n" not in str(caught.value)


def test_peak_table_of_another_crystal_is_refused(quartz):
    with pytest.raises(LibraryError, match="none at 999"):
        attach_peaks(quartz, table("v Ir I G\n999.0 E 1.0 2.0\n"), "other.dat")


@settings(max_examples=200, deadline=None)
@given(data=st.data())
def test_any_flipped_bits_give_an_error_or_a_valid_species(data):
    content = bytearray(SMALL.encode())
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(content) - 1))
        content[at] ^= 1 << data.draw(st.integers(0, 7))
    try:
        species = read(bytes(content))
    except LibraryError as error:
        message = str(error)
    else:
        message = ""
        assert Species.model_validate_json(species.model_dump_json()) == species
    assert "\n" not in message


def test_recognised_by_its_key():
    assert Phonopy().recognises(SMALL)
    assert not Phonopy().recognises("raman: 1\n")
