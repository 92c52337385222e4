"""A learning rate is found on real steps; nothing but a picture is written."""

import json

import numpy as np
import pytest

from ters_train.engine.find_lr import steepest

TINY = ["--set", "model.options.widths=[4,8]", "--batch-size", 32]


def test_the_rate_rises_and_the_loss_tells(runs, few, tmp_path) -> None:
    picture = tmp_path / "rates.png"
    words = ["find-lr", "--data", few, *TINY, "--from", 1e-6, "--to", 10, "--steps", 60]
    found = json.loads(runs.good(*words, "-o", picture, "--json").stdout)
    rates, losses, smoothed = (np.array(found[k]) for k in ("rates", "losses", "smoothed"))
    np.testing.assert_allclose(rates, np.geomspace(1e-6, 10, 60)[: len(rates)], rtol=1e-9)
    reach = len(losses) // 20
    assert smoothed[10] == pytest.approx(losses[10 - reach : 11 + reach].mean())
    assert 1e-4 < found["suggested"] < 1
    assert smoothed.min() < 0.9 * smoothed[0]  # it does train
    assert [one.name for one in tmp_path.iterdir()] == ["rates.png"]
    line = runs.good(*words).stdout
    assert line.endswith(f"try: --lr {found['suggested']:.2g}\n")  # the same each time
    assert "this run has 0.002" in line


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ([], "expected one of --data and --recipe"),
        (["--data", "{few}", "--from", 1], "expected learning rates 0 < LOW < HIGH, got 1 and 1"),
        (["--data", "{few}", "--steps", 3], "expected at least 10 steps, got 3"),
    ],
)
def test_what_cannot_be_tested(runs, few, arguments, text) -> None:
    assert text in runs.bad("find-lr", *(str(one).format(few=few) for one in arguments), code=2)


def test_a_picture_that_cannot_be_drawn_is_refused_before_training(runs, few) -> None:
    line = runs.bad("find-lr", "--data", few, "-o", "rates.txt")
    assert line == "Error: rates.txt: expected a name that ends in .png, .pdf or .svg"


def test_a_loss_that_only_rises_suggests_nothing() -> None:
    assert steepest([1e-3, 1e-2, 1e-1], [1.0, 1.5, 2.0]) is None
