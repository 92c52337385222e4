"""Galactic .spc, by files written from its specification; real ones are in test_real_files."""

import numpy as np
import pytest

from tersgen.errors import MeasurementError
from tersgen.measured.facts import inspect
from tersgen.measured.reader import ReadOptions
from tersgen.measured.reading import read_spectra


def positions(spectra):
    return [one.position_um for one in spectra]


@pytest.mark.parametrize("more", [
    {}, {"exponent": 13}, {"exponent": 13, "short": True}, {"own_axes": True},
])  # fmt: skip
def test_intensities_in_every_form(make, written, more):
    (one,) = read_spectra(written(make.spc(**more)))
    assert one.shift_cm1 == pytest.approx(make.AXIS, rel=1e-6)
    assert one.intensity == pytest.approx(make.band(), abs=0.1 if more.get("short") else 1e-3)


def test_the_old_format(make, written):
    spectra = read_spectra(written(make.old_spc(rows=make.MAP[:3])))
    assert len(spectra) == 3
    for one, row in zip(spectra, make.MAP, strict=False):
        assert one.shift_cm1 == pytest.approx(make.AXIS, rel=1e-6)
        assert one.intensity == pytest.approx(row, abs=1e-3)


def test_an_axis_of_its_own(make, written):
    axis = make.AXIS**1.01
    (one,) = read_spectra(written(make.spc(axis=axis)))
    assert one.shift_cm1 == pytest.approx(axis, rel=1e-6)


def test_a_map_of_planes_keeps_its_positions(make, written):
    more = {"z_step": 10.0, "planes": 2, "w_step": 20.0, "z_type": 2, "w_type": 29}
    path = written(make.spc(rows=make.MAP, **more))
    spectra = read_spectra(path)
    assert positions(spectra) == [(10.0 * (k % 3), 2e4 * (k // 3)) for k in range(6)]
    facts, _ = inspect(path, ReadOptions())
    assert facts.map == "2 rows x 3 columns, step x 10 um, y 20000 um"


def test_times_are_no_positions(make, written):
    path = written(make.spc(rows=make.MAP, z_step=1.0, z_type=5))
    facts, spectra = inspect(path, ReadOptions())
    assert positions(spectra) == [None] * 6
    assert facts.map == ""
    assert facts.left == ("Z and W values of each spectrum (minutes and arbitrary): no lengths",)


def test_the_laser_of_the_log(make, written):
    log = b"Operator=Raman\r\nLaser=Laser: 532 nm edge\r\n"
    path = written(make.spc(x_type=3, first=make.NM[0], last=make.NM[-1], log=log))
    facts, (one,) = inspect(path, ReadOptions())
    assert (facts.axis, facts.laser_nm) == ("wavelengths, nm", 532.0)
    assert facts.left == (f"log of {64 + len(log)} bytes",)
    assert one.shift_cm1[[0, -1]] == pytest.approx(make.AXIS[[0, -1]], abs=0.5)


@pytest.mark.parametrize(("more", "message"), [
    ({"x_type": 10}, "expected an axis of Raman shifts, got a .spc over ppm"),
    ({"x_type": 9}, "got a .spc over mass"),
    ({"x_type": 1, "experiment": 0}, "wavenumber .* does not say that it is Raman"),
    ({"x_type": 3}, "wavelengths of a Raman spectrum, got 'wavelengths in nm' over 200 to 1775"),
    ({"y_type": 2}, "expected Raman intensities, got a .spc of absorbance"),
    ({"y_type": 128}, "got a .spc of transmission"),
    ({"experiment": 10}, "expected Raman spectra, got a .spc of NMR"),
    ({"labels": b"Raman Shift\0Absorbance\0"}, "got a .spc of Absorbance"),
])  # fmt: skip
def test_what_is_no_raman_spectrum_is_refused_for_what_it_is(make, written, more, message):
    with pytest.raises(MeasurementError, match=message):
        read_spectra(written(make.spc(**more)))


def test_wavenumbers_of_a_raman_experiment(make, written):
    (one,) = read_spectra(written(make.spc(x_type=1)))
    assert one.shift_cm1 == pytest.approx(make.AXIS)
    first, last = (1e7 / make.LASER_NM - make.AXIS[k] for k in (0, -1))
    path = written(make.spc(x_type=1, first=first, last=last))
    with pytest.raises(MeasurementError, match=r"got absolute wavenumbers in .*; say which laser"):
        read_spectra(path)
    (one,) = read_spectra(path, laser_nm=make.LASER_NM)
    assert one.shift_cm1 == pytest.approx(make.AXIS)


def test_bytes_that_no_spectrum_holds_are_said(make, written):
    facts, _ = inspect(written(make.spc() + b"12345"), ReadOptions())
    assert facts.left == ("5 bytes after the last spectrum",)
    whole = bytearray(make.spc(rows=make.MAP))
    whole[24] = 2
    facts, _ = inspect(written(bytes(whole)), ReadOptions())
    assert (facts.n_spectra, facts.left) == (2, ("1152 bytes after the last spectrum",))


def test_a_length_that_the_file_has_not(make, written):
    whole = bytearray(make.spc())
    whole[4:8] = (2**31 - 1).to_bytes(4, "little")
    with pytest.raises(MeasurementError, match=r"expected intensities of .* bytes .* is it whole"):
        read_spectra(written(bytes(whole)))
    with pytest.raises(MeasurementError, match="is it whole"):
        read_spectra(written(make.spc()[:-1]))


@pytest.mark.parametrize("more", [
    {}, {"exponent": 14}, {"exponent": 14, "short": True}, {"own_axes": True},
    {"log": b"Laser=532 nm"},
])  # fmt: skip
def test_big_endian_files(make, written, more):
    little, big = (
        read_spectra(written(make.spc(rows=make.MAP, order=order, **more), f"a{k}.spc"))
        for k, order in enumerate("<>")
    )
    assert len(big) == 6
    for one, other in zip(little, big, strict=True):
        assert one.intensity.tolist() == other.intensity.tolist()
        assert one.shift_cm1.tolist() == other.shift_cm1.tolist()


def test_a_text_whose_second_letter_is_that_of_spc(written):
    path = written(b"OK 1\n" + b"".join(b"%d %d\n" % (x, x % 7) for x in range(50, 250)), "a.txt")
    (one,) = read_spectra(path)
    assert one.shift_cm1.tolist() == list(range(50, 250))


def test_an_archive_of_arrays_is_no_spc(make, tmp_path):
    path = tmp_path / "a.npz"
    np.savez(path, spectra=make.MAP, shift_cm1=make.AXIS)
    assert inspect(path, ReadOptions())[0].format == "arrays of NumPy"
