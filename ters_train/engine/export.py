"""Trained models as ONNX, with what goes in and out written into the file."""

import json
import logging
import warnings
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from tersgen.dataset.output_file import write_output
from tersgen.errors import MissingExtraError, OutputError

from .trained import Trained


class _Named(nn.Module):
    """A model whose inputs and outputs are in a fixed order, probabilities beside logits."""

    def __init__(self, trained: Trained) -> None:
        super().__init__()
        self.model = trained.model
        self.names = tuple(trained.model.shapes)
        self.transforms = trained.transforms

    def forward(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        batch = dict(zip(self.names, inputs, strict=True))
        outputs: dict[str, Tensor] = self.model(self.transforms.prepared(batch))
        if "masks" in outputs:
            bonds = (outputs["bonds"].sigmoid(),) if "bonds" in outputs else ()
            return (outputs["masks"], outputs["masks"].sigmoid(), *bonds)
        probabilities = outputs["logits"].softmax(dim=1)
        tensors = (outputs["tensors"],) if "tensors" in outputs else ()
        return (outputs["logits"], probabilities, *tensors)


def example_inputs(trained: Trained, n_rows: int) -> tuple[Tensor, ...]:
    """Return rows of random inputs in the range that the model was trained on."""
    generator = torch.Generator().manual_seed(0)
    low = trained.state.low
    return tuple(
        low + (1 - low) * torch.rand(n_rows, *shape, generator=generator)
        for shape in trained.model.shapes.values()
    )


def export_onnx(trained: Trained, path: Path) -> float:
    """Write a model as ONNX; inputs as in the dataset, any number of rows.

    Outputs are ``logits`` (B, K), ``probabilities`` (B, K) and, if it predicts them, ``tensors``
    (B, M, 3, 3). Of structures ``logits`` and ``probabilities`` are masks (B, E, H, W), and
    ``bonds`` probabilities (B, H, W). Species or elements, axis and range of the inputs are in the
    file's metadata.

    Returns
    -------
    float
        Largest difference of a probability from that of the model itself, on random inputs; NaN
        where onnxruntime is not installed to compare.

    Raises
    ------
    MissingExtraError
        If the packages for it are not installed.
    OutputError
        If the file cannot be written, or does not compute what the model does.
    """
    try:
        import onnx
        import onnxscript  # noqa: F401 (what torch exports through)
    except ImportError:
        raise MissingExtraError(
            "export needs the packages onnx and onnxscript: pip install 'tersgen[train,onnx]'"
        ) from None
    model = _Named(trained).cpu().eval()
    inputs = example_inputs(trained, 3)
    config = trained.model.config
    outputs = ["logits", "probabilities"]
    if config.tensor_modes is not None:
        outputs.append("tensors")
    if config.structure is not None and config.structure.bonds:
        outputs.append("bonds")
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
            output_names=outputs,
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
    }
    if config.structure is not None:
        about["structure"] = config.structure.model_dump_json()
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
    found = session.run(["probabilities"], fed)[0]
    with torch.inference_mode():
        wanted = model(*inputs)[1].numpy()
    difference = float(np.abs(found - wanted).max())
    if not difference < 1e-3:
        raise OutputError(
            f"{path}: expected the model's probabilities within 1e-3 of it, got a difference of "
            f"{difference:.2g}; do not use this file"
        )
    return difference
