"""Bruker OPUS, Princeton Instruments .spe, Thermo .spa, PerkinElmer .sp and NeXus."""

import struct

import h5py
import numpy as np
import pytest

from tersgen.errors import MeasurementError
from tersgen.measured.facts import inspect
from tersgen.measured.reader import ReadOptions
from tersgen.measured.reading import read_spectra


@pytest.fixture
def found(written):
    """Return a function that reads a file: facts and spectra."""
    return lambda content, **more: inspect(written(content), ReadOptions(**more))


@pytest.fixture
def refused(written):
    """Return a function that reads a file that is refused, and returns the message."""

    def read(content, **more):
        with pytest.raises(MeasurementError) as caught:
            read_spectra(written(content), **more)
        assert "\n" not in str(caught.value)
        return str(caught.value)

    return read


@pytest.mark.parametrize(("factor", "scaled"), [(1.0, True), (0.5, True), (0.5, False)])
def test_a_series_of_opus(make, found, factor, scaled):
    facts, spectra = found(make.opus_series(factor, scaled))
    expected = make.MAP * factor if scaled else make.MAP
    assert [one.intensity.tolist() for one in spectra] == expected.tolist()
    assert spectra[0].shift_cm1 == pytest.approx(make.AXIS)
    assert facts.left == ("times and places of the series",)
    assert len(found(make.opus_series(cut=2))[1]) == 4  # those that are stored


def test_a_damaged_series_of_opus(make, refused):
    whole = make.opus_series()
    at = whole.index(make.MAP[2, ::-1].astype("<f4").tobytes()) + 4 * 60
    damaged = whole[:at] + b"\0\0\0\x7f" + whole[at + 4 :]
    assert "in spectrum 2 of the series, as it states, got 64 from 100" in refused(damaged)
    assert "expected a series of spectra, got none" in refused(make.opus(extra=2))
    whole = whole.replace(struct.pack("<4i", 6, 32, 256, 120), struct.pack("<4i", 6, 32, 99, 120))
    assert "a series of spectra of 256 bytes, got 6 of 99 bytes" in refused(whole)


def test_opus(make, found, refused):
    facts, (one,) = found(make.opus())
    assert one.shift_cm1 == pytest.approx(make.AXIS)
    assert one.intensity.tolist() == make.band().tolist()
    assert facts.laser_nm == pytest.approx(make.LASER_NM)
    assert "got absorbance" in refused(make.opus(kind=4))
    assert "got Raman data of another form" in refused(make.opus(extra=3))
    assert "expected an axis of wavenumbers (DXU=WN), got 'MI'" in refused(make.opus(unit=b"MI"))
    assert "expected at most 64 points, as the block holds, got 65" in refused(make.opus(points=65))
    assert "is it whole" in refused(make.opus()[:-40])


def test_winspec(make, found, refused):
    facts, spectra = found(make.spe_2(rows=make.MAP))
    assert (facts.n_spectra, facts.axis) == (6, "wavelengths, nm")
    assert facts.laser_nm == pytest.approx(make.LASER_NM)
    assert spectra[5].intensity.tolist() == make.MAP[5].tolist()
    assert spectra[0].shift_cm1[[0, -1]] == pytest.approx(make.AXIS[[0, -1]], abs=0.5)
    facts, (one,) = found(make.spe_2(unit=5))
    assert one.shift_cm1 == pytest.approx(make.AXIS)
    assert found(make.spe_2() + bytes(7))[0].left == ("7 bytes after the last frame",)
    assert "without calibration, over pixels" in refused(make.spe_2(valid=0))
    assert "over pixels" in refused(make.spe_2(unit=0))
    assert "the last frame" in refused(make.spe_2(rows=make.MAP)[:-2])


def test_lightfield(make, found, refused):
    facts, spectra = found(make.spe_3(rows=make.MAP))
    assert (facts.n_spectra, facts.axis, facts.laser_nm) == (6, "wavelengths, nm", 532.0)
    assert spectra[3].intensity.tolist() == make.MAP[3].tolist()
    assert spectra[0].shift_cm1 == pytest.approx(make.AXIS, abs=0.5)
    assert "over pixels" in refused(make.spe_3(calibration=""))
    few = "<WavelengthMapping><Wavelength>500,501</Wavelength></WavelengthMapping>"
    assert "a wavelength for each of 64 columns, got 2" in refused(make.spe_3(calibration=few))
    assert "of XML without declarations" in refused(make.spe_3(declaration="<!DOCTYPE a>"))
    once = make.spe_3(rows=make.MAP).replace(b'stride="256"', b'stride="000"')
    assert "got 6 of 1 x 64 in 0 bytes" in refused(once)
    assert "XML after the data" in refused(make.spe_3()[:-20])


def test_wavelengths_with_errors(make, found):
    pairs = " ".join(f"{one:.9f},0.1" for one in make.NM)
    mapping = f"<WavelengthMapping><WavelengthError>{pairs}</WavelengthError></WavelengthMapping>"
    _, (one,) = found(make.spe_3(calibration=mapping), laser_nm=make.LASER_NM)
    assert one.shift_cm1 == pytest.approx(make.AXIS, abs=0.5)


def test_omnic(make, found, refused):
    facts, (one,) = found(make.spa())
    assert one.shift_cm1 == pytest.approx(make.AXIS)
    assert one.intensity.tolist() == make.band().tolist()
    assert facts.laser_nm == pytest.approx(make.LASER_NM, rel=1e-6)
    assert "got a .spa of absorbance" in refused(make.spa(y_code=17))
    assert "over wavenumbers, of an infrared spectrum" in refused(make.spa(x_code=1))
    assert "expected 65 intensities, as the header says" in refused(make.spa(points=65))
    assert "is it whole" in refused(make.spa()[:-1])


def test_perkinelmer(make, found, refused):
    facts, (one,) = found(make.perkinelmer())
    assert one.shift_cm1 == pytest.approx(make.AXIS)
    assert one.intensity.tolist() == make.band().tolist()
    assert facts.left == ("1 other members (history, instrument)",)
    assert "got a .sp of '%T' over 'cm-1'" in refused(make.perkinelmer(b"cm-1", b"%T", b""))
    silent = refused(make.perkinelmer(b"cm-1", b"INT", b""))
    assert "expected a .sp that says that it is Raman" in silent
    assert "is it whole" in refused(make.perkinelmer()[:-1])


def test_nexus(make, found, refused, tmp_path):
    path = tmp_path / "a.nxs"
    facts, (one,) = found(make.nexus(path))
    assert one.shift_cm1.tolist() == make.AXIS.tolist()
    assert one.intensity.tolist() == make.band().tolist()
    assert facts.laser_nm == make.LASER_NM
    facts, (one,) = found(make.nexus(path, unit="nm"))
    assert one.shift_cm1 == pytest.approx(make.AXIS, abs=0.5)
    assert facts.axis == "wavelengths, nm"
    assert "says that it is Raman" in refused(make.nexus(path, definition="NXellipsometry"))
    assert "got units 'degree'" in refused(make.nexus(path, unit="degree"))
    assert "cannot be read as HDF5" in refused(make.nexus(path)[:900])


def test_a_link_within_a_nexus_file(make, found, tmp_path):
    path = tmp_path / "a.nxs"
    make.nexus(path)
    with h5py.File(path, "r+") as file:
        file.move("entry/spectrum/counts", "entry/instrument/counts")
        file["entry/spectrum/counts"] = h5py.SoftLink("/entry/instrument/counts")
    _, (one,) = found(path.read_bytes())
    assert one.intensity.tolist() == make.band().tolist()


@pytest.mark.parametrize("old", [False, True])
def test_a_map_in_nexus(make, found, tmp_path, old):
    facts, spectra = found(make.nexus(tmp_path / "a.nxs", is_map=True, old=old))
    assert facts.map == "2 rows x 3 columns, step x 0.5 um, y 1 um"
    assert [one.position_um for one in spectra] == [(0.5 * (k % 3), k // 3) for k in range(6)]
    assert [one.intensity.tolist() for one in spectra] == make.MAP.tolist()


def test_nexus_reads_its_own_file_alone(make, refused, tmp_path):
    secret = tmp_path / "secret.h5"
    with h5py.File(secret, "w") as file:
        file["counts"] = make.band()
    path = tmp_path / "a.nxs"

    def changed(change):
        make.nexus(path)
        with h5py.File(path, "r+") as file:
            data = file["entry/spectrum"]
            del data["counts"]
            change(data)
        return refused(path.read_bytes())

    def linked(data):
        data["counts"] = h5py.ExternalLink(str(secret), "/counts")

    def linked_by_way_of_a_group(data):
        data["elsewhere"] = h5py.ExternalLink(str(secret), "/")
        data["counts"] = h5py.SoftLink("elsewhere/counts")

    def linked_in_a_circle(data):
        data["counts"] = h5py.SoftLink("/entry/spectrum/counts")

    def virtual(data):
        layout = h5py.VirtualLayout((64,), "f8")
        layout[:] = h5py.VirtualSource(str(secret), "counts", (64,))
        data.create_virtual_dataset("counts", layout)

    def huge(data):
        data.create_dataset("counts", (1 << 40,), "f8", chunks=(1 << 16,))

    def unwritten(data):
        data.create_dataset("counts", (64,), "f8", chunks=(64,))

    for change in (linked, linked_by_way_of_a_group, linked_in_a_circle):
        assert "signal and axes" in changed(change)
    assert "got it in other files" in changed(virtual)
    assert "expected at most 67108864 intensities" in changed(huge)
    assert "got none written" in changed(unwritten)


def test_a_map_of_wire_in_the_order_of_its_positions(make, found):
    pytest.importorskip("rsciio")
    snake = [(0.5 * (k % 3 if k < 3 else 2 - k % 3), float(k // 3)) for k in range(6)]
    facts, spectra = found(make.wdf(snake))
    assert [one.position_um for one in spectra] == snake
    assert [one.intensity.tolist() for one in spectra] == make.MAP.tolist()
    assert facts.map == "2 rows x 3 columns, step x 0.5 um, y 1 um"


def test_positions_of_a_grid():
    from tersgen.measured.positions import PlaceAxis, grid_positions, map_grid

    y, x = np.array([0.0, 2.0]), np.array([5.0, 6.0, 7.0])
    places = grid_positions([PlaceAxis("", "mm", y), PlaceAxis("", "um", x)])
    assert places.tolist() == [[b, 1000 * a] for a in y for b in x]
    assert grid_positions([PlaceAxis("time", "s", x)]) is None
    generator = np.random.default_rng(1)
    assert map_grid(generator.permutation(places)) == (2, 3, 1.0, 2000.0)
    assert map_grid(places[:-1]) is None
    assert map_grid(np.concatenate([places[:-1], places[:1]])) is None
    assert map_grid(generator.uniform(size=(6, 2))) is None


def test_a_map_of_labspec(make, found):
    pytest.importorskip("rsciio")
    facts, spectra = found(make.horiba())
    assert facts.map == "2 rows x 3 columns, step x 0.5 um, y 1 um"
    assert [one.intensity.tolist() for one in spectra] == make.MAP.tolist()
    assert spectra[0].shift_cm1 == pytest.approx(make.AXIS, abs=1e-5)
    assert spectra[4].position_um == (0.5, 1.0)


@pytest.mark.parametrize("unit", ["nm", "1/cm abs"])
def test_axes_of_a_spectrum_of_labspec(make, found, unit):
    pytest.importorskip("rsciio")
    facts, (one,) = found(make.horiba(unit, is_map=False))
    assert facts.laser_nm == make.LASER_NM
    assert one.shift_cm1 == pytest.approx(make.AXIS, abs=0.5)
    assert one.intensity.tolist() == make.band().tolist()
    assert one.position_um is None


def test_labspec_without_its_metadata(make, refused, capfd):
    pytest.importorskip("rsciio")
    assert "cannot be read by RosettaSciIO" in refused(make.horiba().replace(b"0x6C62D4D9", b"0x0"))
    assert capfd.readouterr() == ("", "")  # RosettaSciIO would log it
