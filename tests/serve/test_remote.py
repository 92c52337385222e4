"""Datasets of a server opened by their URL, and the page that shows how."""

import re
import warnings
from pathlib import Path

import numpy as np
import pytest

import tersgen

from .conftest import TOKEN

pytest.importorskip("obstore")

PAGE = Path(__file__).parents[2] / "docs/serving.md"


@pytest.mark.parametrize("name", ["small.zarr", "small.h5"])
def test_rows_over_http(service, name):
    here = tersgen.open(service.root / name)
    there = service.connect().open(name)
    assert there.digest == here.digest
    for field in here.fields:
        np.testing.assert_array_equal(there[field][:], here[field][:])
    assert there[7]["species"] == here[7]["species"]


@pytest.mark.exhaustive
def test_the_page(service, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"^```python\n(.*?)^```", PAGE.read_text(), re.DOTALL | re.MULTILINE)
    assert len(blocks) == 2
    names = {"tersgen": tersgen}
    for block in blocks:
        text = block.replace("http://127.0.0.1:8787", service.url)
        text = text.replace('"..."', f'"{TOKEN}"').replace("Bearer ...", f"Bearer {TOKEN}")
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "The ObjectStore")  # zarr calls it experimental
            exec(text.replace("100_000", "100"), names)
    assert "done 100" in capsys.readouterr().out
    assert tersgen.open(tmp_path / "copy.zarr").digest == names["ds"].digest
