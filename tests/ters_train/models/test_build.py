"""Models from their configuration: shapes, precision, tracing, ONNX."""

import warnings

import numpy as np
import pytest
import torch
from torch.nn import functional

from ters_train.config import ModelConfig
from ters_train.models import build_model
from ters_train.models.cnn import CnnConfig
from ters_train.models.vit import VitConfig
from tersgen.errors import ConfigError

CNN = CnnConfig(widths=(8, 16), stride=1, pool="max", pool_size=4)
VIT = VitConfig(size="custom", width=16, depth=2, heads=2, patch=4, drop_path=0.2)
PLAIN = VitConfig(**{**VIT.model_dump(), "stem": "linear"})
SPECTRA, MAPS = {"spectra": (64,)}, {"maps": (2, 8, 12)}


def config(name, options, inputs, **outputs):
    return ModelConfig(name=name, options=options, inputs=inputs, outputs=outputs)


CONFIGS = {
    "cnn": config("cnn", CNN.model_dump(mode="json"), SPECTRA, logits=(5,)),
    "vit": config("vit", VIT.model_dump(), MAPS, logits=(5,)),
    "plain vit": config("vit", PLAIN.model_dump(), MAPS, logits=(5,)),
    "joint": config(
        "cnn+vit",
        {
            "cnn": {**CNN.model_dump(mode="json"), "inputs": "views", "mask": True, "window": 9},
            "vit": VIT.model_dump(),
        },
        {**SPECTRA, **MAPS},
        logits=(5,),
        tensors=(3, 3, 3),
    ),
    "views": config(
        "cnn",
        {**CNN.model_dump(mode="json"), "inputs": "views", "mask": True, "window": 9},
        SPECTRA,
        logits=(5,),
    ),
    "ensemble": config("cnn", {**CNN.model_dump(mode="json"), "members": 3}, SPECTRA, logits=(5,)),
    "convnext": config(
        "convnext",
        {"widths": [8, 16], "depths": [1, 1], "inputs": "views", "mask": True, "window": 9},
        SPECTRA,
        logits=(5,),
    ),
    "transformer": config(
        "transformer",
        {"width": 16, "heads": 2, "patch": 8, "inputs": "derivative", "mask": True},
        SPECTRA,
        logits=(5,),
    ),
    "numbers": config("cnn", CNN.model_dump(mode="json"), SPECTRA, value=(2,)),
}
kinds = pytest.mark.parametrize("kind", [kind for kind in CONFIGS if kind != "numbers"])


def batch(n, seed=0, dtype=torch.float32):
    generator = torch.Generator().manual_seed(seed)
    return {
        "spectra": torch.rand(n, 64, generator=generator).to(dtype),
        "maps": torch.rand(n, 2, 8, 12, generator=generator).to(dtype),
        "label": torch.arange(n, dtype=torch.int32) % 5,
    }


def built(kind, seed=0):
    torch.manual_seed(seed)
    return build_model(CONFIGS[kind])


@kinds
@pytest.mark.parametrize("dtype", [torch.float16, torch.float32])
def test_outputs(kind, dtype):
    model = built(kind).train()
    outputs = model(batch(6, dtype=dtype))
    assert outputs["logits"].shape == ((6, 3, 5) if kind == "ensemble" else (6, 5))
    assert outputs["logits"].dtype == torch.float32
    assert set(outputs) == ({"logits", "tensors"} if kind == "joint" else {"logits"})
    sum(out.square().sum() for out in outputs.values()).backward()
    still = [name for name, p in model.named_parameters() if p.grad is None or not p.grad.any()]
    assert still == []


def test_config_alone_decides():
    """Read back from JSON, it makes the same model, which takes the same weights."""
    model = built("joint").eval()
    read = ModelConfig.model_validate_json(CONFIGS["joint"].model_dump_json())
    torch.manual_seed(0)
    again = build_model(read)
    for (name, value), (other, same) in zip(
        model.state_dict().items(), again.state_dict().items(), strict=True
    ):
        assert name == other
        assert torch.equal(value, same)
    third = built("joint", seed=1).eval()
    inputs = batch(3)
    assert not torch.equal(third(inputs)["logits"], model(inputs)["logits"])
    third.load_state_dict(model.state_dict())
    assert torch.equal(third(inputs)["logits"], model(inputs)["logits"])


@kinds
def test_a_sample_is_judged_alone(kind):
    """In evaluation no sample depends on those beside it."""
    model = built(kind).eval()
    inputs = batch(4)
    together = model(inputs)
    for i in range(4):
        alone = model({name: x[i : i + 1] for name, x in inputs.items()})
        for name, out in alone.items():
            torch.testing.assert_close(out[0], together[name][i], rtol=1e-4, atol=1e-5)


def test_both_branches_are_seen():
    model = built("joint").eval()
    inputs, others = batch(3), batch(3, seed=1)
    logits = model(inputs)["logits"]
    for name in ("spectra", "maps"):
        changed = model({**inputs, name: others[name]})["logits"]
        assert not torch.allclose(changed, logits, atol=1e-5)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"spectra": torch.zeros(2, 60)},
            r"spectra: expected shape \(B, 64\), got shape \(2, 6",
        ),
        ({"maps": torch.zeros(2, 2, 8)}, r"maps: expected shape \(B, 2, 8, 12\), got shape"),
        ({"spectra": None}, r"spectra: expected shape \(B, 64\), got none"),
    ],
)
def test_wrong_inputs(change, message):
    inputs = {name: x for name, x in {**batch(2), **change}.items() if x is not None}
    with pytest.raises(ConfigError, match=message):
        built("joint")(inputs)


def test_stages_that_do_not_fit():
    short = config("cnn", CNN.model_dump(mode="json"), {"spectra": (15,)}, logits=(2,))
    with pytest.raises(ConfigError, match="at most 1 stages"):
        build_model(short)


def test_other_outputs_have_heads_of_their_own():
    outputs = built("numbers")(batch(3))
    assert {name: out.shape for name, out in outputs.items()} == {"value": (3, 2)}


@pytest.mark.parametrize(
    ("name", "inputs", "outputs", "message"),
    [
        ("cnn", MAPS, {"logits": (5,)}, "expected spectra of 1 dimensions for cnn, got"),
        ("vit", MAPS, {"masks": (5, 8, 12)}, "expected vit to be asked for classes, tensors or"),
        ("unet", MAPS, {"logits": (5,)}, "expected unet to be asked for pixels, 8 x 12, got"),
        ("vit", {"maps": (1, 9, 9)}, {"logits": (5,)}, "expected a divisor of 9 and 9, got 4"),
        ("cmn", SPECTRA, {"logits": (5,)}, r"model: expected one of .*cnn.*, got 'cmn'"),
    ],
)
def test_what_does_not_fit_is_refused(name, inputs, outputs, message):
    options = {"unet": {"depth": 2}, "vit": {"patch": 4}}.get(name, {})
    with pytest.raises(ConfigError, match=message):
        build_model(config(name, options, inputs, **outputs))


@kinds
def test_bfloat16_is_near_float32(kind):
    model = built(kind).eval()
    inputs = batch(4)
    exact = model(inputs)
    with torch.autocast("cpu", torch.bfloat16):
        mixed = model(inputs)
    for name, out in exact.items():
        assert mixed[name].dtype == torch.bfloat16
        torch.testing.assert_close(mixed[name].float(), out, rtol=0.1, atol=0.02)


@pytest.mark.parametrize("kind", ["cnn", "convnext", "transformer", "vit", "plain vit"])
def test_it_learns(kind):
    """Sixteen samples by heart in a few steps: whatever is wired wrongly stops this."""
    model = built(kind).train()
    inputs = batch(16)
    optimiser = torch.optim.AdamW(model.parameters(), lr=1e-2)
    for step in range(80):
        torch.manual_seed(step)
        optimiser.zero_grad()
        functional.cross_entropy(model(inputs)["logits"], inputs["label"].long()).backward()
        optimiser.step()
    right = model.eval()(inputs)["logits"].argmax(dim=1) == inputs["label"]
    assert right.double().mean().item() >= 0.9


@pytest.mark.filterwarnings("ignore")  # those of torch's own tracing
def test_whole_graph_compiles():
    """Traced as one graph; ``backend="eager"`` leaves out the compiler of C++."""
    model = built("joint").train()
    traced = torch.compile(model, backend="eager", fullgraph=True)
    inputs = batch(4)
    torch.manual_seed(1)
    want = model(inputs)
    torch.manual_seed(1)
    got = traced(inputs)
    for name, out in want.items():
        torch.testing.assert_close(got[name], out)


@pytest.mark.exhaustive
def test_onnx_gives_the_same(tmp_path):
    pytest.importorskip("onnxscript", reason="exports to ONNX; install tersgen[onnx]")
    runtime = pytest.importorskip("onnxruntime", reason="runs what was exported to ONNX")
    model = built("joint").eval()
    inputs = {name: batch(2)[name] for name in ("spectra", "maps")}
    rows = torch.export.Dim("batch")
    path = tmp_path / "model.onnx"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # those of torch's own exporter
        program = torch.onnx.export(
            model,
            kwargs={"inputs": inputs},
            dynamo=True,
            dynamic_shapes={"inputs": {name: {0: rows} for name in inputs}},
            input_names=list(inputs),
            output_names=["logits", "tensors"],
            verbose=False,
        )
    program.save(path)
    session = runtime.InferenceSession(path, providers=["CPUExecutionProvider"])
    for n in (1, 7):
        other = batch(n, seed=n)
        got = session.run(["logits", "tensors"], {name: other[name].numpy() for name in inputs})
        for out, want in zip(got, model(other).values(), strict=True):
            np.testing.assert_allclose(out, want.detach().numpy(), rtol=1e-4, atol=1e-5)
