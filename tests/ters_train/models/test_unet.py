"""The U-Net: what goes in and out, and what it refuses."""

import pytest
import torch
from torch import nn

from ters_train.config import DataConfig, ModelConfig, PartConfig, RunConfig
from ters_train.models import build_model
from ters_train.models.unet import UnetModel
from ters_train.tasks import make_task
from ters_train.tasks.structure import Structure, StructureOptions
from tersgen.errors import ConfigError

TARGETS = StructureOptions(
    elements=("H", "C", "N"),
    shape="disc",
    radius_angstrom=0.5,
    bonds=True,
    frame_angstrom=(8.0, 12.0),
    pixels=(16, 24),
)


def config(targets=TARGETS, **values):
    given = {"inputs": {"maps": (2, 16, 24)}, "options": {"width": 4, "depth": 2}}
    outputs = Structure(targets).outputs
    return ModelConfig(name="unet", **{**given, "outputs": outputs, **values})


def test_masks_and_bonds_lie_on_the_map():
    model = build_model(config()).eval()
    assert isinstance(model, UnetModel)
    outputs = model({"maps": torch.rand(5, 2, 16, 24)})
    assert outputs["masks"].shape == (5, 3, 16, 24)
    assert outputs["bonds"].shape == (5, 16, 24)
    plain = build_model(config(TARGETS.model_copy(update={"bonds": False})))
    assert set(plain({"maps": torch.rand(1, 2, 16, 24)})) == {"masks"}


def test_a_cube_is_a_map_whose_channels_come_last():
    torch.manual_seed(0)
    of_maps = build_model(config())
    of_cubes = build_model(config(inputs={"cube": (16, 24, 2)}))
    of_cubes.load_state_dict(of_maps.state_dict())
    maps = torch.rand(2, 2, 16, 24)
    assert of_cubes.shapes == {"cube": (16, 24, 2)}
    a, b = of_maps({"maps": maps}), of_cubes({"cube": maps.permute(0, 2, 3, 1)})
    torch.testing.assert_close(a["masks"], b["masks"])


def test_blocks_of_pixels_are_channels_and_are_put_back():
    torch.manual_seed(0)
    model = build_model(config(options={"width": 4, "depth": 1, "block": 4})).eval()
    maps = torch.rand(1, 2, 16, 24)
    blocks = maps.reshape(1, 2, 4, 4, 6, 4).permute(0, 1, 3, 5, 2, 4).reshape(1, 32, 4, 6)
    logits = model.outputs(model.unet(blocks))
    pixels = logits.reshape(1, 4, 4, 4, 4, 6).permute(0, 1, 4, 2, 5, 3).reshape(1, 4, 16, 24)
    outputs = model({"maps": maps})
    torch.testing.assert_close(outputs["masks"], pixels[:, :3])
    torch.testing.assert_close(outputs["bonds"], pixels[:, 3])


@pytest.mark.parametrize(
    ("shape", "wanted", "options"),
    [
        ((8, 128, 128), {}, {"block": 2, "depth": 4}),
        ((8, 128, 128), {"block": 1}, {"block": 1, "depth": 4}),
        ((4, 48, 48), {}, {"block": 1, "depth": 3}),
        ((1, 18, 24), {}, {"block": 1, "depth": 1}),
    ],
)
def test_default_options_fit_the_image(shape, wanted, options):
    assert UnetModel.suggest({"maps": shape}, wanted) == options
    outputs = {"masks": (1, *shape[1:])}
    build_model(config(inputs={"maps": shape}, outputs=outputs, options=options))


def test_a_row_does_not_depend_on_its_batch():
    model = build_model(config()).eval()
    maps = torch.rand(4, 2, 16, 24)
    whole = model({"maps": maps})["masks"]
    torch.testing.assert_close(model({"maps": maps[2:3]})["masks"], whole[2:3])


def test_every_weight_learns_and_masks_are_rare_at_first():
    model = build_model(config())
    outputs = model({"maps": torch.rand(3, 2, 16, 24)})
    share = outputs["masks"].sigmoid().mean()
    assert share < 0.2
    sum(value.square().mean() for value in outputs.values()).backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in model.parameters())


def test_a_named_size_is_compact():
    large = TARGETS.model_copy(update={"pixels": (128, 128)})
    standard = build_model(config(large, inputs={"maps": (8, 128, 128)}, options={}))
    n_weights = sum(p.numel() for p in standard.parameters())
    assert 1.5e6 < n_weights < 2.5e6
    assert not any(isinstance(m, nn.modules.batchnorm._BatchNorm) for m in standard.modules())


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (
            {"inputs": {"maps": (2, 18, 24)}, "outputs": {"masks": (3, 18, 24)}},
            r"rows and columns that 4 divides, 2\^2, got 18 x 24",
        ),
        ({"outputs": {"logits": (3,)}}, "expected unet to be asked for pixels, 16 x 24"),
        ({"inputs": {"spectra": (64,)}}, "expected maps or a cube for unet"),
        ({"options": {"array": "cube"}}, "array: unknown field"),
    ],
)
def test_what_does_not_fit_is_refused(values, message):
    with pytest.raises(ConfigError, match=message):
        build_model(config(**values))


def test_another_shape_is_refused():
    model = build_model(config())
    with pytest.raises(ConfigError, match=r"maps: expected shape \(B, 2, 16, 24\), got none"):
        model({"spectra": torch.rand(2, 5)})
    with pytest.raises(ConfigError, match=r"got shape \(1, 1, 16, 24\)"):
        model({"maps": torch.rand(1, 1, 16, 24)})


@pytest.mark.parametrize(
    ("groups", "message"),
    [
        ({"loss": {"label_smoothing": 0.1}}, "loss.label_smoothing: expected 0 for structure"),
        (
            {"transforms": {"quarter_turns": True}},
            "transforms.quarter_turns: expected a square frame, .* got 8 x 12 Angstrom",
        ),
        (
            {"task": {"name": "classification", "options": {"n_classes": 3}}},
            "model.outputs: expected .*'logits': .*, as the task classification has it, got",
        ),
    ],
)
def test_a_run_refuses_what_structures_have_no_use_for(groups, message):
    task = PartConfig(name="structure", options=TARGETS.model_dump(mode="json"))
    given = {"data": DataConfig(path="x", input="map"), "model": config(), "task": task}
    with pytest.raises(ConfigError, match=message):
        make_task(RunConfig(**{**given, **groups}))
