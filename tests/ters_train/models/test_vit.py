"""The vision transformer, Eqs. (5.1)-(5.4), against its formulas in NumPy."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import erf, softmax
from torch import nn

from ters_train.config import ModelConfig
from ters_train.models import build_model
from ters_train.models.vit import (
    Attention,
    Block,
    ConvolutionalStem,
    DropPath,
    MapVit,
    PatchEmbedding,
    VitConfig,
    VitModel,
)

TINY = VitConfig(
    size="custom", width=8, depth=2, heads=2, patch=2, stem="linear", drop_path=0.0
)  # fmt: skip


def array(tensor):
    return tensor.detach().double().numpy()


def linear(x, layer):
    return x @ array(layer.weight).T + array(layer.bias)


def layer_norm(x, norm):
    centred = x - x.mean(axis=-1, keepdims=True)
    scaled = centred / np.sqrt((centred**2).mean(axis=-1, keepdims=True) + norm.eps)
    return scaled * array(norm.weight) + array(norm.bias)


def attend(x, attention):
    """Eq. (5.2) for tokens (N, D), head by head."""
    heads = np.split(linear(x, attention.qkv), 3, axis=1)
    d = x.shape[1] // attention.heads
    seen = []
    for h in range(attention.heads):
        q, k, v = (part[:, h * d : (h + 1) * d] for part in heads)
        seen.append(softmax(q @ k.T / np.sqrt(d), axis=1) @ v)
    return linear(np.concatenate(seen, axis=1), attention.out)


def gelu(x):
    return x * (1 + erf(x / np.sqrt(2))) / 2


def randomise(module, seed=0):
    """Weights large enough for every part to matter."""
    generator = torch.Generator().manual_seed(seed)
    for parameter in module.parameters():
        parameter.data.copy_(torch.randn(parameter.shape, generator=generator) * 0.5)
    return module.eval()


@given(st.integers(1, 3), st.integers(1, 3), st.integers(1, 3), st.integers(1, 4))
@settings(max_examples=20, deadline=None)
def test_patches_by_loops(channels, rows, columns, patch):
    shape = (channels, rows * patch, columns * patch)
    embedding = randomise(PatchEmbedding(shape, patch, 5))
    maps = torch.randn(2, *shape)
    tokens = array(embedding(maps))
    assert tokens.shape == (2, rows * columns, 5)
    for i in range(rows):
        for j in range(columns):
            square = maps[1, :, i * patch : (i + 1) * patch, j * patch : (j + 1) * patch]
            want = linear(array(square).reshape(-1), embedding.projection)
            np.testing.assert_allclose(tokens[1, i * columns + j], want, rtol=1e-4, atol=1e-5)


def test_attention_by_heads():
    attention = randomise(Attention(12, 3))
    x = torch.randn(2, 5, 12)
    for got, tokens in zip(array(attention(x)), array(x), strict=True):
        np.testing.assert_allclose(got, attend(tokens, attention), rtol=1e-4, atol=1e-4)


def test_block_by_its_formula():
    block = randomise(Block(12, 3, 20, dropout=0.3, drop_path=0.5))
    x = torch.randn(1, 4, 12)
    tokens = array(x)[0]
    tokens = tokens + attend(layer_norm(tokens, block.norm_1), block.attention)
    hidden = gelu(linear(layer_norm(tokens, block.norm_2), block.mlp[0]))
    tokens = tokens + linear(hidden, block.mlp[3])
    np.testing.assert_allclose(array(block(x))[0], tokens, rtol=1e-4, atol=1e-4)


def test_whole_by_its_formula():
    """Class token first, then positions, blocks and the last norm."""
    model = randomise(MapVit(TINY, (2, 4, 6)))
    maps = torch.randn(3, 2, 4, 6)
    patches = array(model.embedding(maps))
    for got, tokens in zip(array(model(maps)), patches, strict=True):
        x = np.concatenate([array(model.class_token)[0], tokens]) + array(model.position)[0]
        x = array(model.blocks(torch.from_numpy(x).float()[None]))[0]
        np.testing.assert_allclose(got, layer_norm(x, model.norm)[0], rtol=1e-3, atol=1e-3)


def test_patches_are_a_set_once_they_have_positions():
    """Exchanging patches with their positions changes nothing; without, it does."""
    model = randomise(MapVit(TINY, (1, 2, 6)))
    maps = torch.randn(2, 1, 2, 6)
    swapped = maps.reshape(2, 1, 2, 3, 2)[:, :, :, [2, 0, 1]].reshape(maps.shape)
    before = model(maps)
    assert not torch.allclose(model(swapped), before, atol=1e-3)
    model.position.data[:, 1:] = model.position.data[:, [3, 1, 2]]
    torch.testing.assert_close(model(swapped), before, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    ("size", "count"), [("tiny", 5_717_416), ("small", 22_050_664), ("base", 86_567_656)]
)
def test_sizes_are_the_published_ones(size, count):
    """Numbers of parameters of DeiT and ViT for 224 x 224 x 3, patch 16 and 1000 classes."""
    vit = VitConfig(size=size, patch=16, stem="linear")
    with torch.device("meta"):
        model = build_model(
            ModelConfig(
                name="vit",
                options=vit.model_dump(),
                inputs={"maps": (3, 224, 224)},
                outputs={"logits": (1000,)},
            )
        )
    assert sum(p.numel() for p in model.parameters()) == count


@given(
    st.sampled_from([1, 2, 3, 4, 5, 6, 7, 8, 9, 12, 16]),
    st.integers(1, 3),
    st.integers(1, 3),
    st.integers(1, 2),
)
@settings(max_examples=25, deadline=None)
def test_stem_makes_the_tokens_of_its_patches(patch, rows, columns, channels):
    """As many as Eq. (5.1) makes, in the same order, for any patch; every pixel is seen."""
    torch.manual_seed(0)
    shape = (channels, rows * patch, columns * patch)
    stem = ConvolutionalStem(shape, patch, 16).eval()
    maps = torch.rand(2, *shape, requires_grad=True)
    tokens = stem(maps)
    assert tokens.shape == (2, stem.n_patches, 16) == (2, rows * columns, 16)
    smooth = nn.Sequential(*(nn.Identity() if isinstance(m, nn.ReLU) else m for m in stem.stages))
    smooth(maps).sum(dim=1).square().sum().backward()
    assert (maps.grad != 0).all()


def test_stem_by_its_formula():
    """Conv2d -> BatchNorm -> ReLU by loops, then the projection of each place."""
    torch.manual_seed(0)
    stem = ConvolutionalStem((2, 6, 4), 2, 16)
    stem.train()(torch.rand(8, 2, 6, 4))  # moves the running mean and variance
    stem.eval()
    maps = torch.rand(1, 2, 6, 4)
    conv, norm, _ = stem.stages
    assert conv.kernel_size == (3, 3)
    padded = np.pad(array(maps)[0], ((0, 0), (1, 1), (1, 1)))
    scale = array(norm.weight) / np.sqrt(array(norm.running_var) + norm.eps)
    for i in range(3):
        for j in range(2):
            window = padded[:, 2 * i : 2 * i + 3, 2 * j : 2 * j + 3]
            x = np.einsum("ocij,cij->o", array(conv.weight), window)
            x = np.maximum((x - array(norm.running_mean)) * scale + array(norm.bias), 0)
            want = linear(x, stem.projection)
            np.testing.assert_allclose(array(stem(maps))[0, 2 * i + j], want, rtol=1e-4, atol=1e-5)


def test_stem_narrows_towards_the_pixels():
    widths = [
        [m.out_channels for m in ConvolutionalStem((1, 48, 48), patch, 128).stages[::3]]
        for patch in (16, 12, 1)
    ]
    assert widths == [[16, 32, 64, 128], [32, 64, 128], []]
    narrow = ConvolutionalStem((1, 16, 16), 16, 8)
    assert [m.out_channels for m in narrow.stages[::3]] == [8, 8, 8, 8]


def test_initial_weights():
    torch.manual_seed(0)
    vit = VitConfig(size="custom", width=64, depth=2, heads=2, patch=8, stem="linear")
    model = MapVit(vit, (1, 64, 64))
    # a normal distribution cut at two sigma has 0.8796 of its standard deviation
    assert model.position.std().item() == pytest.approx(0.02 * 0.8796, rel=0.05)
    assert model.position.abs().max().item() <= 0.04
    linears = [m for m in model.modules() if isinstance(m, nn.Linear)]
    for linear_layer in linears:
        assert not linear_layer.bias.any()
        weight = linear_layer.weight
        parts = weight.chunk(3) if weight.shape[0] == 3 * weight.shape[1] else [weight]
        for part in parts:  # variance 2/(in + out), Glorot
            assert part.std().item() == pytest.approx((2 / sum(part.shape)) ** 0.5, rel=0.05)
    assert len(linears) == 1 + 2 * 4


def test_one_channel_repeats_to_three():
    one = VitConfig(**{**TINY.model_dump(), "repeat_channels": True})
    repeated, three = MapVit(one, (1, 4, 4)), MapVit(TINY, (3, 4, 4))
    three.load_state_dict(repeated.state_dict())
    maps = torch.randn(2, 1, 4, 4)
    torch.testing.assert_close(repeated(maps), three(maps.expand(-1, 3, -1, -1)))


def test_drop_path_leaves_out_whole_samples():
    torch.manual_seed(0)
    drop = DropPath(0.25)
    branch = torch.randn(4000, 3, 2)
    out = drop(branch)
    dropped = (out == 0).all(dim=(1, 2))
    torch.testing.assert_close(out[~dropped], branch[~dropped] / 0.75)
    assert dropped.double().mean().item() == pytest.approx(0.25, abs=0.03)
    assert drop.eval()(branch) is branch


def test_drop_path_rises_linearly():
    vit = VitConfig(size="custom", width=8, depth=5, heads=1, patch=2, drop_path=0.4)
    rates = [block.drop_path.rate for block in MapVit(vit, (1, 2, 2)).blocks]
    assert rates == pytest.approx([0.0, 0.1, 0.2, 0.3, 0.4])


def test_randomness_is_that_of_torch():
    """Dropout and stochastic depth repeat with the global seed: so does a resumed step."""
    vit = VitConfig(**{**TINY.model_dump(), "dropout": 0.2, "drop_path": 0.5})
    model = MapVit(vit, (1, 4, 4)).train()
    maps = torch.randn(8, 1, 4, 4)
    outs = []
    for seed in (1, 2, 1):
        torch.manual_seed(seed)
        outs.append(model(maps))
    assert torch.equal(outs[0], outs[2])
    assert not torch.equal(outs[0], outs[1])


@pytest.mark.parametrize(
    ("side", "wanted", "patch"),
    [(64, {}, 16), (48, {}, 12), (128, {}, 32), (7, {}, 1), (64, {"size": "base"}, 8)],
)
def test_patches_suit_the_size_and_the_map(side, wanted, patch):
    options = VitModel.suggest({"maps": (1, side, side)}, wanted)
    assert options["patch"] == patch
    assert options.get("drop_path") == (None if wanted else 0.0)


def test_a_stem_of_several_convolutions_a_stage():
    """Stages after the first have more; options stored before there was a choice mean one."""
    kinds = {}
    for depth in (VitConfig().stem_depth, 3):
        stem = ConvolutionalStem((1, 16, 16), 8, 32, depth)
        convs = [m for m in stem.modules() if isinstance(m, nn.Conv2d)]
        kinds[depth] = [(conv.stride[0], conv.out_channels) for conv in convs]
        assert stem(torch.rand(2, 1, 16, 16)).shape == (2, 4, 32)
    assert kinds[1] == [(2, 8), (2, 16), (2, 32)]
    assert kinds[3] == [(2, 8), (2, 16), (1, 16), (1, 16), (2, 32), (1, 32), (1, 32)]
