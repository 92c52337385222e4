"""Statistics of batch normalisation are those of the weights that are scored."""

import torch

from ters_train.config import ModelConfig, TransformConfig
from ters_train.data.transforms import Transforms
from ters_train.engine.optimiser import Average, Precision
from ters_train.engine.statistics import recompute, tracking_layers
from ters_train.models import build_model

CPU = torch.device("cpu")
SHAPES = {"spectra": (64,)}


def made(norm="batch"):
    torch.manual_seed(0)
    options = {"widths": [4, 8], "norm": norm, "dropout": 0.5}
    return build_model(
        ModelConfig(name="cnn", options=options, inputs=SHAPES, outputs={"logits": (3,)})
    )


def batches(n=3):
    generator = torch.Generator().manual_seed(1)
    return [
        {"spectra": torch.rand(32, 64, generator=generator), "row": torch.arange(32)}
        for _ in range(n)
    ]


def anew(model, rows):
    recompute(model, rows, Transforms(TransformConfig(), 0, SHAPES), Precision("off", CPU))


def test_weights_that_have_moved_are_scored_with_statistics_of_their_own():
    """As after a few large steps: moving averages are still those of other weights."""
    model, (rows,) = made().eval(), batches(1)
    branch = model.branches["spectra"]
    fed = 2 * rows["spectra"] - 1

    def spread():
        seen = branch.inputs(fed, torch.ones_like(fed))
        return branch.stages[:2](seen).std(dim=(0, 2), unbiased=False)

    with torch.no_grad():
        branch.stages[0].weight.mul_(10)
        assert spread().max() > 3
        anew(model, [rows])
        torch.testing.assert_close(spread(), torch.ones(4), atol=0.01, rtol=0)
    assert not model.training
    assert [layer.momentum for layer in tracking_layers(model)] == [0.1, 0.1]


def test_each_batch_counts_the_same():
    model, rows = made(), batches()
    anew(model, rows)
    (layer, *_) = tracking_layers(model)
    convolution, inputs = model.branches["spectra"].stages[0], model.branches["spectra"].inputs
    fed = [2 * one["spectra"] - 1 for one in rows]
    with torch.no_grad():
        means = [convolution(inputs(x, torch.ones_like(x))).mean(dim=(0, 2)) for x in fed]
    torch.testing.assert_close(layer.running_mean, torch.stack(means).mean(dim=0))


def test_an_average_takes_the_statistics_and_keeps_its_weights():
    model, other = made(), made()
    average = Average(model, 0.9)
    with torch.no_grad():
        other.branches["spectra"].stages[0].weight.zero_()
    anew(other, batches())
    average.take_buffers(other)
    (layer, *_) = tracking_layers(other)
    name = "branches.spectra.stages.1.running_var"
    assert torch.equal(average.weights[name], layer.running_var)
    assert average.weights["branches.spectra.stages.0.weight"].any()


def test_other_normalisations_have_none():
    assert tracking_layers(made("group")) == []
