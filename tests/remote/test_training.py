"""Training from a URL: the same run as from the disk."""

import json

import pytest

import tersgen
from tersgen.errors import ConfigError
from tersgen.jobs.push import push

from .servers import some


@pytest.mark.exhaustive
def test_a_run_from_a_url_is_that_from_the_disk(store, stored, tmp_path, capsys):
    pytest.importorskip("torch")
    from ters_train.cli import main

    url = "s3://bucket/trained.zarr"
    push(stored["zarr"], url)
    store.rule = some("503", 7)
    losses = []
    for number, data in enumerate((str(stored["zarr"]), url)):
        out = tmp_path / str(number)
        words = ["fit", "--data", data, "--out", str(out), "--model", "cnn", "--epochs", "1"]
        with pytest.raises(SystemExit) as caught:
            main([*words, "--batch-size", "64", "--device", "cpu", "--quiet"])
        assert caught.value.code == 0, capsys.readouterr().err
        lines = [json.loads(line) for line in (out / "log.jsonl").read_text().splitlines()]
        losses.append([line["loss"] for line in lines if "loss" in line])
        assert losses[-1]
        config = json.loads((out / "config.json").read_text())
        assert config["data"]["path"] == data
    assert losses[0] == losses[1]


def test_a_split_that_is_missing_is_made_where_the_dataset_was(store, stored):
    pytest.importorskip("torch")
    from ters_train.config import DataConfig
    from ters_train.data.rows import rows_of_part

    url = "s3://bucket/trained.zarr"
    push(stored["zarr"], url)
    data = DataConfig(path=url, split="folds")
    with pytest.raises(ConfigError, match=r"make it where the dataset was made.*tersgen push"):
        rows_of_part(tersgen.open(url), data, "train")
