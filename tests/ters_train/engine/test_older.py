"""Runs that checkpoint format 2 wrote are read: its configurations, and its weights."""

from pathlib import Path

import pytest
import torch

from ters_train.config import RunConfig
from ters_train.config_versions import read_config
from ters_train.engine.trained import load_trained
from ters_train.engine.weights import expected_weights
from ters_train.tasks import make_task
from tersgen.errors import ConfigError

GOLDEN = Path(__file__).parents[2] / "golden" / "run_v2"
LOGITS = [0.0417250357568264, 0.029831774532794952, -0.022867148742079735]
"""Of the version that wrote the checkpoint, for a spectrum of squares."""
WANTED = {
    "joint": ("cnn+vit", "classification", {"spectra", "maps"}, {"logits", "tensors"}),
    "unet": ("unet", "structure", {"maps"}, {"masks", "bonds"}),
    "mix": ("cnn", "mixture", {"spectra"}, {"logits"}),
}


def test_a_checkpoint_of_format_2_gives_what_it_gave() -> None:
    trained = load_trained(GOLDEN / "best-000000030", torch.device("cpu"))
    assert trained.state.position.step == 30
    spectrum = torch.linspace(0, 1, 64)[None].square()
    with torch.inference_mode():
        outputs = trained.model(trained.transforms.prepared({"spectra": spectrum}))
    torch.testing.assert_close(outputs["logits"][0], torch.tensor(LOGITS), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", WANTED)
def test_configurations_of_format_2(name) -> None:
    model, task, inputs, outputs = WANTED[name]
    config = read_config((GOLDEN / f"{name}.json").read_text(), name)
    assert (config.model.name, config.task.name) == (model, task)
    assert (config.model.inputs.keys(), config.model.outputs.keys()) == (inputs, outputs)
    make_task(config)
    assert expected_weights(config.model)
    again = read_config(config.model_dump_json(), name)
    assert again == config == RunConfig.model_validate_json(config.model_dump_json())


NEITHER = (
    *("{", "[]", '{"model": 3}', '{"model": {"n_classes": 3}}'),
    '{"model": {"n_classes": 3, "unet": 3, "structure": 4}}',
)


@pytest.mark.parametrize("text", NEITHER)
def test_what_is_neither_is_refused_in_one_line(text) -> None:
    with pytest.raises(ConfigError, match=r"^here: ") as error:
        read_config(text, "here")
    assert "\n" not in str(error.value)
