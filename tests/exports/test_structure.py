"""The structure of what is exported, and its values, with core packages alone."""

import hashlib
import json
import re

import h5py
import numpy as np
import pytest
import xarray
import zarr

import tersgen
from tersgen.errors import ConfigError
from tersgen.measured.reading import read_spectra

UNITS = {
    "raman_shift": "cm^-1",
    "row": "Angstrom",
    "column": "Angstrom",
    "shift_channel": "cm^-1",
    "band_low": "cm^-1",
    "band_high": "cm^-1",
}


def text(item):
    value = item[()] if isinstance(item, h5py.Dataset) else item
    return value.decode() if isinstance(value, bytes) else value


def test_datasets_themselves_have_coordinates_with_units(path, ds, tmp_path):
    """The three lines of others, of a dataset as it is stored."""
    tree = xarray.open_datatree(path, engine="zarr")
    fields = {
        "spectra": {"raman_shift"},
        "maps": {"row", "column", "band_low", "band_high"},
        "cube": {"row", "column", "shift_channel"},
    }
    for name, wanted in fields.items():
        array = tree[name]
        assert set(array.coords) == wanted
        for one in wanted:
            assert array.coords[one].attrs["units"] == UNITS[one]
            known = {**ds.axes, **ds.coordinates}[one]
            np.testing.assert_array_equal(array.coords[one], known.points())
    tersgen.convert(path, tmp_path / "d.h5")
    with h5py.File(tmp_path / "d.h5") as file:
        for name, wanted in fields.items():
            scales = [scale for dim in file[name].dims for scale in dim.values()]
            assert {scale.name.rpartition("/")[2] for scale in scales} == wanted
            for scale in scales:
                named = scale.name.rpartition("/")[2]
                assert text(scale.attrs["units"]) == UNITS[named]
                known = {**ds.axes, **ds.coordinates}[named]
                np.testing.assert_array_equal(scale[:], known.points())


def test_hdf5_is_self_contained_float32_with_scales(ds, path, tmp_path):
    out = tersgen.export(path, tmp_path / "a.h5", "hdf5")
    with h5py.File(out) as file:
        for name, field in ds.fields.items():
            item = file[name]
            assert item.dtype == (np.float32 if field.dtype.kind == "f" else field.dtype)
            assert np.array_equal(item[:], field[:]), name
            assert item.attrs["units"] == field.spec.unit
            assert [len(dim) for dim in item.dims] == [1] * item.ndim
            for dim, size in zip(item.dims, item.shape, strict=True):
                (scale,) = dim.values()
                assert scale.shape == (size,)
                named = scale.name.strip("/")
                assert scale.attrs["units"] == UNITS.get(named, "1")
        assert np.array_equal(file["raman_shift"][:], ds.shift_cm1)
        assert np.array_equal(file["band_low"][:], [900.0, 2900.0])
        assert file["classes"].asstr()[:].tolist() == list(ds.classes)
        assert json.loads(text(file["recipe"])) == ds.document.content


def check_nexus(file):
    """Follow default and signal as readers do; each axis has its length, and a unit."""
    entry = file[file.attrs["default"]]
    assert entry.attrs["NX_class"] == "NXentry"
    assert text(entry["definition"]) == "NXraman"
    for name in ("title", "experiment_type", "raman_experiment_type"):
        assert text(entry[name])
    instrument = entry["instrument"]
    assert text(instrument["scattering_configuration"])
    beam = instrument["beam_incident"]
    assert text(beam["parameter_reliability"]) in ("measured", "nominal")
    assert beam["wavelength"].attrs["units"] == "nm"
    assert text(instrument["detector_spectrometer/detector_channel_type"]) == "multichannel"
    assert text(entry["sample/name"])
    signals = [one for one in entry.values() if one.attrs.get("NX_class") == "NXdata"]
    assert entry[entry.attrs["default"]] in signals
    for data in signals:
        signal, axes = data[data.attrs["signal"]], data.attrs["axes"]
        assert len(axes) == signal.ndim
        for at, (axis, size) in enumerate(zip(axes, signal.shape, strict=True)):
            if axis != ".":
                assert data[axis].shape == (size,)
                assert data.attrs[f"{axis}_indices"] == at
            if axis in UNITS:
                assert data[axis].attrs["units"] == UNITS[axis]
    return {data.attrs["signal"] for data in signals}


def test_nexus_has_the_structure_of_nxraman_and_our_reader_reads_it(ds, path, tmp_path):
    out = tersgen.export(path, tmp_path / "a.nxs", "nexus", rows=slice(10, 30))
    with h5py.File(out) as file:
        assert check_nexus(file) == {"spectra", "maps", "cube"}
        for name in ("spectra", "maps", "cube"):
            assert np.array_equal(file[f"entry/{name}/{name}"][:], ds[name][10:30])
        assert file["entry/instrument/beam_incident/wavelength"][()] == 632.8
        assert file["entry/tersgen/row"][:].tolist() == list(range(10, 30))
    read = read_spectra(out)
    assert len(read) == 20
    np.testing.assert_allclose(read[3].shift_cm1, ds.shift_cm1)
    np.testing.assert_array_equal(read[3].intensity, ds["spectra"][13])


def test_nexus_has_the_laser_of_each_row(tmp_path):
    """Not that of the geometry, to which strengths refer."""
    optics = {"lasers_nm": [532.0, 785.0]}
    fields = {"maps": False, "params": True}
    recipe = {"library": ["builtin:benzene"], "instrument": {"optics": optics}, "fields": fields}
    ds = tersgen.build(recipe, 8, tmp_path / "d.zarr")
    out = tersgen.export(ds, tmp_path / "a.nxs", "nexus", rows=slice(2, None))
    with h5py.File(out) as file:
        lasers = file["entry/instrument/beam_incident/wavelength"][:]
    assert set(lasers) == {532.0, 785.0}
    np.testing.assert_array_equal(lasers, ds["params/optics"][2:, 0])
    fields["params"] = False
    tersgen.build(recipe, 2, tmp_path / "e.zarr")
    with pytest.raises(ConfigError, match="params/optics"):
        tersgen.export(tmp_path / "e.zarr", tmp_path / "e.nxs", "nexus")


def test_nexus_of_measured_rows_asks_for_what_it_cannot_know(tmp_path):
    shift = np.linspace(400, 3400, 64)
    lines = [f"{x} {y}" for x, y in zip(shift, np.hypot(shift - 1000, 20), strict=True)]
    (tmp_path / "a.txt").write_text("Raman shift (cm-1) intensity\n" + "\n".join(lines))
    tersgen.ingest([tmp_path / "a.txt"], tmp_path / "m.zarr", label="benzene")
    given = {}
    for name, value in (("laser_nm", 532.0), ("experiment", "Raman imaging")):
        with pytest.raises(ConfigError, match=f"^{name}: expected"):
            tersgen.export(tmp_path / "m.zarr", tmp_path / "m.nxs", "nexus", **given)
        given[name] = value
    out = tersgen.export(tmp_path / "m.zarr", tmp_path / "m.nxs", "nexus", **given)
    with h5py.File(out) as file:
        check_nexus(file)


def test_hspy_files_have_navigation_and_signal_axes(ds, path, tmp_path):
    out = tersgen.export(path, tmp_path / "c.hspy", "hyperspy", fields="cube", rows=slice(0, 40, 4))
    with h5py.File(out) as file:
        assert file.attrs["file_format"] == "HyperSpy"
        group = file["Experiments/cube"]
        assert np.array_equal(group["data"][:], ds["cube"][::4])
        axes = [group[f"axis-{k}"].attrs for k in range(4)]
        assert [axis["name"] for axis in axes] == ["sample", "row", "column", "shift_channel"]
        assert [bool(axis["navigate"]) for axis in axes] == [True, True, True, False]
        assert (axes[0]["offset"], axes[0]["scale"]) == (0.0, 4.0)
        for axis in axes[1:]:
            points = axis["offset"] + axis["scale"] * np.arange(axis["size"])
            np.testing.assert_allclose(points, ds.axes[axis["name"]].points(), atol=1e-9)
            assert axis["units"] == UNITS[axis["name"]]


@pytest.mark.parametrize("name", ["maps", "cube"])
def test_ome_zarr_images_have_lengths_and_channels(ds, path, tmp_path, name):
    out = tersgen.export(path, tmp_path / "i.zarr", "ome-zarr", fields=name, rows=[7, 3])
    root = zarr.open_group(out, mode="r")
    assert root.attrs["ome"] == {"version": "0.5", "bioformats2raw.layout": 3}
    assert root["OME"].attrs["ome"]["series"] == ["0", "1"]
    for image, row in (("0", 7), ("1", 3)):
        ome = root[image].attrs["ome"]
        (scales,) = ome["multiscales"]
        assert scales["name"] == f"row {row}: {ds[row]['species']}"
        assert [axis["name"] for axis in scales["axes"]] == ["c", "y", "x"]
        assert [axis.get("unit") for axis in scales["axes"]][1:] == ["angstrom", "angstrom"]
        (level,) = scales["datasets"]
        scale, shift = (one[one["type"]] for one in level["coordinateTransformations"])
        values = root[image]["0"][:]
        stored = ds[name][row]
        assert np.array_equal(values, stored if name == "maps" else stored.transpose(2, 0, 1))
        for at, axis in ((1, "row"), (2, "column"), *([(0, "shift_channel")] * (name == "cube"))):
            points = shift[at] + scale[at] * np.arange(values.shape[at])
            np.testing.assert_allclose(points, ds.axes[axis].points(), atol=1e-9)
        labels = [one["label"] for one in ome["omero"]["channels"]]
        if name == "maps":
            assert labels == ["900 to 1100 cm^-1", "2900 to 3300 cm^-1"]
        else:
            assert scales["axes"][0]["unit"] == "cm^-1"
            assert labels[0] == f"{ds.axes['shift_channel'].start:g} cm^-1"


@pytest.mark.parametrize("ending", [".zarr", ".h5"])
def test_a_bag_holds_the_dataset_whole(path, ds, tmp_path, ending):
    source = path
    if ending == ".h5":
        source = tmp_path / "data.h5"
        tersgen.convert(path, source)
    bag = tersgen.export(source, tmp_path / "bag", "bagit")
    found = tersgen.verify(bag / "data" / source.name)
    assert found.sound
    assert found.digest == ds.digest
    listed = {}
    for line in (bag / "manifest-sha512.txt").read_text().splitlines():
        digest, _, name = line.partition("  ")
        listed[name] = digest
    files = {one.relative_to(bag).as_posix() for one in bag.glob("data/**/*") if one.is_file()}
    assert files == set(listed)
    for name, digest in listed.items():
        assert hashlib.sha512((bag / name).read_bytes()).hexdigest() == digest
    assert (
        f"Payload-Oxum: {sum((bag / one).stat().st_size for one in files)}.{len(files)}"
        in (bag / "bag-info.txt").read_text()
    )


def test_datacite_and_citation_say_what_is_known(path, ds, tmp_path, about):
    out = tersgen.export(path, tmp_path / "d.json", "datacite", publisher="Zenodo", **about)
    content = json.loads(out.read_text())
    assert [one["name"] for one in content["creators"]] == ["Raman, C. V.", "Curie, Marie"]
    assert content["titles"] == [
        {"title": "Synthetic tip-enhanced Raman data of benzene, pyridine"}
    ]
    assert content["publicationYear"] == ds.manifest.created[:4]
    assert ds.digest in content["descriptions"][0]["description"]
    cff = tersgen.export(path, tmp_path / "c.cff", "citation", **about).read_text()
    assert re.search(r"^type: dataset$", cff, re.MULTILINE)
    assert "family-names: Curie" in cff
