"""Ensembles: several networks of spectra, trained side by side."""

import pytest
import torch

import tersgen
from ters_train import plan
from ters_train.config import ModelConfig
from ters_train.models import build_model
from ters_train.tasks.classification.losses import cross_entropy
from tersgen.errors import ConfigError

ROWS = {"spectra": torch.rand(6, 64, generator=torch.Generator().manual_seed(0))}


def config(**outputs):
    options = {"widths": [8, 16], "members": 3}
    return ModelConfig(name="cnn", options=options, inputs={"spectra": (64,)}, outputs=outputs)


@pytest.fixture
def model():
    torch.manual_seed(0)
    return build_model(config(logits=(5,)))


def test_probabilities_and_energies_are_means_of_those_of_the_networks(model):
    each = model.eval().logits_of_each(ROWS)
    assert (each[:, 0] - each[:, 1]).abs().max() > 0.01
    together = model(ROWS)["logits"]
    torch.testing.assert_close(together.softmax(1), each.softmax(2).mean(1))
    torch.testing.assert_close(together.logsumexp(1), each.logsumexp(2).mean(1))


def test_the_loss_is_the_mean_of_those_of_the_networks(model):
    logits, labels = model.train()(ROWS)["logits"], torch.tensor([0, 1, 2, 3, 4, -1])
    assert logits.shape == (6, 3, 5)
    each = [cross_entropy(one, labels) for one in logits.unbind(dim=1)]
    torch.testing.assert_close(cross_entropy(logits, labels), torch.stack(each).mean(dim=0))


def test_rows_of_all_output_layers_are_those_of_classes(model):
    names = [name for name, x in model.named_parameters() if x.shape[:1] == (5,)]
    assert sorted(model.class_rows) == sorted(names)
    assert len(names) == 6


def test_new_classifiers_are_ensembles_and_others_are_not(few):
    dataset = tersgen.open(few)
    assert plan(dataset).model.options["members"] == 4
    width = {"task": {"options": {"column": "params/width"}}}
    assert plan(dataset, task="regression", settings=width).model.options["members"] == 1
    wanted = {**width, "model": {"options": {"members": 2}}}
    with pytest.raises(ConfigError, match=r"members: expected 1 for a model of value"):
        plan(dataset, task="regression", settings=wanted)


def test_a_branch_of_another_model_is_one_network():
    cnn = {"widths": [8], "members": 2}
    both = ModelConfig(
        name="cnn+vit", options={"cnn": cnn, "vit": {"size": "pico"}},
        inputs={"spectra": (64,), "maps": (1, 16, 16)}, outputs={"logits": (5,)},
    )  # fmt: skip
    with pytest.raises(ConfigError, match=r"cnn\.members: expected 1 for a branch"):
        build_model(both)
