"""Bands: degenerate partners together, silent modes told, ratios within their limits."""

import numpy as np
import pytest

from tersgen.library.builtin import load_builtin
from tersgen.library.degeneracy import bands
from tersgen.numeric.tensor import activity
from tersgen.schema.species import Mode, Provenance, Species

ROUND = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0))
SKEW = ((0.0, 1.0, 0.0), (1.0, 0.0, 0.0), (0.0, 0.0, 0.0))
SILENT = ((0.0, 0.0, 0.0), (0.0, 0.0, 0.0), (0.0, 0.0, 0.0))


def species(*modes):
    return Species(
        name="some",
        modes=tuple(Mode(frequency_cm1=f, tensor=t, irrep=i) for f, t, i in modes),
        provenance=Provenance(kind="sticks"),
    )


def test_partners_are_put_together_and_added():
    (pair,) = bands(species((500, SKEW, "E"), (500, SKEW, "E")))
    assert (pair.degeneracy, pair.frequency_cm1, pair.irrep) == (2, 500, "E")
    assert pair.activity == pytest.approx(2 * activity(np.array(SKEW)))
    assert pair.depolarization_plane == pytest.approx(3 / 4)
    assert pair.depolarization_natural == pytest.approx(6 / 7)


@pytest.mark.parametrize(
    ("modes", "sizes"),
    [
        ([(500, SKEW, "E")] * 4, [2, 2]),
        ([(500, SKEW, "T2g")] * 3, [3]),
        ([(500, SKEW, "Pig")] * 2, [2]),
        ([(500, ROUND, "A1g")] * 2, [1, 1]),
        ([(500, SKEW, "E1g"), (500, SKEW, "E2g")], [1, 1]),
        ([(500, SKEW, "E"), (500.02, SKEW, "E")], [1, 1]),
        ([(500, SKEW, None)] * 2, [2]),
        ([(500, SKEW, None), (500.002, SKEW, None)], [1, 1]),
    ],
)
def test_what_is_a_set(modes, sizes):
    assert [band.degeneracy for band in bands(species(*modes))] == sizes


def test_a_silent_mode_is_not_active():
    strong, silent = bands(species((500, ROUND, "Ag"), (600, SILENT, "Au")))
    assert (strong.active, silent.active) == (True, False)
    assert strong.depolarization_plane == 0


def test_bands_hold_all_the_activity_of_benzene():
    benzene = load_builtin("benzene")
    total = sum(activity(np.array(mode.tensor)) for mode in benzene.modes)
    rows = bands(benzene)
    assert sum(row.degeneracy for row in rows) == 30
    assert sum(row.activity for row in rows) == pytest.approx(total)
