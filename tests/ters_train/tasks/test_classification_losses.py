"""Eqs. (6.1)-(6.3) against loops in float64."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import log_softmax

from ters_train.config import LossConfig
from ters_train.tasks.classification.losses import asymmetry, cross_entropy, make_loss, tensor_error
from tersgen.errors import ConfigError

FEW = settings(max_examples=40, deadline=None)
SEEDS = st.integers(0, 2**32 - 1)


def drawn(seed, n=6, classes=4, modes=5):
    """Outputs of a model and a batch, of mixed sizes and signs, with junk behind the counts."""
    rng = np.random.default_rng(seed)
    square = rng.normal(size=(n, modes, 3, 3))
    tensors = (square + square.swapaxes(2, 3)) * 10.0 ** rng.uniform(-3, 3, size=(n, 1, 1, 1))
    outputs = {
        "logits": rng.normal(size=(n, classes)) * 3,
        "tensors": rng.normal(size=(n, modes, 3, 3)),
    }
    batch = {
        "label": rng.integers(0, classes, n).astype(np.int32),
        "tensors": tensors,
        "sticks/count": rng.integers(1, modes + 1, n).astype(np.int32),
    }
    floats = {name: torch.from_numpy(x).float() for name, x in outputs.items()}
    return floats, {
        name: torch.from_numpy(x).float() if x.dtype == np.float64 else torch.from_numpy(x)
        for name, x in batch.items()
    }


def numpy_of(tensors):
    return {name: x.detach().double().numpy() for name, x in tensors.items()}


def cross_entropy_by_loops(logits, labels, weights, smoothing):
    """Eq. (6.1) with the targets of Eq. (6.2)."""
    k = logits.shape[1]
    logs = log_softmax(logits, axis=1)
    losses = []
    for row, label in zip(logs, labels.astype(int), strict=True):
        loss = 0.0
        for c in range(k):
            target = (1 - smoothing) * (c == label) + smoothing / k
            loss -= weights[c] * target * row[c]
        losses.append(loss)
    return np.array(losses)


def tensor_error_by_loops(predicted, tensors, counts):
    errors = []
    for r, t, n in zip(predicted, tensors, counts.astype(int), strict=True):
        rms = np.sqrt(np.mean(t[:n] ** 2))
        each = [
            min(np.sum((r[m] - t[m] / rms) ** 2), np.sum((r[m] + t[m] / rms) ** 2))
            for m in range(n)
        ]
        errors.append(np.sum(each) / (9 * n))
    return np.array(errors)


@given(SEEDS, st.floats(0, 0.9), st.booleans())
@FEW
def test_cross_entropy_by_loops(seed, smoothing, weighted):
    outputs, batch = drawn(seed)
    weights = np.random.default_rng(seed).uniform(0, 3, 4) if weighted else np.ones(4)
    given_weights = torch.from_numpy(weights).float() if weighted else None
    got = cross_entropy(outputs["logits"], batch["label"], given_weights, smoothing)
    want = cross_entropy_by_loops(
        numpy_of(outputs)["logits"], batch["label"].numpy(), weights, smoothing
    )
    np.testing.assert_allclose(got.numpy(), want, rtol=1e-4, atol=1e-5)


@given(SEEDS)
@FEW
def test_tensor_terms_by_loops(seed):
    outputs, batch = drawn(seed)
    counts = batch["sticks/count"]
    r, t = numpy_of(outputs)["tensors"], numpy_of(batch)["tensors"]
    got = tensor_error(outputs["tensors"], batch["tensors"], counts)
    want = tensor_error_by_loops(r, t, counts.numpy())
    np.testing.assert_allclose(got.numpy(), want, rtol=1e-4)
    asymmetries = [
        np.mean([np.linalg.norm(one[m] - one[m].T, "fro") ** 2 for m in range(n)])
        for one, n in zip(r, counts.tolist(), strict=True)
    ]
    np.testing.assert_allclose(
        asymmetry(outputs["tensors"], counts).numpy(), asymmetries, rtol=1e-4
    )


@given(SEEDS, st.floats(0.01, 2), st.floats(0, 2))
@FEW
def test_loss_adds_up(seed, tensor_loss, symmetry_loss):
    """Eq. (6.3), with plain means over the batch."""
    outputs, batch = drawn(seed)
    config = LossConfig(tensor_loss=tensor_loss, symmetry_loss=symmetry_loss)
    weights = torch.tensor([0.5, 1.5, 1.0, 1.0])
    loss = make_loss(config, weights)
    got = loss(outputs, batch)
    terms = loss.terms(outputs, batch)
    assert {name: term.shape for name, term in terms.items()} == {
        "cross_entropy": (6,),
        "tensor": (6,),
        "symmetry": (6,),
    }
    per_sample = terms["cross_entropy"].double().numpy()
    per_sample = per_sample + tensor_loss * terms["tensor"].double().numpy()
    per_sample = per_sample + symmetry_loss * terms["symmetry"].double().numpy()
    assert got["loss"].item() == pytest.approx(per_sample.mean(), rel=1e-5)
    want = cross_entropy_by_loops(
        numpy_of(outputs)["logits"], batch["label"].numpy(), weights.numpy(), 0.0
    )
    assert got["cross_entropy"].item() == pytest.approx(want.mean(), rel=1e-4)


def test_only_classes():
    """Without predicted tensors, or with no weight on them, no tensors are needed."""
    outputs, batch = drawn(0)
    label_only = {"label": batch["label"]}
    got = make_loss(LossConfig())({"logits": outputs["logits"]}, label_only)
    assert set(got) == {"loss", "cross_entropy"}
    assert torch.equal(got["loss"], got["cross_entropy"])
    without_truth = {name: x for name, x in batch.items() if name != "tensors"}
    got = make_loss(LossConfig(symmetry_loss=0.5))(outputs, without_truth)
    assert set(got) == {"loss", "cross_entropy", "symmetry"}
    assert got["loss"].item() == pytest.approx(
        got["cross_entropy"].item() + 0.5 * got["symmetry"].item(), rel=1e-6
    )


def test_weights_by_option():
    outputs, batch = drawn(1)
    weights = torch.tensor([4.0, 0.0, 0.0, 0.0])
    plain = make_loss(LossConfig())(outputs, batch)["cross_entropy"]
    off = make_loss(LossConfig(class_weights=False), weights)(outputs, batch)["cross_entropy"]
    on = make_loss(LossConfig(), weights)(outputs, batch)["cross_entropy"]
    assert torch.equal(off, plain)
    assert not torch.equal(on, plain)


@given(SEEDS, st.sampled_from([1, 2, 3]))
@FEW
def test_gradients_do_not_depend_on_the_cut(seed, ranks):
    """The mean over ranks of the gradients of equal shares is the gradient of the whole batch."""
    config = LossConfig(tensor_loss=0.5, label_smoothing=0.1)
    loss = make_loss(config, torch.tensor([0.1, 0.4, 1.5, 2.0]))
    outputs, batch = drawn(seed)
    projection = torch.randn(4, 4, generator=torch.Generator().manual_seed(seed))

    def gradient(rows):
        w = projection.clone().requires_grad_()
        part = {name: x[rows] for name, x in outputs.items()}
        part["logits"] = part["logits"] @ w
        loss(part, {name: x[rows] for name, x in batch.items()})["loss"].backward()
        return w.grad

    whole = gradient(slice(None))
    share = 6 // ranks
    mean = sum(gradient(slice(i * share, (i + 1) * share)) for i in range(ranks)) / ranks
    torch.testing.assert_close(mean, whole, rtol=1e-4, atol=1e-5)


@given(SEEDS)
@FEW
def test_sign_scale_and_padding_do_not_matter(seed):
    outputs, batch = drawn(seed)
    rng = np.random.default_rng(seed)
    counts = batch["sticks/count"]
    before = tensor_error(outputs["tensors"], batch["tensors"], counts)
    signs = torch.from_numpy(rng.choice([-1.0, 1.0], (6, 5, 1, 1))).float()
    scales = torch.from_numpy(10.0 ** rng.uniform(-20, 12, (6, 1, 1, 1))).float()
    padding = (torch.arange(5) >= counts[:, None])[:, :, None, None]
    junk = torch.where(padding, torch.tensor(1e3), batch["tensors"] * signs * scales)
    predicted = torch.where(padding, torch.tensor(-7.0), outputs["tensors"])
    torch.testing.assert_close(tensor_error(predicted, junk, counts), before, rtol=1e-4, atol=1e-5)


def test_landmarks_of_the_tensor_error():
    """1 for a prediction of zeros, 0 for the truth over its RMS; zeros are no dead point."""
    _, batch = drawn(3)
    tensors, counts = batch["tensors"], batch["sticks/count"]
    zeros = torch.zeros_like(tensors, requires_grad=True)
    error = tensor_error(zeros, tensors, counts)
    torch.testing.assert_close(error, torch.ones(6))
    error.sum().backward()
    for n, gradient in zip(counts.tolist(), zeros.grad, strict=True):
        assert all(gradient[m].any() for m in range(n))
        assert not gradient[n:].any()
    valid = (torch.arange(5) < counts[:, None])[:, :, None, None]
    rms = ((tensors * valid).square().sum(dim=(1, 2, 3)) / (9 * counts)).sqrt()
    truth = -tensors / rms[:, None, None, None]
    torch.testing.assert_close(tensor_error(truth, tensors, counts), torch.zeros(6))


def test_samples_without_tensors():
    predicted = torch.ones(2, 3, 3, 3, requires_grad=True)
    counts = torch.tensor([0, 2])
    error = tensor_error(predicted, torch.zeros(2, 3, 3, 3), counts)
    assert error.tolist() == [0.0, 1.0]
    (error.sum() + asymmetry(predicted, counts).sum()).backward()
    assert predicted.grad.isfinite().all()


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_outputs(dtype):
    """Computed in float32: nothing overflows at 65504 or drowns in 11 bits."""
    outputs, batch = drawn(4)
    half = {name: (x * 300).to(dtype) for name, x in outputs.items()}
    config = LossConfig(tensor_loss=1.0)
    got = make_loss(config)(half, batch)
    want = make_loss(config)({name: x.float() for name, x in half.items()}, batch)
    assert want["loss"].item() > 65504
    for name, value in want.items():
        assert got[name].dtype == torch.float32
        assert torch.equal(got[name], value)


@pytest.mark.parametrize(
    "weights", [torch.tensor([1.0, -1.0]), torch.tensor([1.0, torch.nan]), torch.ones(2, 2)]
)
def test_bad_weights(weights):
    with pytest.raises(ConfigError, match="class_weights: expected a weight of at least 0"):
        make_loss(LossConfig(), weights)


def test_tensors_that_do_not_fit():
    outputs, batch = drawn(5)
    loss = make_loss(LossConfig(tensor_loss=0.1))
    with pytest.raises(ConfigError, match="tensor_loss: expected 0 for a model without tensors"):
        loss({"logits": outputs["logits"]}, batch)
    outputs["tensors"] = outputs["tensors"][:, :3]
    with pytest.raises(ConfigError, match=r"\(6, 3, 3, 3\).*got \(6, 5, 3, 3\).*tensor_modes to 5"):
        loss(outputs, batch)


def test_moves_with_its_module():
    """The weights follow ``to``, and are no part of a checkpoint."""
    loss = make_loss(LossConfig(), torch.ones(4))
    assert loss.to("meta").class_weights.device.type == "meta"
    assert loss.state_dict() == {}
