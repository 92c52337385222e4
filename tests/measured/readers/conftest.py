"""One small file for each format, written from the specification of the format."""

import io
import struct
from types import SimpleNamespace

import h5py
import numpy as np
import pytest
from scipy.io import savemat

from tersgen.measured.wavelengths import air_refractivity, vacuum_nm

AXIS = np.linspace(200.0, 1775.0, 64)
LASER_NM = 532.0


def band(height=1000.0, place=1000.0):
    """Return a band on a background, the same as float32 and as an integer."""
    return np.rint(100.0 + height * np.exp(-(((AXIS - place) / 60.0) ** 2)))


MAP = np.array([band(height) for height in (1000.0, 2000.0, 3000.0, 4000.0, 5000.0, 6000.0)])
_VACUUM = 1e7 / (1e7 / vacuum_nm(np.asarray(LASER_NM)) - AXIS)
NM = _VACUUM / (1.0 + air_refractivity(_VACUUM))


def spc(rows=None, x_type=13, y_type=4, experiment=11, **more):
    """Return a .spc of 1996: float32, or scaled integers with ``exponent``, of 16 bits if short."""
    rows = [band()] if rows is None else rows
    exponent, short = more.get("exponent", -128), more.get("short", False)
    own_axes, axis = more.get("own_axes", False), more.get("axis")
    flags = 0x04 * (len(rows) > 1) | 0x01 * short
    flags |= 0xC0 if own_axes else 0x80 if axis is not None else 0
    labels = more.get("labels", b"")
    flags |= 0x20 * bool(labels)
    order = more.get("order", "<")
    head = bytearray(512)
    struct.pack_into(
        f"{order}BBBbiddiBBB", head, 0, flags, 0x4C if order == ">" else 0x4B, experiment,
        exponent, len(AXIS), more.get("first", AXIS[0]), more.get("last", AXIS[-1]), len(rows),
        x_type, y_type, more.get("z_type", 0),
    )  # fmt: skip
    head[218 : 218 + len(labels)] = labels
    struct.pack_into(f"{order}fifB", head, 312, more.get("z_step", 0.0), more.get("planes", 0),
                     more.get("w_step", 0.0), more.get("w_type", 0))  # fmt: skip
    body = b"" if axis is None or own_axes else np.asarray(axis, f"{order}f4").tobytes()
    for row in rows:
        body += struct.pack(f"{order}BbHfffIIf4x", 0, exponent, 0, 0.0, 0.0, 0.0, len(row), 0, 0.0)
        if own_axes:
            body += AXIS.astype(f"{order}f4").tobytes()
        if exponent == -128:
            body += np.asarray(row, f"{order}f4").tobytes()
        else:
            bits, kind = (16, "i2") if short else (32, "i4")
            body += np.rint(row * 2.0 ** (bits - exponent)).astype(order + kind).tobytes()
    log = more.get("log", b"")
    if log:
        struct.pack_into(f"{order}i", head, 248, len(head) + len(body))
        body += struct.pack(f"{order}IIIII44x", 64 + len(log), 4096, 64, 0, 0) + log
    return bytes(head) + body


def old_spc(rows=None, exponent=13):
    """Return a .spc of before 1996: 32-bit integers, whose high word comes first."""
    rows = [band()] if rows is None else rows
    head = bytearray(224)
    flags = 0x04 * (len(rows) > 1)
    struct.pack_into("<BBhfffBB", head, 0, flags, 0x4D, exponent, len(AXIS), AXIS[0], AXIS[-1],
                     13, 4)  # fmt: skip
    body = b""
    for row in rows:
        body += struct.pack("<xbxxf24x", exponent, 0.0)
        body += (
            np.rint(row * 2.0 ** (32 - exponent))
            .astype("<i4")
            .view("<u2")
            .reshape(-1, 2)[:, ::-1]
            .tobytes()
        )
    return bytes(head) + body


def opus(kind=10, unit=b"WN", points=None, extra=0, data=None):
    """Return an OPUS file of a directory, one block of data, its parameters and an instrument."""

    def parameter(name, form, value):
        value += b"\0" * (len(value) % 2)
        return name + b"\0" + struct.pack("<HH", form, len(value) // 2) + value

    data = band()[::-1].astype("<f4").tobytes() if data is None else data
    status = b"".join([
        parameter(b"DPF", 0, struct.pack("<i", 1)),
        parameter(b"NPT", 0, struct.pack("<i", points or len(AXIS))),
        parameter(b"FXV", 1, struct.pack("<d", AXIS[-1])),
        parameter(b"LXV", 1, struct.pack("<d", AXIS[0])),
        parameter(b"CSF", 1, struct.pack("<d", 1.0)),
        parameter(b"DXU", 3, unit + b"\0\0"),
        b"END\0\0\0\0\0",
    ])  # fmt: skip
    tool = parameter(b"RLW", 1, struct.pack("<d", 1e7 / LASER_NM)) + b"END\0\0\0\0\0"
    codes = (kind << 10 | 0x0F | extra << 19, kind << 10 | 0x1F, 0x20)
    blocks = list(zip(codes, (data, status, tool), strict=True))
    at, directory, body = 24 + 12 * len(blocks), b"", b""
    for code, content in blocks:
        directory += struct.pack("<III", code, len(content) // 4, at + len(body))
        body += content
    head = b"\x0a\x0a\xfe\xfe" + struct.pack("<diii", 920622.0, 24, 40, len(blocks))
    return head + directory + body


def opus_series(factor=1.0, scaled=True, cut=0):
    """Return an OPUS file of a series of six spectra, each with its record."""
    body = b""
    for row in MAP[:, ::-1]:
        record = bytearray(120)
        struct.pack_into("<i", record, 12, len(row))
        seen = row * factor if scaled else row
        struct.pack_into("<3d", record, 88, seen.min(), seen.max(), factor)
        body += row.astype("<f4").tobytes() + bytes(record)
    head = struct.pack("<6i", 0, 6, 32, 4 * len(AXIS), 120, 1) + struct.pack("<2i", 0, 5)
    return opus(extra=2, data=head + body[: len(body) - cut * (4 * len(AXIS) + 120)])


def _spe_header(version, columns, rows, frames, code):
    head = bytearray(4100)
    struct.pack_into("<H", head, 42, columns)
    struct.pack_into("<h", head, 108, code)
    struct.pack_into("<H", head, 656, rows)
    struct.pack_into("<i", head, 1446, frames)
    struct.pack_into("<f", head, 1992, version)
    struct.pack_into("<I", head, 2996, 0x01234567)
    struct.pack_into("<H", head, 4098, 0x5555)
    return head


def spe_2(rows=None, unit=3, valid=1):
    """Return a WinSpec .spe: 16-bit integers, a straight line from pixels to nm or shifts."""
    rows = [band()] if rows is None else rows
    head = _spe_header(2.5, len(AXIS), 1, len(rows), 3)
    axis = np.linspace(NM[0], NM[-1], len(NM)) if unit == 3 else AXIS
    step = axis[1] - axis[0]
    struct.pack_into("<BBBB", head, 3098, valid, 0, unit, 1)
    struct.pack_into("<6d", head, 3263, axis[0] - step, step, 0, 0, 0, 0)
    struct.pack_into("<d", head, 3311, 1e7 / LASER_NM)
    struct.pack_into("<HHH", head, 1512, 1, len(AXIS), 1)
    return bytes(head) + np.asarray(rows, "<u2").tobytes()


def spe_3(rows=None, calibration=None, declaration=""):
    """Return a LightField .spe, whose XML has the wavelengths."""
    rows = np.asarray([band()] if rows is None else rows, "<f4")
    head = _spe_header(3.0, len(AXIS), 1, len(rows), 0)
    values = ",".join(f"{one:.9f}" for one in NM)
    if calibration is None:
        calibration = (
            f'<WavelengthMapping id="1" laserLine="{LASER_NM}"><Wavelength xml:space="preserve">'
            f"{values}</Wavelength></WavelengthMapping>"
        )
    size = 4 * len(AXIS)
    xml = (
        f'{declaration}<SpeFormat version="3.0" xmlns="http://www.princetoninstruments.com/spe/2009'
        f'"><DataFormat><DataBlock type="Frame" count="{len(rows)}" pixelFormat="MonochromeFloating'
        f'32" size="{size}" stride="{size}"><DataBlock type="Region" count="1" '
        f'width="{len(AXIS)}" height="1" size="{size}" stride="{size}"/></DataBlock></DataFormat>'
        f"<Calibrations>{calibration}</Calibrations></SpeFormat>"
    )
    struct.pack_into("<Q", head, 678, 4100 + rows.nbytes)
    return bytes(head) + rows.tobytes() + xml.encode()


def spa(x_code=32, y_code=31, points=None):
    """Return an OMNIC .spa of a header and a spectrum."""
    head = bytearray(304 + 32)
    head[:18] = b"Spectral Data File"
    struct.pack_into("<H", head, 294, 2)
    struct.pack_into("<BxII", head, 304, 2, len(head), 200)
    struct.pack_into("<BxII", head, 320, 3, len(head) + 200, 4 * len(AXIS))
    block = bytearray(200)
    struct.pack_into("<IB3xB3xff", block, 4, points or len(AXIS), x_code, y_code, AXIS[-1], AXIS[0])
    struct.pack_into("<f", block, 96, 1e7 / LASER_NM)
    return bytes(head + block) + band()[::-1].astype("<f4").tobytes()


def perkinelmer(x_label=b"Raman Shift / cm-1", y_label=b"Int", history=b"Raman"):
    """Return a Spectrum .sp of one data set."""

    def member(key, content):
        return struct.pack("<hi", key, len(content)) + content

    data = band()[::-1].astype("<f8").tobytes()
    members = [
        member(-29838, struct.pack("<hdd", 29974, AXIS[-1], AXIS[0])),
        member(-29836, struct.pack("<hd", 29980, AXIS[0] - AXIS[1])),
        member(-29835, struct.pack("<hi", 29995, len(AXIS))),
        member(-29833, struct.pack("<hh", 29987, len(x_label)) + x_label),
        member(-29832, struct.pack("<hh", 29987, len(y_label)) + y_label),
        member(-29825, history),
        member(-29828, struct.pack("<hi", 29974, len(data)) + data),
    ]
    body = b"".join(members)
    return (
        b"PEPE"
        + b"2D constant interval".ljust(40, b"\0")
        + struct.pack("<hi", 120, len(body))
        + body
    )


def wdf(places):
    """Return a WiRE .wdf map of spectra that were measured at some places, in their order."""

    def block(name, content):
        uid = int(name == b"WDF1")
        return name + struct.pack("<IQ", uid, 16 + len(content)) + content

    n, points = len(places), len(AXIS)
    head = struct.pack("<Q9I", 0, *[0] * 9) + struct.pack("<IQQ4I", points, n, n, 1, 1, points, 2)
    head += struct.pack("<24s4HIIQQIf", b"WiRE", 5, 5, 0, 0, 1, 3, 0, 0, 6, 1e7 / LASER_NM)
    head += bytes(48) + b"me".ljust(32, b"\0") + b"map".ljust(160, b"\0")
    content = block(b"WDF1", head.ljust(496, b"\0"))
    content += block(b"DATA", MAP[:n].astype("<f4").tobytes())
    content += block(b"YLST", struct.pack("<IIf", 0, 0, 0.0))
    content += block(b"XLST", struct.pack("<II", 1, 1) + AXIS.astype("<f4").tobytes())
    origins = [
        struct.pack("<II16s", kind, 5, name) + np.array([place[k] for place in places]).tobytes()
        for k, (kind, name) in enumerate(((0x80000003, b"X"), (0x80000004, b"Y")))
    ]
    content += block(b"ORGN", struct.pack("<I", 2) + b"".join(origins))
    size = struct.pack("<3I", 3, n // 3, 1)
    steps = struct.pack("<II6f", 2, 0, 0.0, 0.0, 0.0, 0.5, 1.0, 1.0)
    return content + block(b"WMAP", steps + size + struct.pack("<I", 0))


def horiba(unit="1/cm", is_map=True):
    """Return a LabSpec .xml of a map of 2 rows x 3 columns, or of a spectrum, from high to low."""

    def node(number, *content):
        return f'<LSX Format="9" ID="{number}">{"".join(content)}</LSX>'

    def entry(name, value):
        texts = node("0x6D6D616E", name), node("0x7D6C61DB", value), node("0x8736F70", value)
        return node("0x6D7361DE", *texts)

    def axis(number, name, units, values):
        numbers = " ".join(f"{value:.6f}" for value in values)
        return node(number, node("0x6D707974", name), node("0x7C696E75", units),
                    node("0x7D6CD4DB", numbers))  # fmt: skip

    shift = (NM if unit == "nm" else 1e7 / LASER_NM - AXIS if unit == "1/cm abs" else AXIS)[::-1]
    axes = [node("0x0", node("0x6D707974", "Intens"), node("0x7C696E75", "Cnt")),
            axis("0x1", "Spectr", unit, shift)]  # fmt: skip
    axes += [axis("0x2", "X", "\xb5m", [0.0, 0.5, 1.0] if is_map else [0.0]),
             axis("0x3", "Y", "\xb5m", [0.0, 1.0] if is_map else [0.0])]  # fmt: skip
    setup = (entry("Laser (nm)", f"{LASER_NM}"), entry("ND Filter", "10"), entry("Hole", "100"),
             entry("Acq. time (s)", "1"), entry("Accumulations", "1"))  # fmt: skip
    facts = (
        node("0x7CECDBD7", entry("Acquired", "01.01.2026 12:00:00")),
        node("0x8716361", *setup),
        node("0x7C73E2D2", entry("Sample", "x")),
    )
    tree = (
        node("0x6C62D4D9", *facts), node("0x6C7469D9", "map"), node("0x6D707974", "Map"),
        node("0x7A74D9D6", node("0x7B697861", *axes)),
    )  # fmt: skip
    rows = ""
    for row in MAP if is_map else [band()]:
        numbers = " ".join(f"{value:.2f}" for value in row[::-1])
        rows += f'<LSX_Row Format="5" Size="{len(AXIS)}">{numbers}</LSX_Row>'
    return (
        '<?xml version="1.0" encoding="iso-8859-1"?>\n<LSX_Data Version="1"><LSX_Tree>'
        f"{''.join(tree)}</LSX_Tree><LSX_Matrix>{rows}</LSX_Matrix></LSX_Data>\n"
    ).encode("latin-1")


def bwspec(numbers=(1,), names=("Dark Subtracted",), separator=";"):
    """Return a BWSpec text with decimal commas, whose last two pixels lie outside the axis."""

    def cell(value):
        return f"{value:.4f}".replace(".", "," if separator == ";" else ".")

    columns = [f"{name} #{k}" for k in numbers for name in names]
    heading = ["Pixel", "Wavelength", "Wavenumber", "Raman Shift", "Dark", *columns, ""]
    lines = [
        f"File Version{separator}BWSpec4.11_1",
        f"laser_wavelength{separator}{cell(785.0)}",
        separator.join(heading),
    ]
    values = {"Dark Subtracted": band(), "Raw data": band() + 50.0}
    for k, shift in enumerate(AXIS):
        cells = [str(k), "800", "12000", cell(shift), cell(50.0)]
        cells += [cell(n * values[name][k]) for n in numbers for name in names]
        lines.append(separator.join([*cells, ""]))
    lines += [separator.join([str(64 + k), *["   "] * 3, *["1"] * (1 + len(columns)), ""])
              for k in range(2)]  # fmt: skip
    return ("\r\n".join(lines) + "\r\n").encode()


def wasatch(columns=("Wavenumber",), n_spectra=1):
    """Return an ENLIGHTEN CSV saved by column."""
    names = ["Pixel", *columns, *["Processed", ""] * n_spectra]
    head = f"ENLIGHTEN Version,3.2.1\nLaser Wavelength,,,{LASER_NM},\nPixel Count,64\n\n"
    lines = [head + ",".join(names)]
    axes = {"Wavenumber": AXIS, "Wavelength": NM}
    for k in range(len(AXIS)):
        cells = [str(k), *(f"{axes[name][k]:.6f}" for name in columns)]
        for n in range(n_spectra):
            cells += [f"{band()[k] * (n + 1):.2f}", ""]
        lines.append(",".join(cells))
    return ("\n".join(lines) + "\n").encode()


def labspec_map(comments=(), places=2):
    """Return a LabSpec map of 2 rows x 3 columns, or a series of times."""
    lines = [*comments, "\t" * places + "\t".join(f"{x:.3f}" for x in AXIS)]
    for k, row in enumerate(MAP):
        place = [f"{k // 3:.1f}", f"{k % 3 * 0.5:.1f}"] if places == 2 else [f"{k:.1f}"]
        lines.append("\t".join([*place, *(f"{value:.2f}" for value in row)]))
    return ("\n".join(lines) + "\n").encode("latin-1")


def wire_map(heading="#X\t\t#Y\t\t#Wave\t\t#Intensity"):
    """Return a WiRE map of 2 rows x 3 columns, each spectrum from high to low shifts."""
    lines = [heading]
    places = heading.count("#") - 2
    for k, row in enumerate(MAP):
        place = [f"{0.5 * (k % 3):.3f}", f"{k // 3:.3f}", "7.000"][: places if places > 1 else 1]
        if places == 1:
            place = [f"{k:.3f}"]
        lines += ["\t".join([*place, f"{x:.6f}", f"{y:.6f}"])
                  for x, y in zip(AXIS[::-1], row[::-1], strict=True)]  # fmt: skip
    return ("\r\n".join(lines) + "\r\n").encode()


def witec(unit="rel. 1/cm", scan=True, separator="\t"):
    """Return a WITec table of a scan of 2 rows x 3 columns."""
    lines = ["//Exported ASCII-File", "[Header]", "FileName = a.wip", "GraphName = Scan"]
    if scan:
        lines += ["SizeX = 3", "SizeY = 2", "ScanUnit = \xb5m", "ScanWidth = 1.5",
                  "ScanHeight = 2.0", "ScanOriginX = 10.0", "ScanOriginY = 20.0"]  # fmt: skip
    lines += [f"XAxisUnit = {unit}", "DataUnit = CCD cts", "[Data]",
              separator.join(["X-Axis", *(f"Spec.Data {k}" for k in range(6))])]  # fmt: skip
    axis = NM if unit == "nm" else AXIS
    lines += [separator.join(f"{v:.6f}" for v in (x, *MAP[:, k])) for k, x in enumerate(axis)]
    return ("\r\n".join(lines) + "\r\n").encode("latin-1")


def wide(heading="Raman shift (cm-1)", separator=",", comma=False):
    """Return a table of three spectra."""
    lines = [separator.join([heading, "first", "second", "third"])]
    for k, x in enumerate(AXIS):
        cells = [f"{value:.3f}" for value in (x, *MAP[:3, k])]
        lines.append(separator.join(cells).replace(".", "," if comma else "."))
    return ("\n".join(lines) + "\n").encode()


def map_table(places=("x (um)", "y (um)"), separator=",", by_point=False):
    """Return a table of a map of 2 rows x 3 columns: a row for each spectrum, or for each point."""
    rest = ["Raman shift (cm-1)", "Intensity"] if by_point else [f"{x:.1f}" for x in AXIS]
    lines = [separator.join([*places, *rest])]
    for k, row in enumerate(MAP):
        place = {"x": f"{0.5 * (k % 3):.2f}", "y": f"{k // 3:.2f}"}
        place = [next(place[one] for one in place if one in name.lower()) for name in places]
        if by_point:
            lines += [separator.join([*place, f"{x:.1f}", f"{y:.2f}"])
                      for x, y in zip(AXIS, row, strict=True)]  # fmt: skip
        else:
            lines.append(separator.join([*place, *(f"{y:.2f}" for y in row)]))
    return ("\n".join(lines) + "\n").encode()


def nexus(path, definition="NXraman", unit="1/cm", is_map=False, old=False):
    """Write a NeXus file of a spectrum, or a map of 2 x 3, and return its bytes."""
    with h5py.File(path, "w") as file:
        entry = file.create_group("entry")
        entry.attrs["NX_class"], entry.attrs["default"] = "NXentry", "spectrum"
        entry["definition"] = definition
        beam = entry.create_group("instrument/beam_incident")
        entry["instrument"].attrs["NX_class"] = "NXinstrument"
        beam.attrs["NX_class"] = "NXbeam"
        beam["wavelength"] = LASER_NM
        beam["wavelength"].attrs["units"] = "nm"
        data = entry.create_group("spectrum")
        data.attrs["NX_class"] = "NXdata"
        data["shift"] = NM if unit == "nm" else AXIS
        data["shift"].attrs["units"] = unit
        data.create_dataset("counts", data=MAP.reshape(2, 3, -1) if is_map else band(),
                            compression="gzip")  # fmt: skip
        axes = ["y", "x", "shift"] if is_map else ["shift"]
        if is_map:
            data["y"], data["x"] = [0.0, 1.0], [0.0, 500.0, 1000.0]
            data["y"].attrs["units"], data["x"].attrs["units"] = "um", "nm"
        if old:
            data["counts"].attrs["signal"], data["counts"].attrs["axes"] = 1, ":".join(axes)
        else:
            data.attrs["signal"], data.attrs["axes"] = "counts", axes
    return path.read_bytes()


def matlab():
    """Return a MATLAB file of an axis and spectra."""
    content = io.BytesIO()
    savemat(content, {"raman_shift": AXIS, "data": MAP})
    return content.getvalue()


@pytest.fixture(scope="session")
def make():
    """Return the functions that write files, and what they write."""
    return SimpleNamespace(**{
        name: value for name, value in globals().items() if not name.startswith("_")
    })  # fmt: skip


@pytest.fixture(scope="session")
def corpus(tmp_path_factory):
    """Return one small file for each format, by its name."""
    return {
        "a.spc": spc(rows=MAP[:2], log=b"Laser=532 nm"),
        "xyxy.spc": spc(own_axes=True),
        "old.spc": old_spc(rows=MAP[:2]),
        "big.spc": spc(rows=MAP[:2], log=b"Laser=532 nm", order=">"),
        "a.0": opus(),
        "series.0": opus_series(),
        "two.spe": spe_2(rows=MAP[:2]),
        "three.spe": spe_3(),
        "a.spa": spa(),
        "a.sp": perkinelmer(),
        "bwspec.txt": bwspec(),
        "enlighten.csv": wasatch(),
        "labspec.txt": labspec_map(),
        "wire.txt": wire_map(),
        "witec.txt": witec(),
        "wide.csv": wide(),
        "map.csv": map_table(),
        "points.csv": map_table(by_point=True),
        "a.mat": matlab(),
        "a.nxs": nexus(tmp_path_factory.mktemp("nexus") / "a.nxs"),
    }


@pytest.fixture
def written(tmp_path):
    """Return a function that writes a file and returns its path."""

    def write(content, name="a.bin"):
        path = tmp_path / name
        path.write_bytes(content)
        return path

    return write
