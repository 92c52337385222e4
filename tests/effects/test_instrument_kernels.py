"""Smooth curves, cosmic rays, counts and scans."""

import numpy as np
import pytest

from tersgen.effects.instrument.kernels import add_ray, convert, curve_weights, fill_curve
from tersgen.effects.scan.kernels import dim, move_lines


@pytest.mark.parametrize("n_points", [1, 2, 63, 130, 512, 1000, 1024, 1025, 5000])
def test_a_smooth_curve(n_points):
    bumps = np.array([[2.0, 0.3, 0.2], [-0.7, -0.2, 0.15], [0.9, 1.1, 0.8], [-0.4, 0.6, 0.15]])
    curve = np.ones(n_points, np.float32)
    fill_curve(curve, bumps, curve_weights(n_points))
    x = np.arange(n_points) / max(1, n_points - 1)
    wanted = sum(w * np.exp(-((x - c) ** 2) / (2 * s * s)) for w, c, s in bumps)
    assert curve == pytest.approx(wanted / np.abs(wanted).max(), abs=2e-5)
    assert np.abs(curve).max() == pytest.approx(1.0, rel=1e-6)


@pytest.mark.parametrize(("rising", "places"), [(True, [8, 9]), (False, [8, 7, 6])])
def test_a_ray_over_several_points(rising, places):
    line = np.zeros(10, np.float32)
    add_ray(line, 8, 4.0, 3, rising)
    assert line[places].tolist() == [4.0, 2.0, 1.0][: len(places)]
    assert np.count_nonzero(line) == len(places)


def test_conversion():
    def counts(*values):
        return convert(*(np.float32(value) for value in values))

    assert counts(100.0, 0.5, 1000.0, 4.0, np.inf, 0.0) == 1052.0
    assert counts(100.4, 0.5, 1000.0, 0.0, np.inf, 65535.0) == 1050.0, "whole counts"
    assert counts(1e6, 0.5, 1000.0, 0.0, 2000.0, 65535.0) == 2000.0, "full well"
    assert counts(1e6, 0.5, 1000.0, 0.0, np.inf, 65535.0) == 65535.0
    assert counts(-5000.0, 1.0, 0.0, 0.0, np.inf, 65535.0) == 0.0
    assert counts(-5000.0, 1.0, 0.0, 0.0, np.inf, 0.0) == -5000.0


def test_lines_are_moved_as_an_interpolation_would():
    rng = np.random.default_rng(3)
    image = rng.random((9, 11)).astype(np.float32)
    rows, columns = rng.normal(0, 2, 9), rng.normal(0, 2, 9)
    got = np.empty_like(image)
    move_lines(image, rows, columns, got)
    for x in range(9):
        place = np.clip(x + rows[x], 0, 8)
        across = np.clip(np.arange(11) + columns[x], 0, 10)
        whole = [np.interp(across, np.arange(11), image[k]) for k in range(9)]
        wanted = [np.interp(place, np.arange(9), column) for column in np.array(whole).T]
        assert got[x] == pytest.approx(wanted, abs=1e-5)
    move_lines(image, np.zeros(9), np.zeros(9), got)
    assert np.array_equal(got, image)


def test_a_blink_goes_along_the_scan():
    image = np.ones((4, 5), np.float32)
    dim(image, 13, 4, np.float32(0.25))
    assert np.flatnonzero(image.ravel() != 1).tolist() == [13, 14, 15, 16]
    dim(image, 18, 100, np.float32(0.5))
    assert image.ravel()[17:].tolist() == [1.0, 0.5, 0.5]
