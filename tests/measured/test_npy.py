"""NumPy's files are read as NumPy reads them, or refused in one line at the cost of their bytes."""

import io
import resource
import subprocess
import sys
import zipfile

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tersgen.errors import MeasurementError
from tersgen.measured.collection import LabelRule, collect
from tersgen.measured.npy import open_arrays
from tersgen.measured.readers.arrays import read_arrays, read_axis

SPECTRA = np.random.default_rng(1).random((6, 50))
AXIS = np.linspace(100.0, 2000.0, 50)


def npy(array, version=None) -> bytes:
    content = io.BytesIO()
    np.lib.format.write_array(content, np.asanyarray(array), version=version)
    return content.getvalue()


def header(text: str, data: bytes = b"", version: int = 1) -> bytes:
    """Return a .npy with any text as its header."""
    content = text.encode("utf-8" if version == 3 else "latin-1") + b"\n"
    size = len(content).to_bytes(2 if version == 1 else 4, "little")
    return b"\x93NUMPY" + bytes([version, 0]) + size + content + data


def table(descr="'<f8'", order=False, shape="(2,)") -> str:
    return f"{{'descr': {descr}, 'fortran_order': {order}, 'shape': {shape}, }}"


def load(path):
    with open_arrays(path) as content:
        if content.is_single:
            return np.array(content.single())
        return {name: content.read(name) for name in content.names}


def refusal(path) -> str:
    with pytest.raises(MeasurementError) as error:
        load(path)
    line = str(error.value)
    assert line.isprintable()
    return line


@pytest.mark.parametrize("dtype", ["<f8", ">f4", "<f2", "u1", ">i8", "<U7", "S3"])
@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("version", [(1, 0), (2, 0), (3, 0)])
@pytest.mark.parametrize("shape", [(3, 4), (0, 5), (), (7,)])
def test_whatever_numpy_writes(tmp_path, dtype, order, version, shape) -> None:
    array = np.array(SPECTRA.reshape(-1)[: int(np.prod(shape))].reshape(shape) * 100, order=order)
    array = array.astype(dtype)
    (tmp_path / "a.npy").write_bytes(npy(array, version))
    found = load(tmp_path / "a.npy")
    assert (found.dtype, found.shape) == (array.dtype, array.shape)
    np.testing.assert_array_equal(found, array)
    for save in (np.savez, np.savez_compressed):
        save(tmp_path / "a.npz", x=array, y=SPECTRA)
        np.testing.assert_array_equal(load(tmp_path / "a.npz")["x"], array)
        np.testing.assert_array_equal(load(tmp_path / "a.npz")["y"], SPECTRA)


def test_a_large_one_comes_in_pieces(tmp_path) -> None:
    array = np.arange(3_000_000, dtype=np.int16)
    repeated = np.zeros(5_000_000)
    np.savez_compressed(tmp_path / "a.npz", array=array, repeated=repeated)
    found = load(tmp_path / "a.npz")
    np.testing.assert_array_equal(found["array"], array)
    np.testing.assert_array_equal(found["repeated"], repeated)


BAD_HEADERS = {
    "negative": table(shape="(-2,)"),
    "absurd": table(shape="(4611686018427387904, 4)"),
    "of huge numbers": table(shape=f"({10**400},)"),
    "of bools": table(shape="(True,)"),
    "of fractions": table(shape="(2.0,)"),
    "a list": table(shape="[2]"),
    "of many": table(shape="(" + "1," * 70 + ")"),
    "objects": table(descr="'|O'"),
    "records": table(descr="[('a', '<f8')]"),
    "nothing": table(descr="'V0'"),
    "no texts": table(descr="'<U0'", shape="(1000000000000,)"),
    "unknown": table(descr="'<q77'"),
    "dates": table(descr="'<M8[s]'"),
    "order": table(order="'yes'"),
    "code": "__import__('os').mkdir('bomb')",
    "list": "[1, 2]",
    "more": "{'descr': '<f8', 'fortran_order': False, 'shape': (2,), 'more': 1}",
    "less": "{'descr': '<f8'}",
    "deep": "(" * 5000,
    "too long": " " * 70_000,
    "empty": "",
    "steering": table(descr="'\x1b[2J'"),
}


@pytest.mark.parametrize("name", BAD_HEADERS)
@pytest.mark.parametrize("kind", ["npy", "npz"])
def test_headers(tmp_path, name, kind) -> None:
    content = header(BAD_HEADERS[name], b"0" * 16, 1 if len(BAD_HEADERS[name]) < 65000 else 2)
    path = tmp_path / f"a.{kind}"
    if kind == "npy":
        path.write_bytes(content)
    else:
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("x.npy", content)
    refusal(path)
    assert not (tmp_path / "bomb").exists()


@pytest.mark.parametrize("data", [b"", b"0" * 15, b"0" * 17])
def test_another_size_than_the_header_says(tmp_path, data) -> None:
    (tmp_path / "a.npy").write_bytes(header(table(), data))
    assert "expected 16 bytes, as its header says, got " in refusal(tmp_path / "a.npy")
    with zipfile.ZipFile(tmp_path / "a.npz", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("x.npy", header(table(), data))
    assert "x: expected 16 bytes, as its header says, got " in refusal(tmp_path / "a.npz")


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_other_methods(tmp_path, method) -> None:
    with zipfile.ZipFile(tmp_path / "a.npz", "w", method) as archive:
        archive.writestr("x.npy", npy(SPECTRA))
    assert "expected an array stored or deflated, got method" in refusal(tmp_path / "a.npz")


@pytest.mark.parametrize(
    "names",
    [["x.txt"], ["../x.npy"], ["a/x.npy"], ["x.npy", "x.npy"], [".npy"], ["x" * 300 + ".npy"], []],
)
@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_names_of_members(tmp_path, names) -> None:
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        for name in names:
            archive.writestr(name, npy(SPECTRA))
    refusal(tmp_path / "a.npz")


def edited(tmp_path, **fields):
    """Return an archive whose central directory claims something else of its one member."""
    np.savez_compressed(tmp_path / "a.npz", x=np.zeros(100_000))
    content = bytearray((tmp_path / "a.npz").read_bytes())
    at = content.index(b"PK\x01\x02")
    places = {"flags": (8, 2), "crc": (16, 4), "packed": (20, 4), "size": (24, 4), "at": (42, 4)}
    for name, value in fields.items():
        offset, size = places[name]
        content[at + offset : at + offset + size] = value.to_bytes(size, "little")
    (tmp_path / "a.npz").write_bytes(content)
    return tmp_path / "a.npz"


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"flags": 1}, "encrypted"),
        ({"crc": 1}, "expected bytes of their checksum, got damage"),
        ({"size": 1000}, "got more"),
        ({"size": 2_000_000}, "expected at most 1032 times"),
        ({"size": 800_129}, "as its header says"),
        ({"packed": 10}, "expected at most 1032 times"),
        ({"packed": 2**31}, "overlap"),
        ({"at": 3}, "got none in its place"),
        ({"at": 2**31}, "expected an array"),
    ],
)
def test_claims_of_an_archive(tmp_path, fields, text) -> None:
    assert text in refusal(edited(tmp_path, **fields))


def test_more_than_it_claims(tmp_path) -> None:
    """A short array whose deflated bytes go on: the claims agree with each other."""
    content = npy(np.zeros(10))
    with zipfile.ZipFile(tmp_path / "a.npz", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("x.npy", content + bytes(100_000))
    edit = bytearray((tmp_path / "a.npz").read_bytes())
    at = edit.index(b"PK\x01\x02")
    edit[at + 24 : at + 28] = len(content).to_bytes(4, "little")
    (tmp_path / "a.npz").write_bytes(edit)
    assert "got more" in refusal(tmp_path / "a.npz")


PEAK = """
import resource, sys
from pathlib import Path
from tersgen.measured.readers.arrays import read_arrays
from tersgen.errors import MeasurementError
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
try:
    read_arrays(Path(sys.argv[1]))
except MeasurementError as error:
    print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) >> 10, error)
"""


def peak(path, **limits) -> tuple[int, str]:
    def limit() -> None:
        for name, value in limits.items():
            resource.setrlimit(getattr(resource, name), (value, value))

    done = subprocess.run(
        [sys.executable, "-c", PEAK, path],
        capture_output=True, text=True, check=True, preexec_fn=limit,
    )  # fmt: skip
    mebibytes, line = done.stdout.split(" ", 1)
    return int(mebibytes), line


def test_a_bomb_takes_no_memory(tmp_path) -> None:
    with (
        zipfile.ZipFile(tmp_path / "a.npz", "w", zipfile.ZIP_DEFLATED) as archive,
        archive.open("spectra.npy", "w") as member,
    ):
        member.write(header(table(shape="(16,)"), b""))
        for _ in range(512):
            member.write(bytes(1 << 20))
    mebibytes, line = peak(tmp_path / "a.npz")
    assert "as its header says" in line
    assert mebibytes < 50


@pytest.mark.exhaustive
def test_more_than_fits_names_the_limit(tmp_path) -> None:
    np.savez_compressed(tmp_path / "a.npz", spectra=np.zeros((4096, 1 << 16)))
    _, line = peak(tmp_path / "a.npz", RLIMIT_AS=1 << 30)
    assert "out of memory: the limit is 1024 MiB (ulimit -v); raise it" in line


@given(data=st.data())
def test_any_damage(tmp_path_factory, data) -> None:
    """It is what it was, or refused: no other value and no other error."""
    path = tmp_path_factory.mktemp("npz") / "a.npz"
    save = data.draw(st.sampled_from([np.savez, np.savez_compressed]))
    save(path, spectra=SPECTRA[:3], shift_cm1=AXIS)
    content = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(content) - 1))
        if data.draw(st.booleans()):
            content[at] = data.draw(st.integers(0, 255))
        else:
            del content[at : at + data.draw(st.integers(1, 40))]
    path.write_bytes(content)
    try:
        found = read_arrays(path)
    except MeasurementError as error:
        assert str(error).isprintable()  # noqa: PT017
    else:
        np.testing.assert_array_equal(found.spectra, SPECTRA[:3])
        np.testing.assert_array_equal(found.shift_cm1, AXIS)


@pytest.mark.parametrize(
    "arrays",
    [
        {"spectra": np.float64(3.0), "shift_cm1": AXIS},
        {"spectra": SPECTRA, "shift_cm1": np.float64(1.0)},
        {"spectra": SPECTRA[:, :1], "shift_cm1": AXIS[:1]},
        {"spectra": SPECTRA, "shift_cm1": AXIS, "label": np.int64(1)},
        {"spectra": SPECTRA, "shift_cm1": AXIS, "label": np.zeros(6, int), "classes": AXIS},
        {"spectra": SPECTRA, "shift_cm1": AXIS, "label": np.zeros(6, int),
         "classes": np.array("a")},
        {"spectra": SPECTRA, "shift_cm1": AXIS, "label": np.zeros(6, int),
         "classes": np.array([], "U3")},
        {"spectra": SPECTRA * 1j, "shift_cm1": AXIS},
        {"maps": np.zeros(())},
    ],
)  # fmt: skip
def test_arrays_of_other_shapes_and_types(tmp_path, arrays) -> None:
    np.savez(tmp_path / "a.npz", **arrays)
    with pytest.raises(MeasurementError):
        read_arrays(tmp_path / "a.npz")


def test_bad_ones_are_skipped(tmp_path) -> None:
    np.savez(tmp_path / "good.npz", spectra=SPECTRA, shift_cm1=AXIS)
    edited(tmp_path, crc=1)
    (tmp_path / "zip.npz").write_bytes(b"PK\x03\x04 and then nothing")
    (tmp_path / "none.npy").write_bytes(b"\x93NUMPY")
    paths = [tmp_path / name for name in ("a.npz", "good.npz", "none.npy", "zip.npz")]
    found = collect(paths, LabelRule(), skip_bad=True)
    assert [file.name for file in found.files] == ["good.npz"]
    assert [line.split(":")[0] for line in found.refused] == [
        str(tmp_path / name) for name in ("a.npz", "none.npy", "zip.npz")
    ]


def test_an_axis_is_one_array(tmp_path) -> None:
    np.savez(tmp_path / "a.npz", x=AXIS)
    (tmp_path / "b.npy").write_bytes(header(BAD_HEADERS["negative"]))
    for name in ("a.npz", "b.npy", "none.npy"):
        with pytest.raises(MeasurementError, match=f"{name}: expected an axis"):
            read_axis(tmp_path / name)
