"""``tersgen ingest`` as a user types it."""

import json

import numpy as np
import pytest

import tersgen


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("measured")
    axis = np.arange(200.0, 1201.0, 2.5)
    rows = ["file,label"]
    for number, name in enumerate(("quartz", "calcite", "quartz")):
        values = np.exp(-(((axis - 464 - 622 * (number == 1)) / 9) ** 2)) + 1e-4 * number * axis
        lines = [f"{x} {y:.6f}" for x, y in zip(axis, values, strict=True)]
        (folder / f"{name}_{number}.txt").write_text("\n".join(lines))
        rows.append(f"{name}_{number}.txt,{name}")
    (folder / "labels.csv").write_text("\n".join(rows))
    return folder


def test_measured_spectra_become_a_dataset(folder, quick_cli, tmp_path):
    def run(*options):
        return quick_cli.good("ingest", *options, "--out", tmp_path / "x.zarr", "--overwrite")

    text = run(folder, "--labels", folder / "labels.csv")
    assert "3 samples of 2 species" in text
    assert tersgen.open(tmp_path / "x.zarr").digest in text
    assert "3 measured samples of 2 classes" in quick_cli.good("info", tmp_path / "x.zarr")
    facts = json.loads(quick_cli.good("info", "--json", tmp_path / "x.zarr"))
    assert facts["kind"] == "measured"
    (tmp_path / "x.zarr").rename(tmp_path / "real.zarr")
    real = tmp_path / "real.zarr"
    run(folder, "--labels", folder / "labels.csv", "--like", real)
    assert (
        tersgen.open(tmp_path / "x.zarr").shift_cm1.tolist()
        == tersgen.open(real).shift_cm1.tolist()
    )
    run(folder / "quartz_0.txt", "--label", "quartz", "--grid", "300:900:64")
    assert tersgen.open(tmp_path / "x.zarr")["spectra"].shape == (1, 64)
    bad = quick_cli.bad
    out = ("--out", tmp_path / "y.zarr")
    assert "no such file" in bad("ingest", tmp_path / "none", *out)
    assert "one of --labels" in bad(
        "ingest", folder, "--label", "x", "--label-from", "folder", *out, code=2
    )
    assert "with a group" in bad("ingest", folder, "--label-from", "x", *out, code=2)
    assert "no regular expression" in bad("ingest", folder, "--label-from", "(", *out, code=2)
    assert "START:STOP:POINTS" in bad("ingest", folder, "--grid", "1:2", *out, code=2)
    assert "grid" in bad("ingest", folder / "quartz_0.txt", "--grid", "9:2:5", *out)
    assert not (tmp_path / "y.zarr").exists()
