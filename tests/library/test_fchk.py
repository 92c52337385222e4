"""Formatted checkpoints: Gaussian's own print of 54 modes, a linear molecule, and damage."""

import csv
import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tersgen.errors import LibraryError
from tersgen.library.importers.fchk import Fchk
from tersgen.library.sourcefile import make_source, one_line_errors
from tersgen.numeric.tensor import activity, depolarization_natural, depolarization_plane
from tersgen.schema.species import Species

PRINT = 5e-5 + 1e-9
"""Half a unit of the fourth decimal that Gaussian prints."""


def read(text):
    content = text.encode() if isinstance(text, str) else text
    with one_line_errors("some.fchk"):
        return Fchk().read_source(make_source("some.fchk", content))


def tensors(species):
    return [np.array(mode.tensor) for mode in species.modes]


@pytest.fixture(scope="module")
def dvb_text(reference_data):
    return reference_data("dvb_raman.fchk").read_text()


@pytest.fixture(scope="module")
def printed(reference_data):
    with reference_data("dvb_raman_printed.csv").open() as stream:
        return list(csv.DictReader(stream))


@pytest.fixture(scope="module", params=["modes", "hessian"])
def dvb(request, dvb_text):
    if request.param == "modes":
        return read(dvb_text)
    without = re.sub(r"^Vib-(E2|Modes) .*\n(?: .*\n)+", "", dvb_text, flags=re.MULTILINE)
    assert "Vib-Modes" not in without
    assert "Vib-E2" not in without
    return read(without)


def test_the_charge_is_read(dvb_text):
    assert read(dvb_text).charge is None
    ion = re.sub(r"^(Charge +I +) 0$", r"\1-2", dvb_text, flags=re.MULTILINE)
    assert read(ion).charge == -2


def column(printed, name):
    return np.array([float(row[name]) for row in printed])


def test_all_54_printed_frequencies_and_activities(dvb, printed):
    assert len(dvb.modes) == len(printed) == 54
    frequencies = np.array([mode.frequency_cm1 for mode in dvb.modes])
    np.testing.assert_allclose(frequencies, column(printed, "frequency_cm1"), rtol=0, atol=2e-4)
    activities = np.array([activity(tensor) for tensor in tensors(dvb)])
    expected = column(printed, "raman_activity_A4_per_amu")
    np.testing.assert_allclose(activities, expected, rtol=0, atol=PRINT)


def test_both_printed_depolarization_ratios(dvb, printed):
    active = column(printed, "raman_activity_A4_per_amu") > 0
    # A mode without activity has no ratio: Gaussian prints 0 or noise, so nothing can be compared.
    assert active.sum() == 27
    for ratio, name in (
        (depolarization_plane, "depolarization_p"),
        (depolarization_natural, "depolarization_u"),
    ):
        values = np.array([ratio(tensor) for tensor in tensors(dvb)])
        np.testing.assert_allclose(
            values[active], column(printed, name)[active], rtol=0, atol=PRINT
        )


def test_modes_that_are_odd_under_inversion_do_not_scatter(dvb, printed):
    odd = [row["symmetry"].endswith("U") for row in printed]
    assert sum(odd) == 27
    for mode, is_odd in zip(dvb.modes, odd, strict=True):
        assert (activity(np.array(mode.tensor)) < 1e-6) == is_odd
        assert np.abs(np.array(mode.atom_tensors)).max() > 1e-3


def test_atom_tensors_add_up_and_are_exactly_symmetric(dvb):
    for mode in dvb.modes:
        shares = np.array(mode.atom_tensors)
        assert shares.shape == (20, 3, 3)
        assert (shares == shares.swapaxes(1, 2)).all()
        np.testing.assert_allclose(shares.sum(axis=0), mode.tensor, rtol=0, atol=1e-13)


def test_both_ways_give_the_same_modes(dvb_text):
    without = re.sub(r"^Vib-Modes .*\n(?: .*\n)+", "", dvb_text, flags=re.MULTILINE)
    for one, other in zip(read(dvb_text).modes, read(without).modes, strict=True):
        assert one.frequency_cm1 == pytest.approx(other.frequency_cm1, abs=1e-4)
        sign = np.sign((np.array(one.atom_tensors) * np.array(other.atom_tensors)).sum())
        np.testing.assert_allclose(
            one.atom_tensors, sign * np.array(other.atom_tensors), rtol=0, atol=2e-5
        )


def test_provenance_of_the_reference_file(dvb_text):
    species = read(dvb_text)
    assert species.formula == "C10H10"
    assert species.provenance.kind == "fchk"
    assert species.provenance.method == "RB3LYP/STO-3G"
    assert species.provenance.sha256 == (
        "f9041c0653cd0d3b9191ed6b05bc85201bac47752b6e1d4919041677522b6b7d"
    )


def test_linear_molecule_through_the_hessian(small_fchk, triatomic):
    species = read(small_fchk)
    frequencies = [mode.frequency_cm1 for mode in species.modes]
    np.testing.assert_allclose(frequencies, triatomic.frequencies_cm1(), rtol=1e-7)
    activities = np.array([activity(tensor) for tensor in tensors(species)])
    assert (activities > 1e-12).sum() == 1
    assert activities.max() == pytest.approx(activity(triatomic.symmetric_tensor()), rel=1e-7)
    np.testing.assert_allclose(species.atoms[2].position[2], 2.2 * 0.529177210903, rtol=1e-12)


def test_hessian_without_a_real_mode_is_refused(small_fchk):
    values = re.search(r"Force Constants.*\n((?: .*\n)+)", small_fchk)[1]
    concave = re.sub(r"(?<= )([ -])(?=\d\.)", lambda m: " " if m[1] == "-" else "-", values)
    with pytest.raises(LibraryError, match="real mode"):
        read(small_fchk.replace(values, concave))


def test_stored_modes_with_an_imaginary_one(dvb_text):
    header = re.search(r"^Vib-E2 .*\n", dvb_text, re.MULTILINE)
    rest = dvb_text[header.end() :]
    species = read(dvb_text[: header.end()] + rest.replace("  5.", " -5.", 1))
    assert len(species.modes) == 53
    assert "1 modes of frequency <= 0 left out" in species.provenance.note


DAMAGE = [
    (lambda t: t[: len(t) // 2], "truncated|is the file complete"),
    (lambda t: t[: t.rindex("E")], "truncated|expected numbers"),
    (lambda _: "", "formatted checkpoint"),
    (lambda _: "position,intensity\n100,1\n", "formatted checkpoint"),
    (lambda t: t[: t.index("Polarizability Derivatives")], "freq=raman"),
    (lambda t: t.replace(" 1.00000000E+00", " NaN", 1), "expected numbers|NaN"),
    (lambda t: t.replace("  8.00000000E+00", "*" * 16, 1), "expected numbers"),
    (lambda t: t.replace("N=           9", "N=  9999999999", 1), "9999999999 values"),
    (lambda t: t.replace("           8           6", "           8         600", 1), "1 to 118"),
    (lambda t: t.replace("Atomic numbers  ", "Atomic nombres  ", 1), "Atomic numbers"),
]


@pytest.mark.parametrize(("damage", "message"), DAMAGE)
def test_damage_is_one_clear_line(small_fchk, damage, message):
    damaged = damage(small_fchk)
    assert damaged != small_fchk
    with pytest.raises(LibraryError, match=message) as caught:
        read(damaged)
    assert "\n" not in str(caught.value)
    assert str(caught.value).startswith("some.fchk: ")
    assert len(str(caught.value)) < 300


def test_entry_given_twice_is_damage(small_fchk):
    again = small_fchk[small_fchk.index("Polarizability") :]
    with pytest.raises(LibraryError, match="got two"):
        read(small_fchk + again)


def test_a_checkpoint_of_qchem_says_what_is_missing(small_fchk):
    """Q-Chem writes no derivatives, and some entries twice: the file is not damaged."""
    start = small_fchk.index("Real atomic weights")
    text = small_fchk[: small_fchk.index("Polarizability")]
    twice = text + text[start : text.index("Cartesian Force")]
    with pytest.raises(LibraryError, match=r"'Polarizability Derivatives', got none: .*DORAMAN"):
        read(twice)
    extra = f"{'Total Energy':<40}   R     {-1.0:22.15E}\n"
    assert read(small_fchk + extra + extra).modes == read(small_fchk).modes


def test_stored_displacements_must_have_unit_length(dvb_text):
    header = re.search(r"^Vib-Modes .*\n", dvb_text, re.MULTILINE)
    rest = dvb_text[header.end() :]
    broken = re.sub(r"E-0[1-9]", "E+05", rest, count=1)
    with pytest.raises(LibraryError, match="length 1"):
        read(dvb_text[: header.end()] + broken)


def check_no_other_exception(content):
    try:
        species = read(content)
    except LibraryError as error:
        message = str(error)
    else:
        message = ""
        assert isinstance(species, Species)
        assert Species.model_validate_json(species.model_dump_json()) == species
    assert "\n" not in message


@settings(max_examples=300, deadline=None)
@given(data=st.data())
def test_any_flipped_bits_give_an_error_or_a_valid_species(small_fchk, data):
    content = bytearray(small_fchk.encode())
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(content) - 1))
        content[at] ^= 1 << data.draw(st.integers(0, 7))
    check_no_other_exception(bytes(content))


@settings(max_examples=300, deadline=None)
@given(data=st.data())
def test_any_replaced_character_gives_an_error_or_a_valid_species(small_fchk, data):
    at = data.draw(st.integers(0, len(small_fchk) - 1))
    character = data.draw(st.sampled_from("0123456789+-E.*N \n\rITR"))
    check_no_other_exception((small_fchk[:at] + character + small_fchk[at + 1 :]).encode())


@settings(max_examples=200, deadline=None)
@given(data=st.data())
def test_any_truncation_is_an_error(small_fchk, data):
    length = data.draw(st.integers(0, len(small_fchk) - 6))
    with pytest.raises(LibraryError):
        read(small_fchk[:length])
