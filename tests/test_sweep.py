"""Files that others wrote: each is read as its peer reads it, or refused with one line.

The wheels of RosettaSciIO and cclib have no data files. So the files are those that other installed
packages have, those that RosettaSciIO, NumPy, SciPy and csv write, and those of instruments and
programs in TERS_REFERENCE_DATA, where it is there. The counts are printed (``pytest -rP``).
"""

import csv
import importlib
import warnings
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from tersgen.errors import LibraryError, MeasurementError, TersWarning
from tersgen.library.importing import read_species
from tersgen.measured.reader import ReadOptions, RowArrays
from tersgen.measured.reading import read_file

PACKAGES = ("scipy", "sklearn", "numpy", "matplotlib", "h5py", "xarray", "rsciio", "cclib", "pint")
LARGEST = 3 << 20
EACH_MAT = 10
"""Part of MATLAB files that is read: each in a process of its own."""
ACCEPTED = {"matplotlib/mpl-data/sample_data/data_x_x2_x3.csv": "species"}
"""Numbers, their squares and cubes, without a heading: sticks, with a warning."""
REFUSED_AT_LEAST = 400

AXIS = np.arange(200.0, 1801.0, 25.0)
BAND = np.round(1000 * np.exp(-(((AXIS - 1000) / 60) ** 2)) + 50, 3)


def tried(path, **options):
    """Return what a file was taken for: spectra, arrays, species, or nothing."""
    found, messages = {}, []
    try:
        content = read_file(path, ReadOptions(**options)).content
        found["arrays" if isinstance(content, RowArrays) else "spectra"] = content
    except MeasurementError as error:
        messages.append(str(error))
    try:
        found["species"] = read_species(path)
    except LibraryError as error:
        messages.append(str(error))
    assert all(one.isprintable() for one in messages), messages
    return found


@pytest.mark.exhaustive
def test_data_files_of_installed_packages():
    counts, accepted = Counter(), {}
    for name in PACKAGES:
        if (package := importlib.util.find_spec(name)) is None:
            continue
        root = Path(package.origin).parent
        files = [
            path for path in sorted(root.rglob("*"))
            if path.is_file() and path.stat().st_size <= LARGEST
            and path.suffix not in (".py", ".pyc", ".pyi", ".so", ".pxd", ".h", ".a", ".lib")
        ]  # fmt: skip
        mat = [path for path in files if path.suffix == ".mat"]
        for path in [one for one in files if one not in mat] + mat[::EACH_MAT]:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", TersWarning)
                found = tried(path)
            counts[" and ".join(found) or "refused"] += 1
            if found:
                accepted[path.relative_to(root.parent).as_posix()] = " and ".join(found)
    print(dict(counts))  # noqa: T201
    assert {name: kind for name, kind in accepted.items() if ACCEPTED.get(name) != kind} == {}
    assert counts["refused"] >= REFUSED_AT_LEAST


def signal(is_map, units):
    """Return a spectrum, or a map of 2 rows and 3 columns, as RosettaSciIO's writers take it."""
    data = np.array([[BAND * (3 * row + k + 1) for k in range(3)] for row in range(2)])
    places = (("y", 2), ("x", 3)) if is_map else ()
    axes = [
        {"name": name, "size": size, "offset": 0.0, "scale": 0.5, "units": "um", "navigate": True}
        for name, size in places
    ]
    axes.append({"name": "Raman shift", "size": len(AXIS), "offset": 200.0, "scale": 25.0,
                 "units": units, "navigate": False})  # fmt: skip
    for place, axis in enumerate(axes):
        axis |= {"index_in_array": place, "_type": "UniformDataAxis"}
    return {
        "data": data if is_map else BAND, "axes": axes, "original_metadata": {},
        "metadata": {"General": {"title": "x"}, "Signal": {"signal_type": ""}},
        "learning_results": {}, "package": "hyperspy", "package_version": "2.0",
        "tmp_parameters": {}, "attributes": {"_lazy": False}, "models": {},
    }  # fmt: skip


@pytest.mark.exhaustive
def test_files_that_rosettasciio_writes(tmp_path):
    """Where RosettaSciIO writes a format that we read, we read what it reads, or else refuse."""
    rsciio = pytest.importorskip("rsciio")
    outcomes = Counter()
    for plugin in rsciio.IO_PLUGINS:
        if not plugin["writes"] or plugin["name"] == "Image":  # pictures are no spectra
            continue
        ending = plugin["file_extensions"][plugin["default_extension"]]
        for is_map in (False, True):
            path = tmp_path / f"{plugin['name']}{is_map}.{ending}"
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                try:
                    api = importlib.import_module(plugin["api"])
                    api.file_writer(str(path), signal(is_map, "1/cm"))
                except Exception:  # noqa: BLE001 - needs another package, or other data
                    outcomes["not written"] += 1
                    continue
            if path.is_dir():
                continue
            found = tried(path)
            assert "species" not in found
            outcomes["spectra" if "spectra" in found else "refused"] += "arrays" not in found
            if "spectra" in found:
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")
                    peer = np.asarray(api.file_reader(str(path))[0]["data"]).reshape(-1, len(AXIS))
                assert np.array([one.intensity for one in found["spectra"]]) == pytest.approx(peer)
                assert all(one.shift_cm1.tolist() == AXIS.tolist() for one in found["spectra"])
            if is_map and "spectra" in found:
                assert found["spectra"][-1].position_um == (1.0, 0.5)
    print(dict(outcomes))  # noqa: T201
    assert outcomes["spectra"] >= 3
    assert outcomes["refused"] >= 4


@pytest.mark.parametrize("dialect", csv.list_dialects())
def test_tables_that_csv_writes(tmp_path, dialect):
    path = tmp_path / "a.csv"
    with path.open("w", newline="") as file:
        writer = csv.writer(file, dialect)
        writer.writerow(["Raman shift (cm-1)", "Intensity, as measured"])
        writer.writerows(zip(AXIS, BAND, strict=True))
    (one,) = tried(path)["spectra"]
    assert (one.shift_cm1.tolist(), one.intensity.tolist()) == (AXIS.tolist(), BAND.tolist())


@pytest.mark.parametrize("fmt", ["%.18e", "%g", "%10.3f", "%d"])
@pytest.mark.parametrize("delimiter", [" ", ",", "\t", "; "])
def test_tables_that_numpy_writes(tmp_path, fmt, delimiter):
    path = tmp_path / "a.txt"
    np.savetxt(path, np.stack([AXIS, BAND], axis=1), fmt, delimiter, header="Raman shift (cm-1) I")
    peer = np.loadtxt(path, delimiter=delimiter.strip() or None)
    (one,) = tried(path)["spectra"]
    assert (one.shift_cm1.tolist(), one.intensity.tolist()) == tuple(peer.T.tolist())


@pytest.mark.exhaustive
def test_files_of_instruments_and_programs(reference_data):
    """Every file that is there is read or refused with one line; other tests have the values."""
    folder = reference_data("README.md").parent / "files"
    counts = Counter()
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", TersWarning)
            found = tried(path, laser_nm=785.0)
        counts[f"{path.relative_to(folder).parts[0]}: {' and '.join(found) or 'refused'}"] += 1
    print(dict(sorted(counts.items())))  # noqa: T201
    assert sum(n for name, n in counts.items() if name.endswith("spectra")) >= 10
    assert sum(n for name, n in counts.items() if name.endswith("species")) >= 5
