"""What a model is: a class that is built from shapes and options, and maps arrays to outputs."""

import inspect
from collections.abc import Callable, Iterator, Mapping
from typing import Any, ClassVar, Final, NamedTuple

import torch
from pydantic import BaseModel
from torch import Tensor, nn

from tersgen.dataset.dataset import Dataset
from tersgen.errors import ConfigError

from ..config import INPUT_FIELDS, Input, ModelConfig, Shape
from ..parts import NoOptions, find, options_of

GROUP: Final = "ters_train.models"


class TrainingRows(NamedTuple):
    """What a model is fitted to, see :meth:`Model.fit`."""

    dataset: Dataset
    """The dataset, with axis, classes and, if it is synthetic, recipe."""
    batches: Callable[[], Iterator[dict[str, Tensor]]]
    """Begins a pass over the rows trained on, in one shuffled order: inputs as the model is fed
    them, and the targets of the task, such as ``label``."""
    prepared: Callable[[dict[str, Tensor]], dict[str, Tensor]]
    """Takes inputs from the range of the dataset to that which the model is fed."""


class Model(nn.Module):
    """Base of models: arrays of a dataset to the outputs that a task asks for.

    A subclass is registered under a name, ``@register("ters_train.models", "mine")``, or named as
    ``--model my_module:Mine``. A plain ``nn.Module`` will do, too: see :class:`Plain`.

    Parameters
    ----------
    config
        The model, whole: shapes of a row of each input and of each output, by name.
    options
        An instance of ``Options``.
    """

    Options: ClassVar[type[BaseModel]] = NoOptions
    """Its options, a pydantic model."""
    kinds: ClassVar[tuple[Input, ...]] = ("spectrum", "map", "cube")
    """What it can be fed; the first is the default."""
    task: ClassVar[str | None] = None
    """Its default task; None for that of the dataset."""
    batch_size: ClassVar[int | None] = None
    """Default number of rows of a batch; None for the usual one."""
    sizes: ClassVar[tuple[str, ...]] = ()
    """Values of the option ``size`` that may follow the name, as in ``vit:base``."""
    takes_argument: ClassVar[bool] = False
    """Whether its name is followed by an argument, as in ``timm:convnext_atto``."""
    uses_measured: bool = False
    """Whether outputs depend on which points of a spectrum were measured; see
    ``ters_train.data.measured.measured``, which takes it from a batch."""
    class_rows: tuple[str, ...] = ()
    """Weights with a row for each class, which fine-tuning takes by the names of classes."""

    def __init__(self, config: ModelConfig, options: BaseModel) -> None:
        super().__init__()
        self.config = config
        self.options = options

    @classmethod
    def suggest(cls, shapes: Mapping[str, Shape], wanted: Mapping[str, Any]) -> dict[str, Any]:
        """Return the default options of a new run, by name.

        Parameters
        ----------
        shapes
            Shape of a row of each input: ``spectra`` (L,), ``maps`` (C, H, W), ``cube`` (H, W, C).
        wanted
            Options that the user sets, not yet checked.
        """
        return {}

    @classmethod
    def run_defaults(cls, options: BaseModel) -> dict[str, dict[str, Any]]:
        """Return settings of a run that suit the model if the user sets none, by table and name."""
        return {} if cls.batch_size is None else {"order": {"batch_size": cls.batch_size}}

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Shape of a row of each input."""
        return self.config.inputs

    def input_of(self, inputs: Mapping[str, Tensor], name: str) -> Tensor:
        """Return an array of a batch.

        Raises
        ------
        ConfigError
            If it is missing or has another shape than the model is for.
        """
        x, shape = inputs.get(name), self.shapes[name]
        if x is None or tuple(x.shape[1:]) != shape:
            came = "none" if x is None else f"shape {tuple(x.shape)}"
            raise ConfigError(
                f"{name}: expected shape (B, {', '.join(map(str, shape))}), got {came}; "
                "the model is for data of one shape"
            )
        return x

    def features(self, inputs: dict[str, Tensor]) -> Tensor:
        """Return what the outputs are made of, shape (B, F): the embedding of each row.

        Raises
        ------
        ConfigError
            If the model has none.
        """
        raise ConfigError(
            f"model {self.config.name!r}: expected a model with an embedding, got one without; "
            "let its class have a method features(inputs)"
        )

    def check_export(self) -> None:
        """Refuse options that ONNX cannot express, with a ConfigError; by default none."""

    def fit(self, rows: TrainingRows) -> None:
        """Set all weights from the training rows; a model with this method is not trained.

        Weights are buffers, whose shapes follow from ``config`` and ``options``. The model is in
        evaluation mode, and no gradients are computed.

        Parameters
        ----------
        rows
            Rows, and the dataset that they are of.

        Raises
        ------
        ConfigError
            If it cannot be fitted to them.
        """
        raise NotImplementedError

    def forward(self, inputs: dict[str, Tensor]) -> dict[str, Tensor]:
        """Return the outputs that ``config`` names, shape (B, ...), of arrays of shape (B, ...)."""
        raise NotImplementedError


class Plain(Model):
    """An ``nn.Module`` class of a user's own as a model.

    It is called with the options, and with those of these keywords that it takes: ``input_shape``,
    the shape of a row (L,), (C, H, W) or (H, W, C), for several inputs a dict of them by name;
    ``n_classes``, ``num_classes`` or ``n_outputs``, the size of the first output. Its ``forward``
    is given the input, shape (B, ...), several in the order of ``input_shape``, and returns the
    output, several as a tuple.

    Parameters
    ----------
    config
        The model, whole.
    make
        The class.
    """

    def __init__(self, config: ModelConfig, make: type[nn.Module]) -> None:
        super().__init__(config, NoOptions())
        shapes = config.inputs
        size = next(iter(config.outputs.values()))[0]
        known: dict[str, Any] = {
            "input_shape": next(iter(shapes.values())) if len(shapes) == 1 else dict(shapes),
            "n_classes": size,
            "num_classes": size,
            "n_outputs": size,
        }
        taken = inspect.signature(make).parameters
        given = {name: value for name, value in known.items() if name in taken}
        given |= config.options
        try:
            inspect.signature(make).bind(**given)
        except TypeError as error:
            raise ConfigError(
                f"model {config.name!r}: expected to be called with {', '.join(known)} or options, "
                f"got: {error}; set model.options, or take fewer arguments"
            ) from None
        self.module = make(**given)

    def forward(self, inputs: dict[str, Tensor]) -> dict[str, Tensor]:
        """Return the outputs by name."""
        dtype = next((p.dtype for p in self.module.parameters()), torch.float32)
        found = self.module(*(self.input_of(inputs, name).to(dtype) for name in self.shapes))
        values = found if isinstance(found, tuple) else (found,)
        wanted = self.config.outputs
        if len(values) != len(wanted):
            raise ConfigError(
                f"model {self.config.name!r}: expected outputs {', '.join(wanted)}, got "
                f"{len(values)} of them"
            )
        outputs = {}
        for (name, shape), value in zip(wanted.items(), values, strict=True):
            if tuple(value.shape[1:]) != shape:
                raise ConfigError(
                    f"model {self.config.name!r}: {name}: expected shape (B, "
                    f"{', '.join(map(str, shape))}), got {tuple(value.shape)}"
                )
            outputs[name] = value
        return outputs


def shape_of(config: ModelConfig, name: str, n_dims: int) -> Shape:
    """Return the shape of a row of an input."""
    shape = config.inputs.get(name)
    if shape is None or len(shape) != n_dims:
        raise ConfigError(
            f"model.inputs: expected {name} of {n_dims} dimensions for {config.name}, got "
            f"{dict(config.inputs)}"
        )
    return shape


def kinds_of(name: str) -> tuple[Input, ...]:
    """Return what a model can be fed; a class of a user's own may declare it in ``kinds``."""
    kinds: tuple[Input, ...] = getattr(_module_class(name), "kinds", tuple(INPUT_FIELDS))
    return kinds


def _module_class(name: str) -> type[nn.Module]:
    part = find(GROUP, name)
    if not (inspect.isclass(part) and issubclass(part, nn.Module)):
        raise ConfigError(
            f"model {name!r}: expected a class that derives from torch.nn.Module, got {part!r}"
        )
    return part


def is_fitted(name: str) -> bool:
    """Return whether a model is fitted at once, and not trained by steps."""
    part = _module_class(name)
    return issubclass(part, Model) and part.fit is not Model.fit


def build_model(config: ModelConfig) -> Model:
    """Return a model with fresh weights, drawn from the global generator of torch."""
    part = _module_class(config.name)
    if issubclass(part, Model):
        return part(config, options_of(part, GROUP, config.options))
    return Plain(config, part)
