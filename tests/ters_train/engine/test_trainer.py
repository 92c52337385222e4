"""One step: against a loop written by hand; what is not finite is refused and named."""

import copy

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from ters_train.config import (
    DataConfig,
    EngineConfig,
    LossConfig,
    ModelConfig,
    OptimConfig,
    PartConfig,
    RunConfig,
)
from ters_train.engine.checkpoint import Checkpoint, Position, State
from ters_train.engine.ranks import Ranks
from ters_train.engine.trainer import Trainer
from ters_train.errors import NotFiniteError
from ters_train.models.cnn import CnnConfig
from tersgen.errors import DatasetError

ALONE = Ranks(0, 1, torch.device("cpu"))
CNN = CnnConfig(widths=(4, 6), norm="group", dropout=0.0)


def make(cnn: CnnConfig = CNN, optim: OptimConfig | None = None, **engine) -> Trainer:
    config = RunConfig(
        data=DataConfig(path="data.zarr"),
        model=ModelConfig(
            name="cnn",
            options=cnn.model_dump(mode="json"),
            inputs={"spectra": (64,)},
            outputs={"logits": (3,)},
        ),
        task=PartConfig(name="classification", options={"n_classes": 3}),
        loss=LossConfig(label_smoothing=0.1),
        optim=optim or OptimConfig(lr=0.01, warmup=0.0, clip=0.5, weight_decay=0.1),
        engine=EngineConfig(seed=5, **engine),
    )
    return Trainer(config, 0.0, (0.5, 1.0, 1.5), ALONE, n_steps=10)


def batch(n_rows: int, seed: int = 0) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return {
        "spectra": torch.rand(n_rows, 64, generator=generator).half(),
        "label": torch.randint(3, (n_rows,), generator=generator, dtype=torch.int32),
        "row": torch.arange(100, 100 + n_rows),
    }


def weights(trainer: Trainer) -> dict[str, np.ndarray]:
    return {name: value.numpy().copy() for name, value in trainer.model.state_dict().items()}


def test_steps_are_those_of_a_loop_by_hand() -> None:
    trainer = make()
    model = copy.deepcopy(trainer.model)
    optimiser = torch.optim.AdamW(
        [
            {"params": [p for p in model.parameters() if p.ndim > 1], "weight_decay": 0.1},
            {"params": [p for p in model.parameters() if p.ndim == 1], "weight_decay": 0.0},
        ],
        lr=0.01,
    )
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, 9, 1e-6)
    for step in range(4):
        data = batch(12, seed=step)
        losses = trainer.train([data], epoch=0)
        logits = model({"spectra": (data["spectra"].float() - 0.5) / 0.5})["logits"]
        each = functional.cross_entropy(
            logits, data["label"].long(), torch.tensor([0.5, 1.0, 1.5]), reduction="none",
            label_smoothing=0.1,
        )  # fmt: skip
        each.mean().backward()
        norm = nn.utils.clip_grad_norm_(model.parameters(), 0.5)
        optimiser.step()
        schedule.step()
        optimiser.zero_grad()
        np.testing.assert_allclose(losses["loss"].item(), each.mean().item(), rtol=1e-5)
        np.testing.assert_allclose(losses["grad_norm"].item(), norm.item(), rtol=1e-4)
    for name, value in model.state_dict().items():
        np.testing.assert_allclose(weights(trainer)[name], value, rtol=1e-4, atol=1e-6)


def test_accumulated_batches_are_one_large_batch() -> None:
    whole, parts = make(), make()
    data = batch(24)
    pieces = [{name: value[k : k + 8] for name, value in data.items()} for k in (0, 8, 16)]
    for _ in range(3):
        one = whole.train([data], 0)
        many = parts.train(pieces, 0)
        np.testing.assert_allclose(many["loss"].item(), one["loss"].item(), rtol=1e-5)
    for name, value in weights(whole).items():
        np.testing.assert_allclose(weights(parts)[name], value, rtol=1e-3, atol=1e-5)


def test_dropout_is_a_function_of_seed_and_step() -> None:
    dropping = CNN.model_copy(update={"dropout": 0.5})
    first, second, plain = make(dropping), make(dropping), make()
    torch.manual_seed(1)
    one = [first.train([batch(8)], 0)["loss"].item() for _ in range(3)]
    torch.manual_seed(2)
    two = [second.train([batch(8)], 0)["loss"].item() for _ in range(3)]
    assert one == two
    assert one != [plain.train([batch(8)], 0)["loss"].item() for _ in range(3)]
    still = make(dropping, optim=OptimConfig(lr=1e-12, min_lr=0))
    steps = [still.train([batch(8)], 0)["loss"].item() for _ in range(3)]
    assert len(set(steps)) == 3  # each step drops others


def test_a_row_that_is_not_finite_is_named() -> None:
    trainer = make()
    trainer.train([batch(8)], 0)
    before = weights(trainer)
    data = batch(8)
    data["spectra"][5, 3] = torch.nan
    with pytest.raises(NotFiniteError, match="step 1: the loss is nan: row 105 has values in spec"):
        trainer.train([data], 0)
    for name, value in weights(trainer).items():
        np.testing.assert_array_equal(value, before[name])


def test_a_model_that_has_diverged_is_refused() -> None:
    trainer = make(CNN.model_copy(update={"norm": "none"}))
    with torch.no_grad():
        trainer.model.classes.linear.bias[1] = torch.inf
    with pytest.raises(NotFiniteError, match=r"step 0: the loss is nan, at row 100 and 7 more of"):
        trainer.train([batch(8)], 0)


def test_weights_are_looked_at_before_they_are_saved() -> None:
    """A step may spoil the weights while its loss was finite: that would be saved as good."""
    trainer = make(optim=OptimConfig(lr=10, weight_decay=1e38, warmup=0))
    trainer.check_finite()
    assert trainer.train([batch(8)], 0)["loss"].isfinite()
    with pytest.raises(NotFiniteError, match=r"step 0: the loss is finite, but .* has diverged"):
        trainer.check_finite()


def test_another_model_s_checkpoint_is_refused(tmp_path) -> None:
    trainer, other = make(), make(CnnConfig(widths=(4, 8), norm="group"))
    state = State(position=Position(step=3), config=other.config, classes=("a", "b", "c"))
    other.train([batch(8)], 0)
    with pytest.raises(DatasetError, match=r"the weights are not the model's: .*expected float32"):
        trainer.load(Checkpoint(tmp_path, state, other.tensors()))
    files = {"model": trainer.tensors()["model"]}
    with pytest.raises(DatasetError, match="expected tensors of the optimiser, got none"):
        trainer.load(Checkpoint(tmp_path, state, files))


def test_what_is_loaded_goes_on_as_what_was_saved(tmp_path) -> None:
    first, second = make(ema=0.5), make(ema=0.5)
    first.train([batch(8)], 0)
    state = State(position=Position(step=1), config=first.config, classes=("a", "b", "c"))
    saved = {file: {k: v.clone() for k, v in t.items()} for file, t in first.tensors().items()}
    second.load(Checkpoint(tmp_path, state, saved))
    for trainer in (first, second):
        trainer.train([batch(8, seed=1)], 0)
    for file, tensors in first.tensors().items():
        for name, value in tensors.items():
            np.testing.assert_array_equal(second.tensors()[file][name], value)
    assert second.step == first.step == 2
