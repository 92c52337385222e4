"""Which points of spectra were measured: recorded, and not guessed from values."""

import numpy as np
import pytest
import torch

import tersgen
from ters_train.data import measured as module
from ters_train.data.measured import INSTRUMENT, mask_fields, measured
from tersgen.dataset.columns import column_names
from tersgen.errors import TersWarning

CUT = """
[grid]
n_points = 128
[lineshape]
fwhm_cm1 = 40.0
[instrument]
missing = [0.2, 0.4]
electrons = [3e4, 3e4]
full_well = 1e5
overexposed = 0.5
"""


def rows_of(tmp_path, *lines):
    """Return rows of a recipe whose instrument cuts axes and overexposes half of them."""
    path = tmp_path / "recipe.toml"
    path.write_text("\n".join(lines) + CUT)
    return tersgen.open(path, 300)


def test_columns_are_those_of_the_effect():
    names = column_names(INSTRUMENT)
    assert names[module._MISSING_LOW] == "missing_low"
    assert names[module._MISSING_HIGH] == "missing_high"


def test_saturated_and_rounded_rows_are_measured_where_the_recipe_says(tmp_path):
    ds = rows_of(tmp_path, "[fields]", "maps = false", 'precision = "uint8"')
    fields = ("spectra", *mask_fields(ds))
    batch = {name: torch.from_numpy(np.asarray(ds[name][:])) for name in fields}
    mask = measured(batch).numpy()
    low, high = (ds[INSTRUMENT][:, column_names(INSTRUMENT).index(f"missing_{end}")]
                 for end in ("low", "high"))  # fmt: skip
    assert (mask.sum(axis=1) == 128 - low - high).all()
    assert (mask.argmax(axis=1) == low).all()
    spectra = ds["spectra"][:]
    first = spectra[np.arange(300), low.astype(int)]
    assert (spectra[low > 0, 0] == first[low > 0]).all()
    # plateaus that are no repeated edge are there, too
    plateau = (spectra == first[:, None]).cumprod(axis=1).sum(axis=1)
    assert (plateau > low + 8).any()


def test_flat_ends_of_a_recipe_without_noise_are_measured(tmp_path):
    gaussian = {"profile": "gaussian", "fwhm_cm1": 10.0}
    fields = {"maps": False, "precision": "float32"}
    recipe = tersgen.Recipe(
        library=("builtin:diamond",),
        lineshape=gaussian,
        fields=fields,
        noise={"spectrum": (0.0, 0.0)},
    )
    tersgen.save_recipe(recipe, tmp_path / "recipe.json")
    ds = tersgen.open(tmp_path / "recipe.json", 4)
    spectra = torch.from_numpy(ds["spectra"][:])
    assert (spectra[:, :50] == spectra[:, :1]).all()
    assert mask_fields(ds) == ()
    assert measured({"spectra": spectra}).all()


def test_rows_that_do_not_say_are_warned_of(tmp_path):
    ds = rows_of(tmp_path, "[fields]", "maps = false", "params = false")
    with pytest.warns(TersWarning, match="does not say which points .* fields.params = true"):
        assert mask_fields(ds) == ()
