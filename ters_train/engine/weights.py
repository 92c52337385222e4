"""Weights read from a file, compared with what a model needs before it allocates any memory."""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path

import torch
from torch import Tensor

from tersgen.errors import ConfigError, DatasetError
from tersgen.plugins import named_errors
from tersgen.text import printable

from ..config import ModelConfig
from ..errors import PluginError
from ..models.model import GROUP, Model, build_model
from ..parts import find, is_own

_MOMENTS = ("exp_avg", "exp_avg_sq")
_STEP = "step"


def expected_weights(config: ModelConfig) -> dict[str, Tensor]:
    """Return the weights of a model by name, without their values: on the meta device."""
    if not is_own(GROUP, config.name):
        return _expected_of_plugin(config)
    try:
        with torch.device("meta"):
            return dict(build_model(config).state_dict())
    except (RuntimeError, ValueError, TypeError, OverflowError) as error:
        if isinstance(error, ConfigError):
            raise
        reason = " ".join(str(error).split())[:120]
        raise ConfigError(f"model: expected one that can be built, got: {reason}") from None


def _expected_of_plugin(config: ModelConfig) -> dict[str, Tensor]:
    """Return the weights of a user's own model, which may need memory and real numbers."""
    with _errors_of(config.name):
        try:
            with torch.device("meta"):
                return dict(build_model(config).state_dict())
        except Exception:  # noqa: BLE001 - its code may raise anything on such tensors
            state = torch.get_rng_state()
            model = build_model(config)
            torch.set_rng_state(state)
            return {name: value.to("meta") for name, value in model.state_dict().items()}


def _errors_of(name: str) -> AbstractContextManager[None]:
    """Turn errors of a user's own model into one line that names it."""
    return named_errors("model", name, find(GROUP, name), PluginError)


def try_model(config: ModelConfig) -> None:
    """Build a user's own model and feed it two rows of zeros, to find what does not fit."""
    expected_weights(config)
    if is_own(GROUP, config.name):
        return
    rows = {name: torch.zeros(2, *shape) for name, shape in config.inputs.items()}
    with torch.random.fork_rng(devices=[]), _errors_of(config.name):
        model = build_model(config)
        model(rows)
        outputs = model.eval()(rows)  # ensembles have more of them in training
    for name, shape in config.outputs.items():
        got = tuple(outputs[name].shape[1:]) if name in outputs else "none"
        if got != shape:
            raise ConfigError(
                f"model {config.name!r}: expected the output {name} of shape {shape} a row, got "
                f"{got}"
            )


def check_weights(folder: Path, config: ModelConfig, weights: Mapping[str, Tensor]) -> None:
    """Refuse weights that are not those of a model; nothing of its size is allocated.

    Raises
    ------
    DatasetError
        If a name, shape or type differs; it names the checkpoint.
    """
    try:
        expected = expected_weights(config)
    except ConfigError as error:
        raise DatasetError(f"{folder}: {error}") from None
    _compare(f"{folder}: the weights are not the model's", expected, weights)


def check_optimiser(
    folder: Path, parameters: Mapping[str, Tensor], tensors: Mapping[str, Tensor]
) -> None:
    """Refuse the state of an optimiser that is not that of these parameters, all or none.

    Raises
    ------
    DatasetError
        If a name, shape or type differs; it names the checkpoint.
    """
    if not tensors:
        return
    expected = {f"{name}/{_STEP}": torch.zeros((), device="meta") for name in parameters}
    for moment in _MOMENTS:
        expected |= {f"{name}/{moment}": value for name, value in parameters.items()}
    _compare(f"{folder}: the optimiser's state is not the model's", expected, tensors)


def load_weights(
    folder: Path, config: ModelConfig, weights: Mapping[str, Tensor], device: torch.device
) -> Model:
    """Return a model with some weights, which are compared before it is built."""
    check_weights(folder, config, weights)
    model = build_model(config)
    model.load_state_dict(weights)
    return model.to(device)


def _compare(what: str, expected: Mapping[str, Tensor], found: Mapping[str, Tensor]) -> None:
    for name, value in expected.items():
        got = found.get(name)
        if got is None or got.shape != value.shape or got.dtype != value.dtype:
            shown = "none" if got is None else _described(got.shape, got.dtype)
            raise DatasetError(
                f"{what}: {name}: expected {_described(value.shape, value.dtype)}, got {shown}"
            )
    more = sorted(found.keys() - expected.keys())
    if more:
        raise DatasetError(f"{what}: expected no {printable(more[0][:80])}, got it")


def _described(shape: Sequence[int], dtype: torch.dtype) -> str:
    return f"{str(dtype).removeprefix('torch.')} of shape {tuple(shape)}"
