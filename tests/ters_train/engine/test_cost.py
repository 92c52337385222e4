"""What a training costs: operations by hand, threads by measurement, the forecast of a run."""

import json

import pytest
import torch

from ters_train import plan
from ters_train.config import ModelConfig
from ters_train.engine import cost
from ters_train.engine.fit import Quiet, fit
from ters_train.engine.ranks import Ranks
from tersgen import open as open_dataset

CPU = Ranks(0, 1, torch.device("cpu"))
TINY = {"model": {"options": {"widths": [4, 8]}}, "optim": {"epochs": 1}}


def model(name, inputs, outputs, **options):
    return ModelConfig(name=name, options=options, inputs=inputs, outputs=outputs)


def test_operations_of_a_cnn_by_hand():
    """Two a product and sum; backward once for the weights, and once for inputs that learn."""
    options = {"widths": [4, 8], "kernel": 3, "stride": 2, "position": False}
    config = model("cnn", {"spectra": (16,)}, {"logits": (5,)}, **options)
    first, second, head = 8 * 4 * 1 * 3, 4 * 8 * 4 * 3, 8 * 5
    assert cost.flops_per_row(config) == 2 * (2 * first + 3 * second + 3 * head)


def test_operations_do_not_depend_on_memory():
    """A model of 30 GB is counted at once: its tensors have no memory."""
    huge = {"size": "custom", "width": 8192, "depth": 10, "heads": 8, "patch": 8}
    config = model("vit", {"maps": (1, 64, 64)}, {"logits": (5,)}, **huge)
    assert cost.flops_per_row(config) > 10 * 65 * 12 * 8192**2 * 6


@pytest.mark.parametrize(
    ("times", "chosen"),
    [
        ({1: 1.0, 2: 0.6, 4: 0.4, 6: 0.3}, 6),
        ({1: 1.0, 2: 0.97, 4: 0.99, 6: 1.2}, 1),
        ({1: 1.0, 2: 3.0, 4: 0.5, 6: 0.49}, 4),
    ],
)
def test_more_threads_are_taken_if_they_gain(times, chosen):
    asked = []

    def seconds(n_threads):
        asked.append(n_threads)
        return times[n_threads]

    assert cost.fastest(6, seconds) == chosen
    assert asked == [1, 2, 4, 6]


def test_threads_are_measured_where_nobody_has_chosen(few, monkeypatch):
    config = plan(open_dataset(few), settings=TINY)
    monkeypatch.setattr(cost, "available_cpus", lambda: 2)
    monkeypatch.setenv("OMP_NUM_THREADS", "2")
    with cost.threads(2):
        state = torch.get_rng_state()
        assert cost.choose_threads(config, CPU) is None
        monkeypatch.delenv("OMP_NUM_THREADS")
        assert cost.choose_threads(config, CPU) in (1, 2)
        assert cost.choose_threads(config, CPU._replace(world_size=2)) is None
        engine = config.engine.model_copy(update={"deterministic": True})
        assert cost.choose_threads(config.model_copy(update={"engine": engine}), CPU) is None
        assert torch.equal(torch.get_rng_state(), state)
        assert torch.get_num_threads() == 2


class Watch(Quiet):
    """Notes with how many threads torch computes."""

    def __init__(self):
        self.threads = set()

    def epoch(self, *_):
        self.threads.add(torch.get_num_threads())


def test_threads_of_a_run_are_recorded_and_end_with_it(few, tmp_path):
    before, watch = torch.get_num_threads(), Watch()
    n_threads = before + 1
    settings = {**TINY, "engine": {"threads": n_threads}}
    fit(plan(open_dataset(few), settings=settings), tmp_path / "run", CPU, watch)
    assert watch.threads == {n_threads}
    assert torch.get_num_threads() == before
    stored = json.loads((tmp_path / "run" / "config.json").read_text())
    assert stored["engine"]["threads"] == n_threads


def test_a_run_forecasts_its_end(runs, few, tmp_path):
    options = ["--set", "model.options.widths=[4,8]", "--batch-size", 16, "--epochs", 1]
    said = runs.good("fit", "--data", few, "--out", tmp_path / "run", *options).stderr
    (line,) = [line for line in said.splitlines() if line.startswith("forecast: ")]
    assert "rows/s, " in line
    assert " MFLOP a row, threads: 1" in line
