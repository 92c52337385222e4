"""Outputs of quantum chemistry programs: the prints of all of one molecule, jobs, damage."""

import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tersgen.errors import LibraryError, TersWarning
from tersgen.library.importing import read_species
from tersgen.library.invariants import tensor_of
from tersgen.numeric.tensor import activity, depolarization_plane

ORCA = Path(__file__).parents[1] / "data" / "dvb_raman.orca.out"
FREQUENCIES = [500.25, 1200.5, 3100.75]
ACTIVITIES = [10.5, 20.25, 80.125]
RATIOS = [0.75, 0.2, 0.1]
PROGRAMS = (
    "ORCA 6.0.1", "ORCA 4.2.0", "Gaussian 16 ES64L-G16RevC.01", "xtb", "Q-Chem 6.1.0",
    "Firefly 8.2.0", "Dalton 2020.1", "GAMESS-UK 8.0",
)  # fmt: skip


def read(folder, content, name="some.out"):
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    (species,) = read_species(path)
    return species


def numbers(species):
    tensors = [np.array(mode.tensor) for mode in species.modes]
    return (
        [mode.frequency_cm1 for mode in species.modes],
        [activity(one) for one in tensors],
        [depolarization_plane(one) for one in tensors],
    )


def check_water(species, ratio=1e-3):
    frequencies, activities, ratios = numbers(species)
    assert frequencies == pytest.approx(FREQUENCIES, abs=0.006)
    assert activities == pytest.approx(ACTIVITIES, rel=1e-3)
    assert ratios == pytest.approx(RATIOS, abs=ratio)


@given(st.floats(1e-6, 1e4), st.floats(0.0, 0.75))
def test_tensors_have_the_activity_and_ratio_that_were_printed(s, rho):
    tensor = np.array(tensor_of(s, rho))
    assert activity(tensor) == pytest.approx(s, rel=1e-9)
    assert depolarization_plane(tensor) == pytest.approx(rho, abs=1e-9)
    assert np.array_equal(tensor, tensor.T)


@pytest.mark.parametrize("program", PROGRAMS)
def test_each_program_gives_the_same_activities_and_ratios(tmp_path, outputs, program):
    species = read(tmp_path, outputs[program])
    check_water(species)
    assert species.provenance.kind == "output"
    assert species.provenance.program == program
    assert "orientation is arbitrary" in species.provenance.note
    if "Dalton" not in program and "UK" not in program:
        assert species.formula == "H2O"
        assert [atom.symbol for atom in species.atoms] == ["O", "H", "H"]
        np.testing.assert_allclose(species.atoms[1].position, (0.0, 0.75, -0.45), atol=1e-6)


@pytest.mark.parametrize("program", PROGRAMS)
@pytest.mark.parametrize(
    "encode",
    [
        lambda text: text.replace("\n", "\r\n").encode(),
        lambda text: text.replace("\n", "\r").encode(),
        lambda text: text.replace("\n", "\r\n").encode("utf-16"),
        lambda text: text.encode("utf-16-le"),
        lambda text: text.encode("utf-16-be"),
        lambda text: text.encode("utf-8-sig"),
        lambda text: text.encode() + b"\nJ\xfcrgen\n",
    ],
    ids=["crlf", "cr", "utf-16 crlf", "utf-16-le", "utf-16-be", "utf-8 mark", "latin-1"],
)
def test_line_ends_and_encodings_change_nothing(tmp_path, outputs, program, encode):
    plain = read(tmp_path, outputs[program])
    other = read(tmp_path, encode(outputs[program]))
    assert (other.modes, other.atoms) == (plain.modes, plain.atoms)


@pytest.mark.parametrize("program", PROGRAMS)
def test_the_last_of_two_jobs_is_read_and_said(tmp_path, outputs, program):
    text = outputs[program]
    first = text.replace("500.25", "510.25").replace("0.750", "0.752")
    species = read(tmp_path, first + text)
    check_water(species)
    assert "the last of 2 jobs with Raman activities" in species.provenance.note


def test_a_later_job_without_activities_is_said(tmp_path, outputs):
    text = outputs["ORCA 6.0.1"]
    later = text[: text.index("---\nRAMAN SPECTRUM")]
    species = read(tmp_path, text + later)
    check_water(species)
    assert "a later job without Raman activities skipped" in species.provenance.note


@pytest.mark.parametrize(
    ("program", "begins", "keyword"),
    [
        ("ORCA 6.0.1", "---\nRAMAN SPECTRUM", "%elprop Polar 1 end with NumFreq"),
        ("Gaussian 16 ES64L-G16RevC.01", " Raman Activ", "freq=raman"),
        ("Q-Chem 6.1.0", " Raman Intens", "DORAMAN TRUE"),
        ("Firefly 8.2.0", "  RAMAN ACTIVITY: ", "RUNTYP=RAMAN"),
        ("Dalton 2020.1", "     Raman related", r".RAMAN in \*\*PROPERTIES"),
        ("GAMESS-UK 8.0", "                    *     raman", "RUNTYPE RAMAN"),
    ],
)
def test_outputs_without_activities_say_what_to_ask_for(
    tmp_path, outputs, program, begins, keyword
):
    text = outputs[program]
    name = program.partition(" ")[0]
    with pytest.raises(LibraryError, match=f"{name}, got frequencies only: run it with {keyword}"):
        read(tmp_path, text[: text.index(begins)])


def test_an_output_that_stops_before_the_frequencies(tmp_path, outputs):
    text = outputs["ORCA 6.0.1"]
    with pytest.raises(
        LibraryError, match="expected vibrational frequencies in this output of ORCA"
    ):
        read(tmp_path, text[: text.index("VIBRATIONAL FREQ")])


@pytest.mark.parametrize(
    ("program", "old", "new", "message"),
    [
        (
            "ORCA 6.0.1",
            "   8:      3100.75     80.125000      0.100000\n",
            "",
            "up to 8 .* up to 7",
        ),
        ("ORCA 6.0.1", " 80.125000", " **********", r"expected a number, got '\*"),
        ("ORCA 6.0.1", "6:       500.25     10.5", "6:       900.25     10.5", "none of them"),
        ("ORCA 6.0.1", "  H      0.000000    0.750000   -0.450000\n", "", "expected 1 modes|3 at"),
        ("Q-Chem 6.1.0", " 80.125\n", "\n", "expected an activity and a depol.*got 2 and 3"),
        ("Q-Chem 6.1.0", "80.125", "******", "expected a number"),
        ("Gaussian 16 ES64L-G16RevC.01", " 0.7500 ", " 0.9500 ", "ratio from 0 to 0.75"),
        ("Dalton 2020.1", "Alpha**2", "Beta**2 ", "expected the columns Mode"),
        ("Dalton 2020.1", "  500.25    0.0", "  500.25    1.0", "expected the intensity"),
        ("GAMESS-UK 8.0", "       80.12500000", "       90.12500000", "expected the intensity"),
    ],
)
def test_damage_is_one_line(tmp_path, outputs, program, old, new, message):
    text = outputs[program]
    assert old in text
    with pytest.raises(LibraryError, match=message) as caught:
        read(tmp_path, text.replace(old, new, 1))
    assert "\n" not in str(caught.value)


INFRARED = "".join(
    f"  {k:2d}      A {f:12.2f}    0.0100      0.000   0.0000\n"
    for k, f in enumerate(FREQUENCIES, 1)
)


@pytest.mark.parametrize(
    ("program", "row", "mode"),
    [
        ("ORCA 6.0.1", r"   7:      1200.50     20.*\n", 7),
        ("Dalton 2020.1", r"    2   1200.50 .*\n", 2),
    ],
)
@pytest.mark.parametrize("atoms", [True, False])
def test_a_mode_with_a_frequency_but_no_activity_is_named(
    tmp_path, outputs, program, row, mode, atoms
):
    text = outputs[program].replace("Intensities\n", f"Intensities\n{INFRARED}")
    if not atoms:  # without a geometry the number of modes is not known
        text = text.replace("CARTESIAN", "OTHER")
    check_water(read(tmp_path, text))
    text, count = re.subn(row, "", text)
    assert count == 1
    with pytest.raises(
        LibraryError, match=rf"activity of mode {mode} \(1200.50 cm\^-1\) in .* none"
    ):
        read(tmp_path, text)


def test_an_orca_table_has_each_mode_once(tmp_path, outputs):
    row = "   7:      1200.50     20.250000      0.200000\n"
    assert row in outputs["ORCA 6.0.1"]
    with pytest.raises(LibraryError, match="expected each mode once"):
        read(tmp_path, outputs["ORCA 6.0.1"].replace(row, row + row))


@pytest.mark.parametrize(
    ("program", "end"),
    [
        ("ORCA 6.0.1", "ORCA TERMINATED NORMALLY"),
        ("Gaussian 16 ES64L-G16RevC.01", "Normal termination"),
        ("Q-Chem 6.1.0", "Thank you very much for using Q-Chem"),
        ("Firefly 8.2.0", "TERMINATED NORMALLY"),
        ("Dalton 2020.1", "Total CPU  time used in DALTON"),
        ("GAMESS-UK 8.0", "option  complete"),
    ],
)
def test_an_output_that_does_not_say_that_its_job_has_ended(tmp_path, outputs, program, end):
    dead = outputs[program].replace(end, "ABORTED")
    for text in (dead, outputs[program] + dead):
        with pytest.warns(TersWarning) as caught:
            check_water(read(tmp_path, text))
        (warning,) = caught
        assert f"some.out: expected '{end}' after the modes" in str(warning.message)
        assert "\n" not in str(warning.message)


@pytest.mark.parametrize("row", range(5))
@pytest.mark.parametrize("hole", ["*************", "", "1.5-2.5"])
def test_holes_in_the_table_of_gamess_uk(tmp_path, outputs, row, hole):
    lines = outputs["GAMESS-UK 8.0"].split("\n")
    first = next(k for k, line in enumerate(lines) if line.strip().startswith("-0.06"))
    words = lines[first + 2 * row].split()
    words[2] = hole
    lines[first + 2 * row] = "    ".join(words)
    with pytest.raises(LibraryError, match=r"expected five numbers in|the Raman data"):
        read(tmp_path, "\n".join(lines))


def test_orca_keeps_displacements_and_the_factor_of_its_frequencies(tmp_path, outputs):
    text = outputs["ORCA 6.0.1"].replace("frequencies =  1.0", "frequencies =  0.96")
    species = read(tmp_path, text)
    assert species.provenance.scaling == 0.96
    rows = np.array(species.modes[1].displacements)
    expected = np.full(9, 0.1) + 0.5 * (np.arange(9) == 1)
    np.testing.assert_allclose(rows.ravel(), expected / np.linalg.norm(expected), atol=1e-12)


def test_a_mode_without_activity_may_have_any_ratio(tmp_path, outputs):
    text = outputs["ORCA 6.0.1"].replace("20.250000      0.200000", " 0.000000           nan")
    assert numbers(read(tmp_path, text))[1] == pytest.approx([10.5, 0.0, 80.125])


def test_gaussian_prints_its_modes_twice_for_hpmodes(tmp_path, outputs):
    text = outputs["Gaussian 16 ES64L-G16RevC.01"]
    start = text.index(" Harmonic frequencies")
    precise = text[start:].replace("Frequencies --", "Frequencies ---")
    precise = precise.replace("Raman Activ --", "Raman Activities ---").replace(") --", ") ---")
    species = read(tmp_path, text[:start] + precise + text[start:])
    check_water(species)
    assert "jobs" not in species.provenance.note


def test_a_geometry_with_ghost_atoms_is_not_kept(tmp_path, outputs):
    species = read(tmp_path, outputs["ORCA 6.0.1"].replace("  H      0.00", "  X      0.00"))
    assert (species.atoms, species.formula) == (None, None)
    check_water(species)


def test_imaginary_modes_are_left_out_and_counted(tmp_path, outputs):
    for program, mark in (
        ("ORCA 6.0.1", "-500.25"),
        ("Q-Chem 6.1.0", "-500.25"),
        ("Firefly 8.2.0", "500.25 I"),
    ):
        species = read(tmp_path, outputs[program].replace(" 500.25", f" {mark}"))
        assert numbers(species)[0] == pytest.approx(FREQUENCIES[1:])
        assert "1 modes of frequency <= 0 left out" in species.provenance.note


def test_rigid_motions_are_left_out_and_counted(tmp_path, outputs):
    assert (
        "6 translations and rotations left out"
        in read(tmp_path, outputs["Firefly 8.2.0"]).provenance.note
    )
    assert "2 translations" in read(tmp_path, outputs["GAMESS-UK 8.0"]).provenance.note


@pytest.mark.parametrize("banner", ["TURBOMOLE V7.5", "PROGRAM SYSTEM MOLPRO"])
def test_programs_that_are_not_read_are_named(tmp_path, banner):
    with pytest.raises(
        LibraryError, match=r"expected an output of ORCA, Q-Chem, .* table of Raman"
    ):
        read(tmp_path, f"  {banner}\n frequencies\n")


def test_an_orca_4_output(tmp_path, reference_data):
    path = tmp_path / "anything.txt"
    shutil.copy(ORCA, path)
    (species,) = read_species(path)
    assert (len(species.modes), species.formula) == (54, "C10H10")
    strongest = max(species.modes, key=lambda mode: activity(np.array(mode.tensor)))
    assert strongest.frequency_cm1 == 1738.18
    assert activity(np.array(strongest.tensor)) == pytest.approx(1048.051643, rel=1e-9)
    assert depolarization_plane(np.array(strongest.tensor)) == pytest.approx(0.395491, abs=1e-9)
    # the same molecule and level of theory by another program, whose tensors are known
    (gaussian,) = read_species(reference_data("dvb_raman.fchk"))
    pairs = zip(numbers(species)[1], numbers(gaussian)[1], strict=True)
    ratios = [a / b for a, b in pairs if b > 50]
    assert len(ratios) > 8
    assert np.median(ratios) == pytest.approx(1.0, abs=0.15)


REAL = {
    "orca6.0_dvb_raman.out": 54, "orca5.0_dvb_raman.out": 54, "gaussian16_dvb_raman.out": 54,
    "qchem5.4_dvb_raman.out": 52, "firefly8_dvb_raman.out": 54, "dalton2015_dvb.out": 54,
    "gamess-uk8_dvb_raman.out": 54,
}  # fmt: skip


@pytest.mark.parametrize("name", REAL)
def test_real_outputs_agree_on_the_strongest_band(reference_data, name):
    (species,) = read_species(reference_data(f"files/outputs/{name}"))
    assert (len(species.modes), species.formula) == (REAL[name], "C10H10")
    frequencies, activities, ratios = numbers(species)
    band = max(
        (k for k, one in enumerate(frequencies) if 1600 < one < 2100), key=activities.__getitem__
    )
    # Hartree-Fock (Firefly, GAMESS-UK) and DFT differ; the printed activities are a factor of two
    assert 450 < activities[band] < 1100
    assert ratios[band] == pytest.approx(0.40, abs=0.05)


@pytest.mark.parametrize(
    "name", ["orca5.0_dvb_raman.out", "qchem5.4_dvb_raman.out", "gaussian16_dvb_raman.out"]
)
def test_cclib_reads_the_same_activities(reference_data, name):
    cclib = pytest.importorskip("cclib")
    path = reference_data(f"files/outputs/{name}")
    data = cclib.io.ccread(str(path))
    kept = data.vibfreqs > 0
    frequencies, activities, _ = numbers(read_species(path)[0])
    np.testing.assert_allclose(frequencies, np.sort(data.vibfreqs[kept]), rtol=0, atol=1e-9)
    order = np.argsort(data.vibfreqs[kept], kind="stable")
    np.testing.assert_allclose(activities, data.vibramans[kept][order], rtol=1e-9, atol=1e-12)
