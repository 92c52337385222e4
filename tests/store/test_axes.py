"""Positions along the dimensions of maps and cubes, in both back ends and as people see them."""

import json

import h5py
import numpy as np
import pytest
import xarray
from click.testing import CliRunner

import tersgen
from tersgen.cli import main
from tersgen.dataset.verify import verify
from tersgen.errors import DatasetError
from tersgen.jobs.plan import make_plan
from tersgen.jobs.run import run

BANDS = ((500.0, 1000.0), (1000.0, 1900.0), (2500.0, 3600.0))
EXPECTED = {
    "row": ("Angstrom", [-4.0, -2.0, 0.0, 2.0, 4.0]),
    "column": ("Angstrom", [-4.5, -1.5, 1.5, 4.5]),
    "shift_channel": ("cm^-1", [600.0, 1600.0, 2600.0]),
    "band_low": ("cm^-1", [500.0, 1000.0, 2500.0]),
    "band_high": ("cm^-1", [1000.0, 1900.0, 3600.0]),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with ``d.zarr`` and ``d.h5``: three rows of maps and cubes."""
    recipe = tersgen.Recipe(
        library=("builtin:formaldehyde",),
        map={"height": 5, "width": 4},
        nearfield={"frame_angstrom": (10.0, 12.0), "bands": BANDS, "channel_cm1": 1000.0},
        fields={"cube": True, "spectra": False},
    )
    made = tmp_path_factory.mktemp("axes")
    for name, back_end in (("d.zarr", "zarr"), ("d.h5", "hdf5")):
        run(make_plan(tersgen.resolve(recipe), 3, back_end), made / name)
        assert verify(made / name).sound
    return made


def check(coordinates):
    """Compare (unit, values) by name with what is expected."""
    assert coordinates.keys() == EXPECTED.keys()
    for name, (unit, values) in coordinates.items():
        assert unit == EXPECTED[name][0]
        assert np.asarray(values).tolist() == EXPECTED[name][1], name


@pytest.mark.parametrize("name", ["d.zarr", "d.h5"])
def test_tersgen_shows_them(folder, name):
    with tersgen.open(folder / name) as dataset:
        assert dataset.axes.keys() == {"row", "column", "shift_channel"}
        known = {**dataset.axes, **dataset.coordinates}
        check({name: (one.unit, one.points()) for name, one in known.items()})
        data = dataset.to_xarray()
        check({name: (one.attrs["units"], one.values) for name, one in data.coords.items()})


def test_xarray_shows_them(folder):
    with xarray.open_zarr(folder / "d.zarr") as data:
        check({name: (one.attrs["units"], one.values) for name, one in data.coords.items()})
        assert set(data.maps.coords) == EXPECTED.keys() - {"shift_channel"}
        assert set(data.cube.coords) == {"row", "column", "shift_channel"}
        assert data.cube.sel(shift_channel=1600.0).shape == (3, 5, 4)
        assert data.maps.band_low.dims == ("channel",)


def test_they_are_dimension_scales_of_hdf5(folder):
    with h5py.File(folder / "d.h5") as file:
        found = {}
        for name in ("maps", "cube"):
            dims = file[name].dims
            assert [one.label for one in dims] == [
                "sample",
                *tersgen.open(folder / "d.h5")[name].spec.dims,
            ]
            for one in dims:
                for scale in one.values():
                    assert scale.is_scale
                    place = scale.name.split("/")[-1]  # each has a hard link in NXdata, too
                    found[place] = (scale.attrs["units"].decode(), scale[:])
        check(found)


def test_info_prints_them(folder):
    shown = CliRunner().invoke(main, ["info", str(folder / "d.zarr")], catch_exceptions=False)
    lines = [line.split() for line in shown.output.splitlines()]
    assert ["shift_channel", "3", "600", "to", "2600", "cm^-1"] in lines
    assert ["row", "5", "-4", "to", "4", "Angstrom"] in lines
    assert ["band_high", "3", "1000,", "1900,", "3600", "cm^-1"] in lines
    shown = CliRunner().invoke(main, ["info", "--json", str(folder / "d.h5")])
    content = json.loads(shown.output)
    assert [one["name"] for one in content["axes"]] == ["row", "column", "shift_channel"]
    assert content["coordinates"][0]["values"] == [500.0, 1000.0, 2500.0]


def test_coordinates_that_do_not_fit_are_refused(folder, resealed):
    path = folder / "d.zarr" / "manifest.json"
    before = path.read_bytes()
    content = json.loads(before)
    del content["coordinates"][0]["values"][1]
    path.write_text(json.dumps(resealed(content)))
    try:
        with pytest.raises(DatasetError, match="axis band_low does not fit its arrays"):
            tersgen.open(folder / "d.zarr")
    finally:
        path.write_bytes(before)
