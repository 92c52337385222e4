"""A dataset with spectra, maps whose channels are bands, cubes, and lengths in Angstrom."""

import pytest

import tersgen

AUTHORS = "Raman, C. V.; Curie, Marie"
ABOUT = {"authors": AUTHORS, "license": "CC-BY-4.0", "url": "https://example.org/raman"}
"""What formats ask for that only authors know."""

RECIPE = {
    "seed": 5,
    "library": ["builtin:benzene", "builtin:pyridine"],
    "grid": {"start_cm1": 400.0, "stop_cm1": 3400.0, "n_points": 96},
    "lineshape": {"fwhm_cm1": 100.0},
    "map": {"height": 6, "width": 5},
    "nearfield": {
        "channel_cm1": 500.0,
        "frame_angstrom": [10.0, 10.0],
        "bands": [[900.0, 1100.0], [2900.0, 3300.0]],
    },
    "fields": {"cube": True, "precision": "float16"},
}
N_ROWS = 40


@pytest.fixture(scope="session")
def path(tmp_path_factory):
    place = tmp_path_factory.mktemp("exports") / "data.zarr"
    tersgen.build(RECIPE, N_ROWS, place)
    tersgen.split(place, {"train": 0.5, "val": 0.25, "test": 0.25})
    return place


@pytest.fixture(scope="session")
def ds(path):
    return tersgen.open(path)


@pytest.fixture
def about():
    return ABOUT
