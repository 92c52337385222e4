"""Stick tables: every separator, headings, widths, damage."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tersgen.errors import LibraryError
from tersgen.library.importers.sticks import Sticks
from tersgen.library.importing import read_species
from tersgen.library.intensities import Statement
from tersgen.library.sourcefile import make_source, one_line_errors
from tersgen.library.stick_table import is_stick_table
from tersgen.numeric.tensor import activity, depolarization_plane

ACTIVITIES = Statement(intensity="activity")


def read(text):
    with one_line_errors("some.csv"):
        return Sticks().read_table(make_source("some.csv", text.encode()), ACTIVITIES)


def summary(species):
    return [
        (mode.frequency_cm1, pytest.approx(activity(np.array(mode.tensor))), mode.fwhm_cm1)
        for mode in species.modes
    ]


@pytest.mark.parametrize(
    "text",
    [
        "1001,12.5,4\n992,30,\n",
        "# made by hand\nposition,intensity,fwhm\n992,30\n1001,12.5,4 # sharp\n",
        "1001;12.5;4\r\n992;30;\r\n",
        "Lage;Stärke;Breite\n1001;12,5;4\n992,0;30,0;\n",
        "1001\t12.5\t4\n992\t30\n\n",
        "shift intensity width\n  992   30\n 1001   12.5  4.0\n",
    ],
)
def test_every_way_to_write_the_same_sticks(text):
    assert is_stick_table(text)
    assert summary(read(text)) == [(992.0, 30.0, None), (1001.0, 12.5, 4.0)]


@given(st.lists(st.tuples(st.floats(1e-3, 5e3), st.floats(0, 1e12)), min_size=1, max_size=20))
def test_activities_are_kept(sticks):
    species = read("".join(f"{position!r} {intensity!r}\n" for position, intensity in sticks))
    assert len(species.modes) == len(sticks)
    expected = sorted(sticks, key=lambda stick: stick[0])
    for mode, (position, intensity) in zip(species.modes, expected, strict=True):
        tensor = np.array(mode.tensor)
        assert mode.frequency_cm1 == position
        assert activity(tensor) == pytest.approx(intensity, rel=1e-12)
        assert depolarization_plane(tensor) == 0.0


def test_positions_that_are_not_positive_are_counted():
    species = read("0,5\n-10,5\n100,5\n")
    assert len(species.modes) == 1
    assert "2 sticks at positions <= 0 left out" in species.provenance.note


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "at least one stick"),
        ("position,intensity\n", "at least one stick"),
        ("100,1\nabc,2\n", "expected a position"),
        ("100,nan\n", "expected a position"),
        ("100,inf\n", "expected a position"),
        ("100,1,2,3\n", "expected a position"),
        ("100\n", "expected a position"),
        ("100,-1\n", "intensity >= 0"),
        ("100,1,0\n", "width > 0"),
        ("100,1\n200,", "expected a position"),
    ],
)
def test_damage_is_one_clear_line(text, message):
    with pytest.raises(LibraryError, match=message) as caught:
        read(text)
    assert "\n" not in str(caught.value)
    assert str(caught.value).startswith("some.csv: ")


def test_prose_is_no_table():
    assert not is_stick_table("This is a letter,\nand this its second line.\n")
    assert not is_stick_table("")


@pytest.mark.parametrize(
    ("heading", "wrong"),
    [
        ("activity,frequency", "activity"),
        ("shift,depolarization", "depolarization"),
        ("frequency_cm1,activity,depolarization", "depolarization"),
    ],
)
def test_a_heading_that_names_other_columns_is_refused(heading, wrong):
    row = "520,1,3" if heading.count(",") == 2 else "520,1"
    with pytest.raises(LibraryError, match=f"expected the columns position.*{wrong}"):
        read(f"{heading}\n{row}\n")


def test_a_spectrum_is_no_table_of_sticks(tmp_path):
    path = tmp_path / "spectrum.txt"
    path.write_text("".join(f"{100 + 3.8 * k:.3f} {k % 7}\n" for k in range(100)))
    with pytest.raises(LibraryError, match="100 evenly spaced points, which are a spectrum"):
        read_species(path, said=ACTIVITIES)
