"""What is proposed next is a function of axes, trials and seed, and finds a maximum."""

import math

import pytest

from ters_train.engine.search_space import Choices, Range, axis_of, grid
from ters_train.engine.sweep import Trial, propose
from tersgen.errors import ConfigError

AXES = (Range(name="optim.lr", low=1e-5, high=1.0), Choices(name="model.name", values=("a", "b")))


def tried(axes, n_trials, score, seed=0):
    """Return trials that were proposed one after the other."""
    trials: list[Trial] = []
    for _ in range(n_trials):
        settings = propose(axes, trials, seed)
        trials.append(Trial(settings=settings, score=score(settings)))
    return trials


def height(settings) -> float:
    return -((math.log10(settings["optim.lr"]) + 2) ** 2) - (settings["model.name"] == "a")


def test_what_a_setting_varies() -> None:
    assert axis_of("a", [1, 2]) == Choices(name="a", values=(1, 2))
    assert axis_of("a", "2..6") == Range(name="a", low=2, high=6)
    for plain in (3, "text", "../data.zarr", {"b": 1}):
        assert axis_of("a", plain) is None
    with pytest.raises(ConfigError, match=r"expected LOW..HIGH .*, got '1e-4\.\.\.1e-2'"):
        axis_of("a", "1e-4...1e-2")
    lr, depth, dropout = (axis_of("a", text) for text in ("1e-4..1e-2", "2..6", "0..0.5"))
    assert [(one.is_whole, one.is_log) for one in (lr, depth, dropout)] == [
        (False, True), (True, False), (False, False),
    ]  # fmt: skip
    assert lr.ends == (1e-4, pytest.approx(1e-3), 1e-2)
    assert depth.ends == (2, 4, 6)


def test_too_many_combinations() -> None:
    axis = Choices(name="a", values=tuple(range(32)))
    with pytest.raises(ConfigError, match="expected at most 1000 combinations, got 1024"):
        grid([axis, axis.model_copy(update={"name": "b"})])
    assert grid([axis, Range(name="b", low=0, high=1)]) is None


def test_proposals_find_the_maximum_and_can_be_repeated() -> None:
    pytest.importorskip("optuna", reason="proposes values; install tersgen[sweep]")
    trials = tried(AXES, 30, height)
    best = max(trials, key=lambda one: one.score)
    assert best.settings["model.name"] == "b"
    assert abs(math.log10(best.settings["optim.lr"]) + 2) < 0.3
    for k in (0, 17):
        assert propose(AXES, trials[:k], 0) == trials[k].settings
        assert propose(AXES, trials[:k], 1) != trials[k].settings


def test_failures_are_no_end_and_combinations_are() -> None:
    pytest.importorskip("optuna", reason="proposes values; install tersgen[sweep]")
    axes = (Range(name="depth", low=1, high=3),)
    trials = tried(axes, 2, lambda _: 1.0)
    trials.append(Trial(settings=propose(axes, trials, 0), error="diverged"))
    assert sorted(one.settings["depth"] for one in trials) == [1, 2, 3]
    with pytest.raises(ConfigError, match="expected more combinations than the 3 that were tried"):
        propose(axes, trials, 0)
