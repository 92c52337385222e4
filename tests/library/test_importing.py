"""One importer for all formats, told by content."""

import hashlib
import warnings

import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from tersgen.cli.library import command
from tersgen.errors import LibraryError, TersWarning
from tersgen.library import sourcefile
from tersgen.library.importing import FORMATS, read_species
from tersgen.library.libraryfile import library_json
from tersgen.library.sourcefile import make_source
from tersgen.schema.library import Library
from tersgen.schema.species import Species

YAML = """\
frequency_units: thz
raman_activities:
- frequency: 3.0
  raman_tensor: [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 2.0]]
"""


def read(folder, name, content):
    """Return the species of a file of this content."""
    path = folder / name
    path.write_bytes(content)
    return read_species(path)


@pytest.fixture(scope="module")
def texts(small_fchk, tmp_path_factory):
    content = b"# intensity: activity\n100,1,2\n200,3,\n"
    sticks = read(tmp_path_factory.mktemp("sticks"), "a.csv", content)
    library = Library(species=sticks)
    return {
        "fchk": small_fchk,
        "phonopy": YAML,
        "sticks": "# intensity: activity\n100,1,2\n200,3,\n",
        "library": library_json(library).decode(),
        "species": sticks[0].model_dump_json(),
    }


@pytest.mark.parametrize("kind", ["fchk", "phonopy", "sticks", "library", "species"])
def test_the_format_is_told_by_content(tmp_path, texts, kind):
    path = tmp_path / "my file (2).txt"
    path.write_text(texts[kind])
    (species,) = read_species(path)
    if kind in ("fchk", "phonopy", "sticks"):
        assert species.name == "my file (2)"
        assert species.provenance.kind == kind
        assert species.provenance.file == path.name
        assert species.provenance.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    else:
        assert species.name == "a"
    assert read_species(path, "other")[0].name == "other"
    importer = {"library": "json", "species": "json"}.get(kind, kind)
    assert FORMATS.choose(path, path.read_bytes()).name == importer


def test_a_library_comes_back_as_it_was(tmp_path, small_fchk):
    one = read(tmp_path, "one.fchk", small_fchk.encode())
    two = read(tmp_path, "two.csv", b"shift activity\n100 1\n")
    library = Library(species=one + two)
    path = tmp_path / "library.json"
    path.write_bytes(library_json(library))
    assert Library(species=read_species(path)) == library
    with pytest.raises(LibraryError, match="leave the name out"):
        read_species(path, "name")


@pytest.mark.parametrize(
    ("file", "name"),
    [
        ("benzene.fchk", "benzene"),
        ("_../x.csv", "x"),
        ("größe.csv", "gr__e"),
        ("...", "species"),
        ("a" * 100 + ".csv", "a" * 64),
        ("--.csv", "species"),
    ],
)
def test_names_from_files(file, name):
    assert make_source(file, b"").species_name() == name


def one_line(caught):
    message = str(caught.value)
    assert "\n" not in message
    assert len(message) < 500
    return message


def test_missing_folder_foreign_and_empty(tmp_path):
    with pytest.raises(LibraryError, match="no such file") as caught:
        read_species(tmp_path / "none.fchk")
    one_line(caught)
    with pytest.raises(LibraryError, match="a folder") as caught:
        read_species(tmp_path)
    one_line(caught)
    for content in (b"", b"\x89PNG\r\n\x1a\n\0\0", b"hello\nworld\n", b"\xff\xfe" * 50):
        path = tmp_path / "foreign"
        path.write_bytes(content)
        with pytest.raises(LibraryError, match="expected one of these formats") as caught:
            read_species(path)
        one_line(caught)


def test_too_large_a_file_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(sourcefile, "MAX_BYTES", 10)
    path = tmp_path / "big.csv"
    path.write_text("100,1\n" * 3)
    with pytest.raises(LibraryError, match="at most 10 bytes"):
        read_species(path)


def test_a_name_that_is_no_name(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("shift,activity\n100,1\n")
    with pytest.raises(LibraryError, match="name") as caught:
        read_species(path, "../../etc")
    one_line(caught)


@pytest.mark.parametrize(
    "content", ["shift,activity\n100,0\n200,0\n", YAML.replace("1.0", "0.0").replace("2.0", "0.0")]
)
def test_nothing_raman_active_is_refused(tmp_path, content):
    with pytest.raises(LibraryError, match="Raman-active") as caught:
        read(tmp_path, "a.txt", content.encode())
    one_line(caught)


def test_activities_that_overflow_are_refused(tmp_path):
    with pytest.raises(LibraryError, match="overflow"):
        read(tmp_path, "a.txt", YAML.replace("2.0]", "2.0e300]").encode())


def test_peaks_give_widths(tmp_path):
    path, peaks = tmp_path / "a.yaml", tmp_path / "a.dat"
    path.write_text(YAML)
    peaks.write_text("v Ir I G\n100.0692286 A1 1.0 2.5\n")
    (species,) = read_species(path, peaks=peaks)
    assert species.modes[0].fwhm_cm1 == 2.5
    assert species.modes[0].irrep == "A1"
    assert "a.dat" in species.provenance.note


def test_damaged_library_is_one_line(tmp_path, texts):
    text = texts["library"]
    for damaged in (
        text[: len(text) // 2],
        text.replace("100.0", '"x"'),
        text.replace("100.0", "NaN"),
    ):
        with pytest.raises(LibraryError) as caught:
            read(tmp_path, "a.json", damaged.encode())
        one_line(caught)


@settings(max_examples=300, deadline=None)
@given(data=st.data())
def test_any_damage_gives_an_error_or_valid_species(texts, tmp_path_factory, data):
    content = bytearray(texts[data.draw(st.sampled_from(sorted(texts)))].encode())
    if data.draw(st.booleans()):
        content = content[: data.draw(st.integers(0, len(content)))]
    for _ in range(data.draw(st.integers(0, 3)) if content else 0):
        content[data.draw(st.integers(0, len(content) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    try:
        with warnings.catch_warnings():  # what is damaged may be the statement of the intensity
            warnings.simplefilter("ignore", TersWarning)
            species = read(tmp_path_factory.getbasetemp(), "some.txt", bytes(content))
    except LibraryError as error:
        message = str(error)
    else:
        message = ""
        for one in species:
            assert Species.model_validate_json(one.model_dump_json()) == one
            assert all(np.isfinite(mode.tensor).all() for mode in one.modes)
    assert "\n" not in message


@pytest.mark.parametrize("extra", range(4))
def test_the_beginning_of_a_file_may_end_within_a_character(tmp_path, small_fchk, extra):
    filler = ("x" * extra + "\u00e9\u20ac" * 60_000).encode()
    path = tmp_path / "a.fchk"
    path.write_bytes(small_fchk.encode() + filler)
    head = path.read_bytes()[: 1 << 18]
    assert FORMATS.choose(path, head).name == "fchk"


def test_frequencies_are_scaled_and_the_factor_kept(tmp_path, small_fchk):
    path = tmp_path / "one.fchk"
    path.write_text(small_fchk)
    (plain,) = read_species(path)
    (scaled,) = read_species(path, scale=0.96)
    assert [one.frequency_cm1 for one in scaled.modes] == pytest.approx(
        [0.96 * one.frequency_cm1 for one in plain.modes]
    )
    assert [one.tensor for one in scaled.modes] == [one.tensor for one in plain.modes]
    assert scaled.provenance.scaling == 0.96
    output = tmp_path / "one.json"
    arguments = ["import", str(path), "-o", str(output), "--scale"]
    assert CliRunner().invoke(command, [*arguments, "0.96"]).exit_code == 0
    shown = CliRunner().invoke(command, ["show", str(output)])
    assert "  frequencies scaled by 0.96\n" in shown.output
    (again,) = read_species(output, scale=0.5)
    assert again.provenance.scaling == pytest.approx(0.48)
    for wrong in ("0", "-1", "nan", "3", "97"):
        done = CliRunner().invoke(command, [*arguments, wrong, "--overwrite"])
        assert done.exit_code != 0, wrong


def test_observed_bands_are_not_scaled(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("# laser: 785 nm\nshift,area\n1000,30\n")
    with pytest.raises(LibraryError, match="expected calculated frequencies of a for --scale"):
        read_species(path, scale=0.97)
    path.write_text("shift,activity\n1000,30\n")
    assert read_species(path, scale=0.97)[0].modes[0].frequency_cm1 == 970
