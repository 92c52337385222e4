"""MATLAB files: exports of WITec, and arrays of one's own, written by SciPy."""

import numpy as np
import pytest
from scipy.io import savemat

from tersgen.errors import MeasurementError
from tersgen.measured.collection import collect
from tersgen.measured.facts import inspect
from tersgen.measured.labels import LabelRule
from tersgen.measured.reader import ReadOptions
from tersgen.measured.reading import read_file


@pytest.fixture
def saved(tmp_path):
    """Return a function that writes variables and returns the path."""

    def save(**variables):
        savemat(tmp_path / "a.mat", variables)
        return tmp_path / "a.mat"

    return save


def cells(*rows):
    table = np.empty((len(rows), len(rows[0])), object)
    for k, row in enumerate(rows):
        table[k] = [*row, None][: len(row)]
    return table


def export(make, unit="rel. 1/cm", axis=None):
    """Return the structure of a WITec export: a map of 2 rows and 3 columns, y fastest."""
    order = np.arange(6).reshape(2, 3).T.reshape(-1)
    return {
        "data": make.MAP[order],
        "axisscale": cells(("", ""), (make.AXIS if axis is None else axis, unit)),
        "imagesize": np.array([2.0, 3.0]),
        "imageaxisscale": cells(([0.0, 1.0], "\xb5m"), ([0.0, 0.5, 1.0], "\xb5m")),
    }


def test_a_map_of_witec(make, saved):
    path = saved(Scan_Struct=export(make), note="x")
    facts, spectra = inspect(path, ReadOptions())
    assert facts.map == "2 rows x 3 columns, step x 0.5 um, y 1 um"
    assert (facts.axis, facts.left) == ("Raman shifts, cm^-1", ("variable note",))
    (rows,) = collect([path], LabelRule(), cubes=True).rows
    assert rows.cube(0).tolist() == make.MAP.reshape(2, 3, -1).tolist()
    assert spectra[1].position_um == (0.0, 1.0)


def test_one_spectrum_of_witec_over_wavelengths(make, saved):
    content = {"data": make.band(), "axisscale": cells(("", ""), (make.NM, "nm"))}
    path = saved(Spectrum_Struct=content)
    _, (one,) = inspect(path, ReadOptions(laser_nm=make.LASER_NM))
    assert one.shift_cm1 == pytest.approx(make.AXIS, abs=0.5)
    with pytest.raises(MeasurementError, match="which laser"):
        inspect(path, ReadOptions())


@pytest.mark.parametrize(("changes", "message"), [
    ({"axisscale": cells(("", ""), (np.arange(64.0), "Pixel"))}, "an axis in .* got 'Pixel'"),
    ({"axisscale": cells(("", ""), (np.arange(63.0), "nm"))}, "data: expected spectra of 63 po"),
    ({"axisscale": np.arange(3.0)}, "axisscale: expected 2 x 2 cells of axes and units"),
    ({"axisscale": cells(("", ""), ("none", "nm"))}, "axisscale: expected numbers, got <U4"),
])  # fmt: skip
def test_other_structures_are_refused(make, saved, changes, message):
    with pytest.raises(MeasurementError, match=message):
        read_file(saved(a=export(make) | changes), ReadOptions())


def test_arrays_with_the_names_of_npz_files(make, saved):
    label = np.array(["quartz", "calcite", "quartz"] * 2, object)
    found = read_file(saved(spectra=make.MAP, shift_cm1=make.AXIS, label=label), ReadOptions())
    assert found.content.spectra.tolist() == make.MAP.tolist()
    assert found.content.label == ("quartz", "calcite", "quartz") * 2
    with pytest.raises(MeasurementError, match=r"expected variables named .*, got 'more'"):
        read_file(saved(spectra=make.MAP, shift_cm1=make.AXIS, more=1.0), ReadOptions())


def test_an_axis_and_spectra_in_rows_or_columns(make, saved):
    for spectra in (make.MAP, make.MAP.T):
        facts, found = inspect(saved(raman_shift=make.AXIS, data=spectra, n=3.0), ReadOptions())
        assert [one.intensity.tolist() for one in found] == make.MAP.tolist()
        assert facts.left == ("variable n",)
    _, (one,) = inspect(saved(wavelength_nm=make.NM, y=make.band()), ReadOptions(laser_nm=532.0))
    assert one.shift_cm1 == pytest.approx(make.AXIS, abs=0.5)


@pytest.mark.parametrize("variables", [
    {"x": np.arange(64.0), "y": np.ones(64)},
    {"raman_shift": np.arange(64.0), "y": np.ones(64), "z": np.ones((2, 64))},
    {"raman_shift": np.arange(64.0)},
    {"text": "nothing"},
])  # fmt: skip
def test_variables_whose_meaning_is_not_known(saved, variables):
    with pytest.raises(
        MeasurementError, match=f"export of WITec; .*, got {next(iter(variables))} "
    ):
        read_file(saved(**variables), ReadOptions())


def test_a_square_of_spectra(saved):
    with pytest.raises(MeasurementError, match=r"got \(8, 8\) of which both may be"):
        read_file(saved(raman_shift=np.arange(8.0), y=np.eye(8)), ReadOptions())


def test_damage_and_newer_versions(make, saved, tmp_path):
    content = saved(raman_shift=make.AXIS, data=make.MAP).read_bytes()
    path = tmp_path / "b.mat"
    path.write_bytes(content[: len(content) // 2])
    with pytest.raises(MeasurementError, match="cannot be read as MATLAB"):
        read_file(path, ReadOptions())
    path.write_bytes(b"MATLAB 7.3 MAT-file, Platform: GLNXA64".ljust(512) + b"\x89HDF\r\n\x1a\n")
    with pytest.raises(MeasurementError, match="save it with -v7"):
        read_file(path, ReadOptions())
