"""Built-in crystals have the band areas that were observed, in spectra made at that laser."""

import numpy as np
import pytest

import tersgen
from tersgen.library.builtin import load_builtin
from tersgen.library.degeneracy import bands

START, STOP, N_POINTS = 50.0, 3400.0, 13401
SHIFT = np.linspace(START, STOP, N_POINTS)


def spectrum(name, laser_nm):
    """Return a spectrum of randomly oriented crystals, without noise, weighed by activities.

    At 45 degrees between the polarizations the average is (45 a^2 + 7 gamma^2)/90: what polarised
    light scatters into a detector that takes both polarizations alike.
    """
    diagonal = float(np.sqrt(0.5))
    recipe = tersgen.Recipe(
        library=(f"builtin:{name}",),
        grid={"start_cm1": START, "stop_cm1": STOP, "n_points": N_POINTS},
        geometry={
            "orientation": "averaged",
            "laser_nm": laser_nm,
            "scattered": (0.0, diagonal, diagonal),
        },
        noise={"spectrum": (0, 0)},
        perturbations={"shift_cm1": 0, "mode_shift_cm1": 0, "width": (1, 1), "intensity": 0},
        fields={"maps": False, "tensors": False, "sticks": False, "precision": "float32"},
    )
    return tersgen.generate(recipe, 0, 1)["spectra"][0].astype(float)


def areas(name, laser_nm, windows):
    """Return the areas in windows (cm^-1) of a crystal's spectrum over that of the last one."""
    values = spectrum(name, laser_nm)
    found = np.array([values[(a < SHIFT) & (b > SHIFT)].sum() for a, b in windows])
    return found / found[-1]


@pytest.mark.parametrize(
    ("name", "laser_nm", "observed"),
    [
        ("calcite", 785.0, {(120, 200): 0.22, (230, 335): 0.80, (690, 735): 0.11, (1060, 1110): 1}),
        ("silicon", 785.0, {(50, 470): 0.143, (850, 1100): 0.15, (505, 535): 1}),
        ("graphite", 514.5, {(2500, 2900): 2, (1500, 1660): 1}),
    ],
)
def test_areas_at_the_laser_are_those_observed_there(name, laser_nm, observed):
    np.testing.assert_allclose(areas(name, laser_nm, [*observed]), [*observed.values()], rtol=0.01)


def test_calcite_is_strongest_at_1086_and_its_lattice_bands_are_far_below():
    """Heights are areas over widths (FWHM 7.6, 10.7, 4.8 and 3.9 cm^-1)."""
    values = spectrum("calcite", 785.0)
    heights = [values[np.abs(SHIFT - at).argmin()] for at in (156, 282, 712, 1086)]
    expected = np.array([0.22 / 7.6, 0.80 / 10.7, 0.11 / 4.8, 1 / 3.9]) * 3.9
    np.testing.assert_allclose(heights / values.max(), expected, rtol=0.02)


def test_anatase_has_the_ratios_of_measured_spectra():
    """Activities are computed; 516/144 is measured within 10 %, 639/144 within 20 %."""
    windows = [(455, 580), (585, 700), (128, 162)]
    found = areas("anatase", 785.0, windows)
    assert found[0] == pytest.approx(0.10, rel=0.15)
    assert found[1] == pytest.approx(0.21, rel=0.20)
    assert SHIFT[spectrum("anatase", 785.0).argmax()] == pytest.approx(144, abs=0.5)


def test_second_order_of_silicon_is_weak_and_broad():
    """Its height is 1 to 2 % of the line's, and half of that over more than 35 cm^-1."""
    values = spectrum("silicon", 785.0)
    second = values[SHIFT > 850]
    assert 0.01 < second.max() < 0.02
    assert np.ptp(SHIFT[SHIFT > 850][second > second.max() / 2]) > 35


def test_every_width_is_known_and_the_strongest_activity_is_100():
    for name in ("silicon", "calcite", "anatase", "graphite"):
        rows = bands(load_builtin(name))
        assert all(row.fwhm_cm1 for row in rows)
        assert max(row.activity for row in rows) == pytest.approx(100)


def test_calcite_at_532_nm_is_within_what_was_measured_there(reference_data):
    """Spectra that no figure comes from: two crystals, two objectives; counts as they are."""
    windows = [(240, 325), (690, 735), (1060, 1112)]
    measured = []
    for name, how in (
        ("nCAL02", "Z050_100_9000ms"),
        ("nCAL02", "Z100_100_30000ms"),
        ("sCAL02", "Z050_100_20000ms"),
        ("sCAL02", "Z100_100_65000ms"),
    ):
        path = reference_data(f"measured/calcite/BWTek532_ICV_{name}_iRPlus532_{how}.txt")
        shift, counts = np.loadtxt(path).T
        found = []
        for a, b in windows:
            x, y = shift[(a <= shift) & (shift <= b)], counts[(a <= shift) & (shift <= b)]
            base = np.interp(x, [x[0], x[-1]], [y[:2].mean(), y[-2:].mean()])
            found.append(np.trapezoid(y - base, x))
        measured.append(np.array(found) / found[-1])
    made = areas("calcite", 532.0, windows)[:2]
    assert (np.min(measured, axis=0)[:2] <= made).all()
    assert (made <= np.max(measured, axis=0)[:2]).all()
