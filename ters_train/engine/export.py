"""Trained models as ONNX, with their inputs and outputs described in the file."""

import json
import logging
import warnings
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from tersgen.dataset.output_file import write_output
from tersgen.errors import MissingExtraError, OutputError

from ..data.measured import MEASURED
from .trained import Trained


class _Named(nn.Module):
    """A model whose inputs and results are in a fixed order."""

    def __init__(self, trained: Trained) -> None:
        super().__init__()
        self.model = trained.model
        self.names = tuple(input_shapes(trained))
        self.task = trained.task
        self.transforms = trained.transforms

    def forward(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        batch = dict(zip(self.names, inputs, strict=True))
        results = self.task.results(self.model(self.transforms.prepared(batch)))
        return tuple(results[name] for name in self.task.result_names)


def input_shapes(trained: Trained) -> dict[str, tuple[int, ...]]:
    """Return the shapes of the inputs by name; also of what was measured if the model uses it."""
    shapes = dict(trained.model.shapes)
    return {**shapes, MEASURED: shapes["spectra"]} if trained.model.uses_measured else shapes


def example_inputs(trained: Trained, n_rows: int) -> tuple[Tensor, ...]:
    """Return rows of random inputs in the range that the model was trained on."""
    generator = torch.Generator().manual_seed(0)
    low = trained.state.low
    drawn = {
        name: torch.rand(n_rows, *shape, generator=generator)
        for name, shape in input_shapes(trained).items()
    }
    return tuple(
        (one < 0.9).float() if name == MEASURED else low + (1 - low) * one
        for name, one in drawn.items()
    )


def export_onnx(trained: Trained, path: Path) -> float:
    """Write a model as ONNX; inputs as in the dataset, any number of rows.

    A model that uses what of spectra was measured has the input ``measured``, 1 where it was.

    Outputs are the results of its task: of classes ``logits`` (B, K), ``probabilities`` (B, K) and
    maybe ``tensors`` (B, M, 3, 3); of structures ``logits`` and ``probabilities`` of masks
    (B, E, H, W) and ``bonds`` (B, H, W); of a number ``value`` (B, 1), in its unit. Species, axis,
    range of the inputs, and the task are in the file's metadata.

    Returns
    -------
    float
        Largest difference of a result from that of the model itself, over the largest of them but
        at least 1, on random inputs; NaN where onnxruntime is not installed to compare.
    """
    trained.model.check_export()
    try:
        import onnx
        import onnxscript  # noqa: F401 (what torch exports through)
    except ImportError:
        raise MissingExtraError(
            "export needs the packages onnx and onnxscript: pip install 'tersgen[train,onnx]'"
        ) from None
    model = _Named(trained).cpu().eval()
    inputs = example_inputs(trained, 3)
    rows = torch.export.Dim("rows")
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    with warnings.catch_warnings():
        # of the exporter, about itself
        warnings.simplefilter("ignore")
        logger.setLevel(logging.ERROR)
        program = torch.onnx.export(
            model,
            inputs,
            input_names=list(model.names),
            output_names=list(trained.task.result_names),
            dynamic_shapes=(tuple({0: rows} for _ in inputs),),
            dynamo=True,
            verbose=False,
        )
        logger.setLevel(level)
    if program is None:
        raise OutputError(f"{path}: torch exported nothing")
    proto = program.model_proto
    state = trained.state
    about = {
        "classes": json.dumps(state.classes),
        "axis_cm1": json.dumps(state.axis_cm1),
        "input_range": json.dumps([state.low, 1.0]),
        "dataset_digest": state.config.data.digest or "",
        "task": state.config.task.model_dump_json(),
    }
    onnx.helper.set_model_props(proto, about)
    content = proto.SerializeToString()
    write_output(path, content)
    return _difference(content, model, inputs, path)


def _difference(content: bytes, model: _Named, inputs: tuple[Tensor, ...], path: Path) -> float:
    try:
        import onnxruntime
    except ImportError:
        return float("nan")
    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    fed = {name: value.numpy() for name, value in zip(model.names, inputs, strict=True)}
    found = session.run(list(model.task.result_names), fed)
    with torch.inference_mode():
        wanted = [value.numpy() for value in model(*inputs)]
    difference = max(
        float(np.abs(one - other).max() / max(1.0, np.abs(other).max()))
        for one, other in zip(found, wanted, strict=True)
    )
    if not difference < 1e-3:
        raise OutputError(
            f"{path}: expected the model's results within 1e-3 of them, got a difference of "
            f"{difference:.2g}; do not use this file"
        )
    return difference
