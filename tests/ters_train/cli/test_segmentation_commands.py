"""Commands on scenes, from a dataset to the species at each pixel."""

import json

import numpy as np
import pytest

import tersgen
from tersgen.dataset.splits import make_split
from tersgen.jobs.plan import make_plan
from tersgen.jobs.run import run
from tersgen.schema.split import SplitRule

pytestmark = pytest.mark.exhaustive


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    recipe = tersgen.Recipe(
        seed=3,
        library=("builtin:ethylene", "builtin:formaldehyde"),
        map={"height": 16, "width": 16},
        nearfield={
            "width_angstrom": (2.5, 2.5),
            "frame_angstrom": (16.0, 16.0),
            "bands": ((800.0, 1900.0), (2500.0, 2950.0), (2950.0, 3500.0)),
        },
        scene={"reach_widths": 1.5, "vacancies": (0.0, 0.5), "superlattice": ((2, 0), (0, 2))},
        mixture={"fractions": (0.5, 0.5), "of": "molecules"},
        fields={"spectra": False, "sticks": False, "tensors": False},
    )
    path = tmp_path_factory.mktemp("scene") / "s.zarr"
    run(make_plan(tersgen.resolve(recipe), 256, chunk_rows=32, shard_rows=256), path)
    make_split(path, "default", SplitRule())
    return path


def test_a_unet_learns_the_species_at_each_pixel(runs, data, tmp_path):
    out = tmp_path / "run"
    runs.good(
        "fit", "--data", data, "--out", out, "--input", "map", "--model", "unet", "--task",
        "segmentation", "--set", "model.options.width=8", "--set", "model.options.depth=2",
        "--set", "transforms.flip_rows=true", "--epochs", 6, "--lr", 0.02, "--batch-size", 32,
    )  # fmt: skip
    log = [json.loads(line) for line in (out / "log.jsonl").read_text().splitlines()]
    iou = [entry["mean_iou"] for entry in log if entry["part"] == "val"]
    assert max(iou) > max(iou[0], 0.4)
    said = runs.good("evaluate", out, "--data", data, "--part", "test")
    assert "pixel accuracy" in said.stdout
    runs.good("predict", out, data, "--out", tmp_path / "found.jsonl")
    (first, *_) = map(json.loads, (tmp_path / "found.jsonl").read_text().splitlines())
    assert np.array(first["map"]).shape == (16, 16)
