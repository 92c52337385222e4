"""Which points of a grid a spectrum was measured at: it follows from the axes."""

import numpy as np
import pytest

from tersgen.measured.resample import extrapolated, measured_points

GRID = np.arange(100.0, 1101.0, 10.0)


@pytest.mark.parametrize(
    ("axis", "wanted"),
    [
        (np.arange(95.0, 1106.0), (GRID >= 100)),
        (np.arange(300.0, 901.0, 2.0), (GRID > 290) & (GRID < 910)),
        (np.geomspace(100.0, 1100.0, 60), (GRID >= 100)),  # uneven, and coarser than the grid
        (np.r_[100.0:401.0, 603.0:1101.0], (GRID < 410) | (GRID > 593)),  # windows of a grating
        (np.r_[100.0:401.0, 415.0:1101.0], (GRID >= 100)),  # a gap between two points of the grid
    ],
)
def test_points_near_measured_ones_are_measured(axis, wanted):
    np.testing.assert_array_equal(measured_points(axis, GRID), wanted)
    share = extrapolated(axis, GRID)
    assert share == pytest.approx(1 - wanted.mean(), abs=3 / len(GRID))
    assert (share == 0) == wanted.all()
