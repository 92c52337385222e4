"""The 1D CNN, Eq. (4.1), against loops in float64."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from ters_train.models.cnn import CnnConfig, SpectrumCnn, stage_lengths
from tersgen.errors import ConfigError

CONFIGS = st.builds(
    CnnConfig,
    widths=st.lists(st.sampled_from([2, 4, 6, 12]), min_size=1, max_size=3).map(tuple),
    depth=st.integers(1, 2),
    kernel=st.sampled_from([1, 3, 5]),
    stride=st.integers(1, 3),
    dilation=st.integers(1, 3),
    norm=st.sampled_from(["batch", "group", "layer", "none"]),
    pool=st.sampled_from(["max", "mean", "none"]),
    pool_size=st.integers(2, 3),
    position=st.booleans(),
    features=st.sampled_from(["mean", "flat"]),
    hidden=st.sampled_from([0, 3]),
)


def convolve(x, weight, bias, stride, dilation):
    """Eq. (4.1) by its sums: x (C, L), weight (W, C, k), padded by half of the kernel's reach."""
    width, _, kernel = weight.shape
    pad = dilation * (kernel - 1) // 2
    padded = np.pad(x, ((0, 0), (pad, pad)))
    out = np.zeros((width, (x.shape[1] - 1) // stride + 1))
    for n in range(out.shape[1]):
        taps = padded[:, n * stride : n * stride + dilation * (kernel - 1) + 1 : dilation]
        out[:, n] = np.einsum("wck,ck->w", weight, taps) + bias
    return out


def normalise(x, norm):
    """Statistics of evaluation, by their definitions."""
    if norm is None:
        return x
    scale, shift = norm.weight.detach().numpy()[:, None], norm.bias.detach().numpy()[:, None]
    if isinstance(norm, nn.BatchNorm1d):
        mean, variance = norm.running_mean.numpy()[:, None], norm.running_var.numpy()[:, None]
        return (x - mean) / np.sqrt(variance + norm.eps) * scale + shift
    grouped = x.reshape(norm.num_groups, -1)
    centred = grouped - grouped.mean(axis=1, keepdims=True)
    grouped = centred / np.sqrt((centred**2).mean(axis=1, keepdims=True) + norm.eps)
    return grouped.reshape(x.shape) * scale + shift


def stages_by_loops(model, config, spectrum):
    """What the stages make of one spectrum of shape (L,), stage by stage."""
    modules = list(model.stages)
    position = np.linspace(-1, 1, len(spectrum))
    x = np.stack([spectrum, position] if config.position else [spectrum]).astype(np.float64)
    for _ in config.widths:
        for j in range(config.depth):
            conv = modules.pop(0)
            bias = 0.0 if conv.bias is None else conv.bias.detach().numpy()
            stride = config.stride if j == 0 else 1
            x = convolve(x, conv.weight.detach().numpy(), bias, stride, config.dilation)
            x = np.maximum(normalise(x, None if config.norm == "none" else modules.pop(0)), 0)
            modules.pop(0)  # ReLU
        if config.pool != "none":
            modules.pop(0)
            p = config.pool_size
            cut = x[:, : x.shape[1] // p * p].reshape(len(x), -1, p)
            x = cut.max(axis=2) if config.pool == "max" else cut.mean(axis=2)
    assert not modules
    return x


def randomised(model, seed):
    """Give normalisations and biases values that are not the neutral ones."""
    generator = torch.Generator().manual_seed(seed)
    for name, tensor in model.state_dict().items():
        if tensor.ndim == 1:
            tensor.copy_(torch.rand(tensor.shape, generator=generator) + 0.5 * ("var" in name))
    return model.eval()


@given(CONFIGS, st.integers(24, 60), st.integers(0, 99))
@settings(max_examples=40, deadline=None)
def test_stages_by_loops(config, n_points, seed):
    lengths = stage_lengths(config, n_points)
    if lengths[-1] < 1:
        with pytest.raises(ConfigError, match=r"cnn\.widths: expected at most"):
            SpectrumCnn(config, n_points)
        return
    torch.manual_seed(seed)
    model = randomised(SpectrumCnn(config, n_points), seed)
    spectra = torch.rand(2, n_points) * 2 - 1
    want = np.stack([stages_by_loops(model, config, spectrum) for spectrum in spectra.numpy()])
    assert want.shape == (2, config.widths[-1], lengths[-1])
    got = model(spectra, torch.ones_like(spectra)).detach().numpy()
    seen = want.mean(axis=2) if config.features == "mean" else want.reshape(2, -1)
    if config.hidden:
        linear = model.hidden[0]
        weight, bias = linear.weight.detach().numpy(), linear.bias.detach().numpy()
        seen = np.maximum(seen @ weight.T + bias, 0)
    assert seen.shape == (2, model.n_features)
    np.testing.assert_allclose(got, seen, rtol=2e-4, atol=2e-5)


def test_position_tells_where_a_band_is():
    """Moved by a multiple of all strides, away from the edges, a band looks the same without."""
    config = CnnConfig(widths=(4, 8), kernel=3, stride=2, pool="max", pool_size=2, position=False)
    spectra = torch.zeros(2, 256)
    spectra[0, 96:100] = spectra[1, 144:148] = torch.tensor([0.2, 1.0, 0.7, 0.1])
    for position in (False, True):
        torch.manual_seed(0)
        model = SpectrumCnn(config.model_copy(update={"position": position}), 256).eval()
        here, there = model(spectra, torch.ones_like(spectra))
        assert torch.allclose(here, there, atol=1e-6) != position


def test_too_many_stages_says_how_many_fit():
    config = CnnConfig(widths=(8, 8, 8, 8), stride=1, pool="max", pool_size=4)
    with pytest.raises(ConfigError, match=r"at most 2 stages .* of 60 points, got 4; take fewer"):
        SpectrumCnn(config, 60)
    SpectrumCnn(config.model_copy(update={"widths": (8, 8)}), 60)


def test_kernel_longer_than_what_is_left():
    config = CnnConfig(widths=(4, 4), kernel=31, stride=4, pool="none")
    model = SpectrumCnn(config, 16).eval()
    assert model(torch.rand(3, 16), torch.ones(3, 16)).shape == (3, 4)


def test_kaiming():
    torch.manual_seed(0)
    model = SpectrumCnn(CnnConfig(widths=(64, 128), kernel=9), 256)
    conv = [m for m in model.modules() if isinstance(m, nn.Conv1d)][1]
    assert conv.weight.std().item() == pytest.approx(math.sqrt(2 / (128 * 9)), rel=0.02)


@pytest.mark.parametrize("norm", ["batch", "group", "layer", "none"])
def test_signal_survives_deep_stages(norm):
    """Neither vanishing nor exploding, forward and backward, at the start of training."""
    torch.manual_seed(0)
    model = SpectrumCnn(CnnConfig(widths=(16, 32), depth=4, stride=1, norm=norm, pool="mean"), 128)
    spectra = torch.randn(16, 128)
    features = model(spectra, torch.ones_like(spectra))
    features.square().sum().backward()
    assert 1e-3 < features.std().item() < 30
    norms = [p.grad.norm().item() for p in model.parameters() if p.ndim == 3]
    assert max(norms) < 1e3 * min(norms)
