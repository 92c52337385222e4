"""What ``import ters_train`` offers: documented names, a quick import, a whole training."""

import json
import subprocess
import sys

import pytest

import ters_train
import tersgen

QUICK = """
import json, sys
from importlib import import_module
import_module(sys.argv[1])
print(json.dumps([name for name in ("torch", "numpy", "pydantic", "yaml") if name in sys.modules]))
"""


@pytest.mark.parametrize("module", ["ters_train", "ters_train.cli"])
def test_help_imports_nothing_large(module) -> None:
    command = [sys.executable, "-c", QUICK, module]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == []


def test_every_public_name_is_there_and_documented() -> None:
    assert sorted(ters_train.__all__) == ters_train.__all__
    assert {*ters_train.__all__} == {*ters_train._HOMES}
    for name in ters_train.__all__:
        part = getattr(ters_train, name)
        assert part.__doc__ or name == "Batch", name
    with pytest.raises(AttributeError, match="'nobody'"):
        _ = ters_train.nobody


def test_a_training_from_python(few, tmp_path) -> None:
    dataset = tersgen.open(few)
    settings = {"optim": {"epochs": 1}, "model": {"options": {"widths": [4]}}}
    config = ters_train.plan(dataset, "cnn", settings=settings)
    done = ters_train.fit(config, tmp_path / "run")
    assert done.finished
    trained = ters_train.load(tmp_path / "run")
    assert trained.state.classes == dataset.classes
    batch = next(iter(ters_train.Stream(
        dataset, ["spectra"], ters_train.Order(ters_train.all_rows(dataset), 32)
    )))  # fmt: skip
    (said, *_) = trained.task.predicted(trained.model(trained.transforms.prepared(batch)),
                                        trained.state.classes, 1)  # fmt: skip
    assert said.content["species"][0]["name"] in dataset.classes
