"""Files of instruments through RosettaSciIO: maps with dead spectra, and axes of every kind."""

import struct

import numpy as np
import pytest

import tersgen
from tersgen.errors import MeasurementError
from tersgen.jobs.ingest import Target, ingest, plan_ingest
from tersgen.measured.axis import Stated
from tersgen.measured.collection import collect
from tersgen.measured.labels import LabelRule
from tersgen.measured.reader import ReadOptions
from tersgen.measured.reading import read_spectra

pytest.importorskip("rsciio")

SHIFT, WAVENUMBER, NM, EV = 1, 2, 3, 4
"""Codes of units in a .wdf."""
X, FOCUS = 11, 14
"""Kinds of positions."""
AXIS = np.linspace(500, 900, 36)[::-1]


def block(name, content, number=0):
    return struct.pack("<4sIQ", name, number, 16 + len(content)) + content


def wdf(rows, axis=AXIS, unit=SHIFT, kind=X):
    """Return a series of spectra as WiRE saves it: only the fields that are read are filled."""
    header = bytearray(512)
    header[:16] = struct.pack("<4sIQ", b"WDF1", 1, 512)
    for at, value in (
        (24, 1), (28, 2), (32, 3), (36, 4), (52, 1), (60, len(axis)), (64, len(rows)),
        (72, len(rows)), (80, 1), (84, 1), (88, len(axis)), (92, 1), (120, 5), (128, 1), (132, 2),
        (152, 5),
    ):  # fmt: skip
        struct.pack_into("<I", header, at, value)
    header[96:100] = b"WiRE"
    struct.pack_into("<QQ", header, 136, 0x1D4F54CF65A0000, 0x1D4F54CF65A0000)
    struct.pack_into("<f", header, 156, 18796.99)
    places = np.array([0, 3, 2, 4] if kind == FOCUS else range(len(rows)), "<f8")[: len(rows)]
    origin = struct.pack("<III16s", 1, kind, 5, b"place") + bytes(8) + places.tobytes()
    return (
        bytes(header)
        + block(b"DATA", np.asarray(rows, "<f4").tobytes())
        + block(b"YLST", struct.pack("<IIf", 20, 0, 0.0))
        + block(b"XLST", struct.pack("<II", 1, unit) + np.asarray(axis, "<f4").tobytes())
        + block(b"ORGN", origin)
    )


def rows_of(*places):
    """Return spectra with a band at each place; None makes a constant one."""
    return [
        np.full(36, 7.0) if place is None else 5 + np.exp(-(((AXIS - place) / 20) ** 2))
        for place in places
    ]


@pytest.fixture
def written(tmp_path):
    def write(content, name="map.wdf"):
        (tmp_path / name).write_bytes(content)
        return tmp_path / name

    return write


def test_positions_in_any_order_are_no_fault(written):
    spectra = read_spectra(written(wdf(rows_of(550, 650, 750, 850), kind=FOCUS)))
    assert [one.name for one in spectra] == [f"map.wdf[{k}]" for k in range(4)]
    assert (spectra[0].shift_cm1[0], spectra[0].shift_cm1[-1]) == (500, 900)
    assert [round(one.shift_cm1[one.intensity.argmax()], -1) for one in spectra] == [
        550, 650, 750, 850,
    ]  # fmt: skip


@pytest.mark.parametrize("dead", ["constant", "nan"])
def test_a_dead_spectrum_of_a_map_is_left_out_alone(written, tmp_path, dead):
    rows = rows_of(550, None, 750, 850)
    if dead == "nan":
        rows[1][3] = np.nan
    path = written(wdf(rows))
    with pytest.raises(MeasurementError, match=r"map\.wdf\[1\]: expected .*--skip-bad"):
        collect([path], LabelRule(label="x"))
    collection = collect([path], LabelRule(label="x"), skip_bad=True)
    (line,) = collection.refused
    assert "map.wdf[1]: expected" in line
    assert collection.notes() == ["map.wdf: 1 rows that cannot be used are left out"]
    plan, made = plan_ingest(collection, Target(), "zarr")
    ingest(plan, made, tmp_path / "map.zarr")
    data = tersgen.open(tmp_path / "map.zarr")
    assert sorted(data["source/row"]) == [0, 2, 3]
    places = {int(row): data["raw/intensity"][k] for k, row in enumerate(data["source/row"])}
    assert places[2] == pytest.approx(rows[2][::-1], rel=1e-6)


def test_a_map_without_any_good_spectrum(written):
    with pytest.raises(MeasurementError, match=r"map\.wdf\[0\]: .*a constant"):
        collect([written(wdf(rows_of(None, None)))], LabelRule(), skip_bad=True)


@pytest.mark.parametrize(
    ("unit", "axis"),
    [
        (NM, 1e7 / (1e7 / 532.0 - AXIS)),
        (EV, (1e7 / 532.0 - AXIS) / 8065.543937349212),
        (WAVENUMBER, 1e7 / 532.0 - AXIS),
    ],
)
def test_axes_of_a_wdf(written, unit, axis):
    path = written(wdf(rows_of(600), axis, unit))
    with pytest.raises(MeasurementError, match=r"say which laser \(--laser-nm\)"):
        read_spectra(path)
    (spectrum,) = read_spectra(path, 532.0, ReadOptions(vacuum=True))
    assert spectrum.shift_cm1[[0, -1]] == pytest.approx([500, 900], abs=0.05)
    assert abs(spectrum.shift_cm1[spectrum.intensity.argmax()] - 600) < 12


def test_an_axis_of_pixels(written):
    with pytest.raises(MeasurementError, match="a number of pixels"):
        read_spectra(written(wdf(rows_of(600), np.arange(36.0), 16)))
    (spectrum,) = read_spectra(
        written(wdf(rows_of(600), AXIS, 16)), options=ReadOptions(stated=Stated("shift"))
    )
    assert spectrum.shift_cm1[0] == 500
    assert "the file says 'px', overruled by --axis shift" in spectrum.notes
