"""XYZ files and formulas."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tersgen.errors import LibraryError
from tersgen.library.geometry import SYMBOLS, atomic_number, hill_formula, read_xyz

WATER = "3\nwater\nO 0 0 0\nH 0 0.757 0.587\nh 0 -0.757 5.87e-1\n"


def test_water():
    numbers, coordinates = read_xyz(WATER)
    assert numbers.tolist() == [8, 1, 1]
    assert coordinates[2].tolist() == [0.0, -0.757, 0.587]
    assert hill_formula(numbers) == "H2O"
    assert hill_formula(np.array([8, 6, 1, 1])) == "CH2O"


def test_elements():
    assert len(SYMBOLS) == 119
    assert [SYMBOLS[n] for n in (1, 6, 16, 26, 79, 92, 118)] == [*"HCS", "Fe", "Au", "U", "Og"]
    assert atomic_number("cl") == 17


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "number of atoms"),
        ("water\n", "number of atoms"),
        (WATER.replace("3\n", "4\n", 1), "expected 4 atoms"),
        (WATER.replace("3\n", "2\n", 1), "expected 2 atoms"),
        ("0\n\n", "expected 0 atoms"),
        ("9" * 5000 + "\n\nH 0 0 0\n", "expected 9999"),
        (WATER.replace("O ", "Qq "), "chemical symbol"),
        (WATER.replace("O ", "X "), "chemical symbol"),
        (WATER.replace("0.757", "nan", 1), "atom 2"),
        (WATER.replace("0.757", "", 1), "atom 2"),
        (WATER.replace("0 0.757 0.587", "0 0 0.1"), "atoms 1 and 2 at 0.100"),
    ],
)
def test_damage_is_one_clear_line(text, message):
    with pytest.raises(LibraryError, match=message) as caught:
        read_xyz(text)
    assert "\n" not in str(caught.value)


@given(st.text())
def test_any_text_gives_an_error_or_a_molecule(text):
    try:
        numbers, coordinates = read_xyz(text)
    except LibraryError as error:
        message = str(error)
    else:
        message = ""
        assert coordinates.shape == (len(numbers), 3)
    assert "\n" not in message
