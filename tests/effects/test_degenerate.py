"""Partners of a degenerate mode are one line: one shift, one width, one factor."""

import numpy as np
import pytest

import tersgen
from tersgen.library.builtin import load_builtin
from tersgen.library.degeneracy import degenerate_sets
from tersgen.schema.library import Library

AVERAGED = {
    "geometry": {"orientation": "averaged"},
    "perturbations": {"mode_shift_cm1": 3.0, "intensity": 0.5},
    "fields": {"maps": False, "spectra": False},
}


def made(n_rows, **recipe):
    return tersgen.generate(tersgen.Recipe(**{**AVERAGED, **recipe}), 0, n_rows)


def test_silicon_is_one_line():
    rows = made(60, library=("builtin:silicon",))
    species = load_builtin("silicon")
    line = [k for k, mode in enumerate(species.modes) if abs(mode.frequency_cm1 - 520.5) < 1]
    assert len(line) == 3
    position, intensity = rows["sticks/position"][:, line], rows["sticks/intensity"][:, line]
    assert np.ptp(position, axis=1).max() == 0
    assert (np.ptp(intensity, axis=1) < 1e-5 * intensity.max(axis=1)).all()
    assert position[:, 0].std() > 1


def test_modes_that_are_not_degenerate_move_apart():
    for name in ("pyridine", "water"):
        rows = made(20, library=(f"builtin:{name}",))
        shifts = rows["sticks/position"] - rows["sticks/position"].mean(axis=0)
        correlations = np.corrcoef(shifts[:, : rows["sticks/count"][0]].T)
        assert np.abs(correlations[np.triu_indices(len(correlations), 1)]).max() < 0.95


def test_partners_of_a_molecule_move_together():
    rows = made(30, library=("builtin:benzene",))
    species = load_builtin("benzene")
    irreps = {mode.irrep for mode in species.modes}
    assert any(irrep.startswith("E") for irrep in irreps)
    shifts = rows["sticks/position"] - rows["sticks/position"].mean(axis=0)
    distinct = {shift.tobytes() for shift in np.round(shifts.T, 3)}
    assert len(distinct) < rows["sticks/count"][0]


def mode(frequency, irrep):
    first = load_builtin("water").modes[0]
    return first.model_copy(update={"frequency_cm1": frequency, "irrep": irrep})


@pytest.mark.parametrize(
    ("modes", "leaders"),
    [
        ([(100.0, "E"), (100.005, "E"), (100.006, "E")], [0, 0, 2]),
        ([(100.0, "A1"), (100.0, "A1")], [0, 1]),
        ([(100.0, "E"), (100.0, "A1")], [0, 1]),
        ([(100.0, "E"), (100.02, "E")], [0, 1]),
        ([(50.0, "T2g")] * 3 + [(50.0, "T2g")], [0, 0, 0, 3]),
        ([(100.0, None), (100.0, None), (100.01, None)], [0, 0, 2]),
    ],
)
def test_sets_are_of_one_representation_and_its_size(modes, leaders):
    water = load_builtin("water")
    one = water.model_copy(update={"modes": tuple(mode(*each) for each in modes), "atoms": None})
    bare = tuple(m.model_copy(update={"atom_tensors": None}) for m in one.modes)
    one = one.model_copy(update={"modes": bare})
    assert degenerate_sets(Library([one, one])).tolist() == [
        *leaders, *(len(modes) + k for k in leaders),
    ]  # fmt: skip
