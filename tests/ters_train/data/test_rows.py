"""Which rows are trained on."""

import json
import shutil

import pytest

import tersgen
from ters_train.data.rows import all_rows
from tersgen.errors import DamagedDataError


def test_rows_that_no_file_can_hold_are_refused_before_anything_is_allocated(
    stored, resealed, tmp_path
) -> None:
    copy = tmp_path / "forged.zarr"
    shutil.copytree(stored["zarr"], copy)
    content = json.loads((copy / "manifest.json").read_text())
    counts = [2**32 - sum(content["class_counts"][1:]), *content["class_counts"][1:]]
    forged = resealed(content, n_samples=2**32, class_counts=counts, splits=[])
    (copy / "manifest.json").write_text(json.dumps(forged))
    dataset = tersgen.open(copy)
    assert dataset.n_samples == 2**32
    with pytest.raises(DamagedDataError, match="missing; tersgen verify says more"):
        all_rows(dataset)
