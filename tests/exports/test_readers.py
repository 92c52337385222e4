"""Each export opened by the program that it is for; the packages are the extra ``exports``."""

import importlib.util
import json
import logging
from collections import Counter

import h5py
import numpy as np
import pytest

import tersgen

pytestmark = [
    pytest.mark.exhaustive,
    # packages of others, and what they import
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
    pytest.mark.filterwarnings("ignore::PendingDeprecationWarning"),
    pytest.mark.filterwarnings("ignore::SyntaxWarning"),
]


def reader(name):
    """Import a module; skip only if its package is not installed, not if it lacks the module."""
    package = name.partition(".")[0]
    if importlib.util.find_spec(package) is None:
        pytest.skip(f"{package} is not installed (the extra exports)")
    return importlib.import_module(name)


def values_of(ds, names, row):
    return {name: ds[name][row] for name in names}


def nested(value):
    """Return arrays of arrays as lists of lists."""
    return [nested(one) for one in value] if np.ndim(value) else value


def test_pyarrow_reads_the_index(path, ds, tmp_path):
    from blake3 import blake3
    from pyarrow import parquet

    out = tersgen.export(path, tmp_path / "i.parquet", "parquet", preview=8, rows=slice(5, None))
    table = parquet.read_table(out)
    assert table["row"].to_pylist() == list(range(5, 40))
    assert table["species"].to_pylist() == [ds.classes[label] for label in ds["label"][5:]]
    for name in ("label", "params/width", "params/apex"):
        read = np.array(table[name].to_pylist())
        assert np.array_equal(read, ds[name][5:])
        assert table.schema.field(name).metadata[b"unit"].decode() == ds[name].spec.unit
    parts = np.array(ds.splits["default"].rule.names)[ds.parts()]
    assert table["split/default"].to_pylist() == parts[5:].tolist()
    digest = blake3()
    for name in sorted(spec.name for spec in ds.contents.fields):
        digest.update(name.encode() + b"\0" + ds[name][12].tobytes())
    assert table["digest"][7].as_py() == digest.hexdigest()
    assert len(set(table["digest"].to_pylist())) == 35
    spectrum = ds["spectra"][12].astype(np.float32)
    assert table["preview"][7].as_py() == [part.max() for part in np.split(spectrum, 8)]
    axes = {one["name"]: one for one in json.loads(table.schema.metadata[b"coordinates"])}
    assert axes["preview"]["unit"] == "cm^-1"
    assert axes["preview"]["values"][0] == pytest.approx(ds.shift_cm1[:12].mean())
    np.testing.assert_allclose(axes["row"]["values"], ds.axes["row"].points())


def test_hugging_face_loads_the_folder(path, ds, tmp_path, monkeypatch):
    monkeypatch.setenv("HF_DATASETS_OFFLINE", "1")
    datasets = reader("datasets")
    out = tersgen.export(path, tmp_path / "hub", "huggingface", license="CC-BY-4.0", shard_mb=0.03)
    assert len([*out.glob("data/*.parquet")]) > 3
    loaded = datasets.load_dataset(str(out), cache_dir=str(tmp_path / "cache"))
    assert {name: len(part) for name, part in loaded.items()} == Counter(
        np.array(ds.splits["default"].rule.names)[ds.parts()].tolist()
    )
    train = loaded["train"]
    assert train.features["label"].names == list(ds.classes)
    for place in (0, len(train) - 1):
        read = train.with_format("numpy")[place]
        row = int(read["row"])
        assert row == ds.rows_in("train")[place]
        assert read["species"] == ds[row]["species"]
        for name, value in values_of(ds, ds.fields, row).items():
            assert np.array_equal(read[name], value), name
            assert np.shape(read[name]) == value.shape
    axes = datasets.load_dataset(str(out), "axes", cache_dir=str(tmp_path / "cache"))["train"]
    read = {one["name"]: one for one in axes}
    for one in ds.contents.positions:
        assert read[one.name]["unit"] == one.unit
        assert read[one.name]["values"] == one.points().tolist()
    card = datasets.load_dataset_builder(str(out), cache_dir=str(tmp_path / "cache")).info
    assert card.features == train.features
    assert "license: cc-by-4.0" in (out / "README.md").read_text()


@pytest.mark.parametrize("shard_mb", [500.0, 0.003])
def test_croissant_loads_without_a_warning_and_has_the_records(
    path, ds, tmp_path, about, caplog, shard_mb
):
    mlcroissant = reader("mlcroissant")
    fields = ["spectra", "maps", "label", "params/width"]
    out = tersgen.export(
        path, tmp_path / "c", "croissant", fields=fields, shard_mb=shard_mb, **about
    )
    assert (len([*out.glob("*.parquet")]) > 3) == (shard_mb < 1)
    with caplog.at_level(logging.WARNING):
        loaded = mlcroissant.Dataset(jsonld=out / "croissant.json")
    assert not loaded.metadata.ctx.issues.errors
    assert not loaded.metadata.ctx.issues.warnings
    assert not caplog.records
    sets = {one.name for one in loaded.metadata.record_sets}
    assert sets == {"train", "val", "test", "axes"}  # and it passes a bare name, which has none
    for part in ("train", "test"):
        records = list(loaded.records(part))
        rows = ds.rows_in(part)
        assert [one[f"{part}/row"] for one in records] == rows.tolist()
        for name, value in values_of(ds, fields, rows[-1]).items():
            assert np.array_equal(nested(records[-1][f"{part}/{name}"]), value), name
    (shift,) = (
        one for one in loaded.records("axes") if one["axes/name"] in ("raman_shift", b"raman_shift")
    )
    assert shift["axes/unit"] in ("cm^-1", b"cm^-1")
    np.testing.assert_allclose(np.asarray(shift["axes/values"], float), ds.shift_cm1)


def test_nexus_is_what_the_definition_of_nxraman_asks_for(path, tmp_path):
    validation = reader("pynxtools.dataconverter.validation")
    out = tersgen.export(path, tmp_path / "a.nxs", "nexus")
    with h5py.File(out, "a") as file:
        assert validation.validate_hdf_group_against("NXraman", file["entry"], str(out))
        del file["entry/sample/name"]  # the check itself
        assert not validation.validate_hdf_group_against("NXraman", file["entry"], str(out))


def test_xarray_reads_the_hdf5_file_as_netcdf(path, ds, tmp_path):
    reader("h5netcdf")
    import xarray

    out = tersgen.export(path, tmp_path / "a.h5", "hdf5")
    with xarray.open_datatree(out, engine="h5netcdf") as tree:
        for name in ("spectra", "maps", "cube", "params/width"):
            assert np.array_equal(tree[name].values, ds[name][:])
        assert tree["cube"].coords["shift_channel"].attrs["units"] == "cm^-1"
        assert tree["maps"].coords["band_low"].values.tolist() == [900.0, 2900.0]
        assert tree["spectra"].sel(raman_shift=992, method="nearest").shape == (40,)


def test_ome_zarr_validates(path, tmp_path):
    yaozarrs = reader("yaozarrs")
    import zarr

    for name in ("maps", "cube"):
        out = tersgen.export(path, tmp_path / f"{name}.zarr", "ome-zarr", fields=name, rows=[1, 2])
        for place in (out, out / "0", out / "1"):
            yaozarrs.validate_zarr_store(str(place))
    group = zarr.open_group(out / "1")
    ome = group.attrs["ome"]
    del ome["multiscales"][0]["axes"][0]
    group.attrs["ome"] = ome
    with pytest.raises(ValueError, match="axes"):
        yaozarrs.validate_zarr_store(str(out / "1"))


def test_hyperspy_loads_the_file_and_takes_the_object(path, ds, tmp_path):
    reader("hyperspy")
    import hyperspy.api as hs

    for name, kind in (("spectra", "Signal1D"), ("cube", "Signal1D"), ("maps", "Signal2D")):
        out = tersgen.export(path, tmp_path / f"{name}.hspy", "hyperspy", fields=name)
        for signal in (hs.load(out), hs.load(out, lazy=True), tersgen.to_hyperspy(ds, name)):
            assert type(signal).__name__.endswith(kind)
            assert np.array_equal(np.asarray(signal.data), ds[name][:])
            for axis in signal.axes_manager._axes[1:]:
                if axis.name in ds.axes:
                    np.testing.assert_allclose(axis.axis, ds.axes[axis.name].points(), atol=1e-9)
                    assert axis.units == ds.axes[axis.name].unit
    signal = hs.load(tmp_path / "cube.hspy")
    assert np.array_equal(signal.inav[3, 4, 2].data, ds["cube"][2, 4, 3])
    rows = [3, 9, 2]  # not rising
    assert len(tersgen.to_hyperspy(ds.select(rows=rows)).data) == 3


def test_lumispy_takes_the_signal(path, tmp_path):
    reader("lumispy")
    import hyperspy.api as hs

    out = tersgen.export(path, tmp_path / "a.hspy", "hyperspy", signal_type="Luminescence")
    assert type(hs.load(out)).__name__ == "LumiSpectrum"


def test_ramanspy_preprocesses_the_objects(ds):
    ramanspy = reader("ramanspy")
    spectra = tersgen.to_ramanspy(ds.select(rows=slice(5)))
    assert np.array_equal(spectra.spectral_axis, ds.shift_cm1)
    assert np.array_equal(spectra.spectral_data, ds["spectra"][:5])
    cut = ramanspy.preprocessing.misc.Cropper(region=(900, 1100)).apply(spectra)
    inside = (ds.shift_cm1 >= 900) & (ds.shift_cm1 <= 1100)
    assert np.array_equal(cut.spectral_data, ds["spectra"][:5][:, inside])
    image = tersgen.to_ramanspy(ds, "cube")[3]
    assert np.array_equal(image.spectral_data, ds["cube"][3])
    assert np.array_equal(image.spectral_axis, ds.axes["shift_channel"].points())


def test_bagit_validates_the_bag(path, tmp_path):
    bagit = reader("bagit")
    out = tersgen.export(path, tmp_path / "bag", "bagit")
    bag = bagit.Bag(str(out))
    assert bag.validate()
    (file,) = (out / "data" / path.name).glob("recipe.json")
    file.write_text(file.read_text() + " ")
    with pytest.raises(bagit.BagValidationError):
        bag.validate()


def test_datacite_fits_its_schema(path, tmp_path, about):
    schema = reader("datacite.schema45")
    out = tersgen.export(path, tmp_path / "d.json", "datacite", publisher="Zenodo", **about)
    content = json.loads(out.read_text())
    schema.validator.validate(content)
    del content["creators"]
    assert not schema.validator.is_valid(content)


@pytest.mark.parametrize("license", ["cc-by-4.0", "CDLA-Permissive-2.0"])
def test_cffconvert_validates_the_citation(path, tmp_path, about, license):
    cffconvert = reader("cffconvert")
    people = [{"family": "Raman", "given": "C. V.", "orcid": "0000-0002-1825-0097"}]
    settings = {**about, "authors": people, "doi": "10.5281/zenodo.1234", "license": license}
    out = tersgen.export(path, tmp_path / "CITATION.cff", "citation", **settings)
    known = "license: CC-BY-4.0" if license == "cc-by-4.0" else "license-url: https://spdx.org/"
    assert known in out.read_text()  # the second is newer than the list of CFF 1.2.0
    citation = cffconvert.Citation(out.read_text())
    citation.validate()
    assert "doi = {10.5281/zenodo.1234}" in citation.as_bibtex()
    with pytest.raises(Exception, match="authors"):
        cffconvert.Citation(out.read_text().replace("authors:", "writers:")).validate()


def test_lasers_that_are_drawn_are_an_array(tmp_path):
    validation = reader("pynxtools.dataconverter.validation")
    recipe = {"library": ["builtin:benzene"], "plasmon": {"laser_nm": [500.0, 700.0]}}
    ds = tersgen.build(recipe, 6, tmp_path / "d.zarr")
    out = tersgen.export(ds, tmp_path / "a.nxs", "nexus", rows=slice(2, None))
    with h5py.File(out) as file:
        lasers = file["entry/instrument/beam_incident/wavelength"][:]
        assert np.array_equal(lasers, ds["params/plasmon"][2:, 2])
        assert ((lasers >= 500) & (lasers <= 700)).all()
        assert validation.validate_hdf_group_against("NXraman", file["entry"], str(out))
