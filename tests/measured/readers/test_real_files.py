"""Files that instruments wrote: read as their peers in other formats, or refused for what they are.

They are no part of the repository; without the folder these tests are skipped.
"""

import numpy as np
import pytest

from tersgen.errors import MeasurementError
from tersgen.measured.binary import Content
from tersgen.measured.facts import inspect
from tersgen.measured.reader import ReadOptions
from tersgen.measured.readers.spc import parse_spc
from tersgen.measured.reading import read_spectra, read_spectrum

REFUSED = {
    "spc/4d_map.spc": r"log\(1/R\)",
    "spc/Ft-ir.spc": "transmission",
    "spc/NMR_FID.SPC": "over seconds",
    "spc/NMR_SPC.SPC": "over ppm",
    "spc/m_evenz.spc": "absorbance",
    "spc/m_ordz.spc": "absorbance",
    "spc/m_xyxy.spc": "mass",
    "spc/ms.spc": "mass",
    "spc/nir.spc": "Kubelka-Munk",
    "spc/resolutionPro.spc": "absorbance",
    "spc/s_evenx.spc": "absorbance",
    "spc/s_xy.spc": "over minutes",
    "opus/brukeropus_file.0": "absorbance",
}
READ = {
    "spc/RAMAN.SPC": (1, 3632, -3005.956, 3996.823),
    "spc/NDR0002.SPC": (1, 4069, 88.637, 4011.202),
    "spc/raman-sion.spc": (36, 1015, 1218.434, 2801.459),
    "opus/test_opus.0": (1, 4096, 51.893, 4000.661),
    "instruments/bwspec_PST02_iRPlus532_Z050_100_2500msx5.txt": (1, 762, -3.08, 2000.18),
    "instruments/bwspec_nCAL02_iRPlus532_Z050_100_9000ms.txt": (1, 762, -3.08, 2000.18),
}


@pytest.fixture
def file(reference_data):
    """Return a function from the name of a real file to its path."""
    return lambda name: reference_data(f"files/{name}")


@pytest.mark.parametrize("name", REFUSED)
def test_other_techniques_are_refused(file, name):
    with pytest.raises(MeasurementError, match=REFUSED[name]):
        read_spectra(file(name))


@pytest.mark.parametrize("name", READ)
def test_raman_spectra_are_read(file, name):
    facts, spectra = inspect(file(name), ReadOptions())
    n_spectra, n_points, first, last = READ[name]
    assert (facts.n_spectra, facts.n_points) == (n_spectra, (n_points, n_points))
    # Files may reach below the laser line, where a reader of the axis may cut them.
    assert spectra[0].shift_cm1[-1] == pytest.approx(last, abs=1e-3)
    assert spectra[0].shift_cm1[0] == pytest.approx(max(first, spectra[0].shift_cm1[0]), abs=1e-3)


def test_one_measurement_as_wdf_spc_and_text(file):
    pytest.importorskip("rsciio")
    name = "instruments/nCal_Qontor785_z005H12_100_1x3s"
    text, wdf, spc = (read_spectrum(file(name + end)) for end in (".txt", ".wdf", ".spc"))
    assert wdf.shift_cm1 == pytest.approx(text.shift_cm1, abs=1e-5)
    assert wdf.intensity == pytest.approx(text.intensity, abs=1e-5)
    # WiRE interpolates to an even axis when it saves .spc.
    expected = np.interp(spc.shift_cm1, text.shift_cm1, text.intensity)
    assert spc.intensity == pytest.approx(expected, abs=2.0)


def test_one_measurement_as_spc_and_bwspec_text(file):
    name = "instruments/PST10_iR532_Probe_100_3000msx7"
    text, spc = (read_spectrum(file(name + end)) for end in (".txt", ".spc"))
    # BWSpec interpolates to whole numbers, with a curve that is not documented.
    expected = np.interp(spc.shift_cm1, text.shift_cm1, text.intensity)
    assert np.corrcoef(expected, spc.intensity)[0, 1] > 0.9995
    assert spc.intensity.min() == pytest.approx(expected.min(), abs=2)


def test_silicon_in_a_file_of_lightfield(file):
    facts, (one,) = inspect(file("instruments/S0N_50x.spe"), ReadOptions())
    assert (facts.axis, facts.laser_nm) == ("wavelengths, nm", 531.988)
    place = one.shift_cm1[one.intensity.argmax()]
    assert place == pytest.approx(520.7, abs=0.6)


def test_polystyrene_in_a_file_of_opus(file):
    (one,) = read_spectra(file("opus/test_opus.0"))
    inside = (one.shift_cm1 > 900) & (one.shift_cm1 < 1100)
    assert np.isfinite(one.intensity).all()
    assert one.shift_cm1[inside][one.intensity[inside].argmax()] == pytest.approx(1001, abs=5)


def test_spc_of_other_techniques_are_parsed_alike(file):
    """Check values of files that are refused; cheminfo's spc-parser and spc_io have the same."""
    shapes = {
        "m_evenz.spc": (32, 171), "m_ordz.spc": (10, 857), "m_xyxy.spc": (512, 8),
        "4d_map.spc": (121, 313), "nir.spc": (20, 700), "ms.spc": (1, 128), "s_xy.spc": (1, 512),
    }  # fmt: skip
    for name, (n_spectra, n_points) in shapes.items():
        spc = parse_spc(Content(file(f"spc/{name}")))
        assert (len(spc.rows), len(spc.rows[0])) == (n_spectra, n_points)
    spc = parse_spc(Content(file("spc/4d_map.spc")))
    assert spc.places[-1].tolist() == [100.0, 100.0]
    spc = parse_spc(Content(file("spc/m_ordz.spc")))
    assert spc.rows[0].min() == pytest.approx(-1.2935182)
    assert spc.places[-1, 0] == pytest.approx(42.252789)
