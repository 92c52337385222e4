"""Parts from outside fit, are resumed, evaluated, predicted and exported as ours are."""

import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

import tersgen

STEPS = ("--batch-size", 32, "--epochs", 2, "--checkpoint-steps", 4)
TRAIN = "ters_train.engine.trainer:Trainer.train"
KINDS = {
    "entry points": [
        "--model", "bands", "--task", "widths", "--callback", "lines", "--transform", "gain",
        "--set", "model.options.n_bands=8", "--lr", 0.01,
    ],
    "own module": ["--model", "my_net:Net", "--set", "model.options.width=8"],
    "regression": ["--task", "regression", "--set", "task.options.column=params/width", "--set",
                   "model.options.widths=[4,8]"],
}  # fmt: skip


@pytest.fixture(scope="module")
def paths(installed, scripts):
    return [installed, scripts]


@pytest.fixture(scope="module")
def done(runs, few, paths, tmp_path_factory):
    """Return a function that returns a run of a kind that nothing disturbed, with its report."""
    there: dict[str, Path] = {}

    def run(kind: str) -> Path:
        if kind not in there:
            there[kind] = tmp_path_factory.mktemp("runs") / "run"
            out = ("--out", there[kind])
            runs.good("fit", "--data", few, *out, *KINDS[kind], *STEPS, paths=paths, report=True)
        return there[kind]

    return run


def given(kind: str, scripts: Path) -> tuple[object, ...]:
    """Return what has to be given for a run of a kind to be opened."""
    return ("--plugin", scripts / "my_net.py") if kind == "own module" else ()


def spectrum(few: Path, folder: Path) -> Path:
    """Write the spectrum of a row as a text of two columns."""
    dataset = tersgen.open(few)
    path = folder / "seven.txt"
    np.savetxt(path, np.column_stack([dataset.shift_cm1, dataset["spectra"][7].astype(float)]))
    return path


def logged(run: Path) -> list[dict]:
    return [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]


def weights(run: Path) -> dict[str, np.ndarray]:
    folder = sorted((run / "checkpoints").glob("step-*"))[-1]
    return load_file(folder / "model.safetensors")


@pytest.mark.exhaustive
@pytest.mark.parametrize("kind", KINDS)
def test_a_stopped_run_ends_with_the_same_weights(runs, few, paths, scripts, done, kind, tmp_path):
    out = tmp_path / "run"
    how = {"paths": paths, "signal_at": (TRAIN, 19, signal.SIGINT)}
    stopped = runs.run("fit", "--data", few, "--out", out, *KINDS[kind], *STEPS, **how)
    assert stopped.returncode == 130, stopped.stderr
    runs.good("fit", "--resume", out, *given(kind, scripts), paths=paths)
    wanted, found = weights(done(kind)), weights(out)
    assert found.keys() == wanted.keys()
    for name, value in wanted.items():
        np.testing.assert_array_equal(found[name], value, err_msg=name)


@pytest.mark.parametrize(
    "kind",
    [
        "entry points", "own module",
        pytest.param("regression", marks=pytest.mark.exhaustive),
    ],
)  # fmt: skip
def test_it_is_evaluated_and_reported(runs, few, paths, scripts, done, kind, tmp_path):
    run = done(kind)
    out = tmp_path / "scores"
    command = ("evaluate", run, "--data", few, "--json", "--out", out, *given(kind, scripts))
    scores = json.loads(runs.good(*command, paths=paths, report=True).stdout)
    assert scores["n_samples"] == 60
    first = {"entry points": "off", "own module": "accuracy", "regression": "mae"}[kind]
    assert scores[first] == json.loads((out / "scores.json").read_text())[first] > 0
    for folder in (run, out):
        assert "<h2>Result</h2>" in (folder / "report.html").read_text()
        assert "## Limits" in (folder / "model_card.md").read_text()
    assert first in logged(run)[-1]


@pytest.mark.exhaustive
@pytest.mark.parametrize("kind", KINDS)
def test_it_predicts_what_the_exported_file_does(runs, few, paths, scripts, done, kind, tmp_path):
    runtime = pytest.importorskip("onnxruntime", reason="runs what was exported to ONNX")
    run, more = done(kind), given(kind, scripts)
    command = ("predict", run, spectrum(few, tmp_path), "--json", *more)
    (said,) = json.loads(runs.good(*command, paths=paths).stdout)
    path = tmp_path / "model.onnx"
    runs.good("export", run, "--onnx", path, *more, paths=paths)
    session = runtime.InferenceSession(path, providers=["CPUExecutionProvider"])
    row = tersgen.open(few)["spectra"][7:8].astype(np.float32)
    given_rows = {"spectra": row, "measured": np.ones_like(row)}
    fed = {one.name: given_rows[one.name] for one in session.get_inputs()}
    names = [one.name for one in session.get_outputs()]
    results = dict(zip(names, session.run(None, fed), strict=True))
    if kind == "own module":
        best = said["species"][0]
        assert best["probability"] == pytest.approx(results["probabilities"].max(), abs=1e-3)
    elif kind == "regression":
        assert said["value"] == pytest.approx(results["value"].item(), abs=1e-3)
        assert (said["column"], said["unit"]) == ("params/width", "1")
    else:
        assert said["log_width"] == pytest.approx(results["log_width"][0].tolist(), abs=1e-2)


def test_a_callback_is_told_of_all_that_happens(done):
    lines = (done("entry points") / "lines.txt").read_text().splitlines()
    log = logged(done("entry points"))
    assert lines[0] == "start bands 0 of 30"
    assert lines[-1] == "end 30 True"
    steps = [line.split()[1:] for line in lines if line.startswith("step ")]
    assert steps == [[str(e["step"]), str(e["loss"])] for e in log if e["part"] == "train"]
    epochs = [line.split()[1:] for line in lines if line.startswith("epoch ")]
    assert epochs == [[str(e["epoch"]), str(e["loss"])] for e in log if e["part"] == "val"]


def test_a_transform_changes_training_rows_alone_and_always_the_same(few):
    import torch

    from ters_train.config import PartConfig, TransformConfig
    from ters_train.data.transforms import Transforms
    from ters_train.parts import use_plugins

    use_plugins([str(Path(__file__).parents[2] / "plugin_package/src/ters_example/callbacks.py")])
    gain = PartConfig(name="callbacks:Gain", options={"spread": 0.5})
    config = TransformConfig(plugins=(gain, gain), standardise=False)
    rows = tersgen.open(few)["spectra"][:20]
    batch = {"spectra": torch.from_numpy(rows), "row": torch.arange(20)}
    transforms = Transforms(config, 3, {"spectra": (64,)})
    changed = transforms(batch, 1, train=True)["spectra"]
    factors = changed.amax(dim=1) / batch["spectra"].float().amax(dim=1)
    assert ((factors >= 0.25) & (factors <= 1)).all()
    assert len(set(factors.tolist())) == 20
    part = {name: value[[17, 4]] for name, value in batch.items()}
    assert torch.equal(transforms(part, 1, train=True)["spectra"], changed[[17, 4]])
    assert not torch.equal(transforms(batch, 2, train=True)["spectra"], changed)
    assert torch.equal(transforms(batch, 1, train=False)["spectra"], batch["spectra"].float())
    once = TransformConfig(plugins=(gain,), standardise=False)
    single = Transforms(once, 3, {"spectra": (64,)})(batch, 1, train=True)["spectra"]
    squared = single.square() / batch["spectra"].float().clamp(min=1e-6)
    assert not torch.allclose(changed, squared, atol=1e-3), "the second draws numbers of its own"


@pytest.mark.parametrize(
    ("returned", "words"),
    [
        ("None", "got NoneType; return {**batch, ...}"),
        ("{'spectra': batch['spectra']}", "got no row;"),
        ("{**batch, 'spectra': batch['spectra'][:, :9]}", r"got spectra of (4, 9) instead of"),
        ("{**batch, 'row': 5}", "got row of int instead of (4,)"),
    ],
)
def test_a_transform_that_returns_no_batch_is_one_line(tmp_path, monkeypatch, returned, words):
    import torch

    from ters_train import parts
    from ters_train.config import PartConfig, TransformConfig
    from ters_train.data.transforms import Transforms
    from ters_train.errors import PluginError

    monkeypatch.setattr(parts, "_modules", {})
    monkeypatch.delitem(sys.modules, "no_batch", raising=False)
    (tmp_path / "no_batch.py").write_text(f"def change(batch, draws):\n    return {returned}\n")
    parts.use_plugins([str(tmp_path / "no_batch.py")])
    config = TransformConfig(plugins=(PartConfig(name="no_batch:change"),))
    batch = {"spectra": torch.zeros(4, 16), "row": torch.arange(4)}
    with pytest.raises(PluginError, match="transform 'no_batch:change': expected a dict") as error:
        Transforms(config, 3, {"spectra": (16,)})(batch, 0, train=True)
    assert words in str(error.value)
    assert "\n" not in str(error.value)
    monkeypatch.delitem(sys.modules, "no_batch")


def test_no_code_is_run_because_a_checkpoint_names_it(runs, few, paths, done, tmp_path):
    """Without the package, and with a module of that name that would leave a trace."""
    trap = tmp_path / "path"
    trap.mkdir()
    trace = tmp_path / "trace"
    code = f"open({str(trace)!r}, 'w').close()\nclass Net: pass\n"
    for name in ("ters_example", "my_net"):
        (trap / f"{name}.py").write_text(code)
    line = runs.bad("evaluate", done("entry points"), "--data", few, paths=[trap])
    assert "expected model 'bands' of package ters-example 0.1, digest" in line
    assert "pip install ters-example==0.1, or give --plugin ters_example" in line
    line = runs.bad("evaluate", done("own module"), "--data", few, paths=[trap])
    assert "expected model 'my_net:Net' of module my_net, digest" in line
    assert "give it: --plugin my_net" in line
    run = shutil.copytree(done("own module"), tmp_path / "run")
    shutil.rmtree(sorted((run / "checkpoints").glob("step-*"))[-1])
    assert "give it: --plugin my_net" in runs.bad("fit", "--resume", run, paths=[trap])
    for command in (("predict", run, few), ("export", run, "--onnx", tmp_path / "m.onnx")):
        assert "give it: --plugin my_net" in runs.bad(*command, paths=[trap])
    assert not trace.exists()


def test_a_changed_plugin_is_warned_of(runs, few, scripts, done, tmp_path):
    changed = tmp_path / "my_net.py"
    changed.write_text((scripts / "my_net.py").read_text() + "\n# another line\n")
    same = runs.good("evaluate", done("own module"), "--data", few, "--plugin",
                     scripts / "my_net.py")  # fmt: skip
    assert "Warning" not in same.stderr
    other = runs.good("evaluate", done("own module"), "--data", few, "--plugin", changed)
    assert other.stderr.count("Warning: ") == 1
    assert "model 'my_net:Net' was trained with module my_net, digest" in other.stderr
    assert other.stdout == same.stdout


def test_plugins_and_callbacks_of_a_configuration_file(runs, few, installed, tmp_path):
    (tmp_path / "run.toml").write_text(
        'plugins = ["ters_example.callbacks"]\n'
        'callbacks = [{name = "ters_example.callbacks:Lines", options = {name = "own.txt"}}]\n'
        '[model]\nname = "bands"\noptions = {n_bands = 4}\n[task]\nname = "regression"\n'
        'options = {column = "params/orientation", component = 2}\n'
    )
    out = tmp_path / "run"
    arguments = ("--data", few, "--config", tmp_path / "run.toml", "--out", out, "--epochs", 1)
    runs.good("fit", *arguments, paths=[installed])
    config = json.loads((out / "config.json").read_text())
    values = tersgen.open(few)["params/orientation"][:][tersgen.open(few).rows_in("train"), 2]
    options = config["task"]["options"]
    assert options["mean"] == pytest.approx(values.astype(float).mean(), abs=1e-9)
    assert options["deviation"] == pytest.approx(values.astype(float).std(), abs=1e-9)
    assert (options["component"], options["unit"]) == ([2], "1")
    assert config["model"]["options"] == {"n_bands": 4}
    assert {one["package"] for one in config["plugins"]} == {"ters-example"}
    assert (out / "own.txt").read_text().startswith("start bands 0 of ")


BAD = {
    "no such model": (["--model", "band"], "got 'band'"),
    "an argument that is not taken": (["--model", "cnn:deep"], "takes no argument, got 'cnn:deep'"),
    "no such class": (["--model", "my_net:Nets"], "my_net: expected one of Net, got 'Nets' (did"),
    "no such callback": (["--callback", "line"], "expected one of lines, or MODULE:NAME"),
    "a class number": (
        ["--task", "regression", "--set", "task.options.column=label"],
        "label: expected a quantity, got numbers of classes",
    ),
    "no such module": (["--model", "nowhere:Net"], "expected a module that can be imported"),
    "an unknown option": (["--model", "bands", "--set", "model.options.bands=3"], "bands: unknown"),
    "an option of no keyword": (
        ["--model", "my_net:Net", "--set", "model.options.depth=3"],
        "unexpected keyword argument 'depth'",
    ),
    "input of another kind": (["--model", "bands", "--input", "map"], "expected vit for input 'ma"),
    "a model that fails": (
        ["--model", "my_net:Net", "--input", "map"],
        "model 'my_net:Net' (my_net): RuntimeError: mat1 and mat2",
    ),
    "no column": (["--task", "regression"], "task.options.column: expected the array to predict"),
    "no such column": (
        ["--task", "regression", "--set", "task.options.column=params/size"],
        "expected the field params/size for task.options.column",
    ),
    "misspelt column": (
        ["--task", "regression", "--set", "task.options.column=params/widht"],
        "(did you mean 'params/width'?)",
    ),
    "no component": (
        ["--task", "regression", "--set", "task.options.column=params/orientation"],
        "expected an index for each dimension of params/orientation, [4], got []",
    ),
    "pixels of a CNN": (["--model", "unet", "--input", "map", "--task", "regression", "--set",
                         "task.options.column=params/width"], "unet to be asked for pixels"),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_bad_input(runs, few, paths, tmp_path, name):
    arguments, text = BAD[name]
    out = tmp_path / "run"
    line = runs.bad("fit", "--data", few, *arguments, "--out", out, paths=paths)
    assert text in line
    assert not out.exists()


CALLBACKS = """
class Misspelt:
    def on_epcoh(self, epoch, scores):
        pass

class Deaf:
    def epoch(self):
        pass

def line():
    pass
"""


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("Misspelt", "on_end, got 'on_epcoh' (did you mean 'on_epoch'?)"),
        ("Deaf", "expected a class with hooks, of on_start, on_step, on_epoch, on_end, got none"),
        ("lines", "expected one of Misspelt, Deaf, line, got 'lines' (did you mean 'line'?)"),
    ],
)
def test_a_callback_that_would_never_be_called_is_refused(runs, few, tmp_path, name, text):
    (tmp_path / "mine.py").write_text(CALLBACKS)
    arguments = ("--data", few, "--callback", f"mine:{name}", "--out", tmp_path / "run")
    assert text in runs.bad("fit", *arguments, code=2, paths=[tmp_path])
    assert not (tmp_path / "run").exists()


def test_the_command_that_resumes_a_run_works_as_it_is_printed(runs, few, scripts, tmp_path):
    folder, out = tmp_path / "my parts", tmp_path / "my run"
    shutil.copytree(scripts, folder)
    arguments = ("--data", few, "--out", out, *KINDS["own module"], *STEPS)
    plugin = ("--plugin", folder / "my_net.py")
    how = {"signal_at": (TRAIN, 7, signal.SIGTERM)}
    stopped = runs.run("fit", *arguments, *plugin, **how)
    assert stopped.returncode == 143, stopped.stderr
    command = stopped.stderr.splitlines()[-1].partition("; resume: ")[2]
    words = shlex.split(command)
    assert words == ["ters-train", "fit", "--resume", str(out), *map(str, plugin)]
    runs.good(*words[1:])


def test_a_callback_that_fails_is_named(runs, few, tmp_path):
    (tmp_path / "broken.py").write_text(
        "class Log:\n    def on_epoch(self, epoch, scores):\n        return scores['x']\n"
    )
    arguments = ("--data", few, "--callback", "broken:Log", "--epochs", 1, "--out", tmp_path / "r")
    line = runs.bad("fit", *arguments, "--set", "model.options.widths=[4]", paths=[tmp_path])
    assert "on_epoch of callback 'broken:Log' (broken): KeyError: 'x'" in line
    assert "broken.py:3" in line


@pytest.mark.exhaustive
@pytest.mark.parametrize(
    ("model", "kind"), [("timm:convnext_atto", "spectrum"), ("timm:vit_tiny_patch16_224", "map")]
)
def test_a_model_of_timm(runs, few, timm_paths, model, kind, tmp_path):
    out, how = tmp_path / "run", {"paths": timm_paths}
    steps = ("--batch-size", 32, "--epochs", 1, "--lr", 1e-3)
    runs.good("fit", "--data", few, "--model", model, "--input", kind, *steps, "--out", out, **how)
    config = json.loads((out / "config.json").read_text())
    assert config["model"]["name"] == model
    assert config["plugins"] == []
    runs.good("evaluate", out, "--data", few, **how)
    runs.good("export", out, "--onnx", tmp_path / "m.onnx", **how)


@pytest.mark.exhaustive
def test_a_torchvision_of_another_torch_is_one_line(runs, few, timm_paths, tmp_path):
    """What a torchvision raises whose operators torch does not have, at the same place."""
    (tmp_path / "torchvision.py").write_text(
        "import torch\n\n@torch.library.register_fake('torchvision::nms')\ndef nms(): ...\n"
    )
    paths = [tmp_path, *(path for path in timm_paths if path.name != "stand_ins")]
    model = ("--model", "timm:convnext_atto")
    line = runs.bad("fit", "--data", few, "--out", tmp_path / "run", *model, paths=paths)
    assert "timm:convnext_atto needs a torchvision built for torch " in line
    assert "operator torchvision::nms does not exist" in line


@pytest.mark.exhaustive
def test_what_timm_does_not_have_is_refused(runs, few, timm_paths, tmp_path):
    fit = ("fit", "--data", few, "--out", tmp_path / "run")
    line = runs.bad(*fit, "--model", "timm:convnext_attu", paths=timm_paths)
    assert "timm:convnext_atto" in line
    loads = ("--set", "model.options.arguments={checkpoint_path: x}")
    line = runs.bad(*fit, "--model", "timm:convnext_atto", *loads, paths=timm_paths)
    assert "expected no checkpoint_path" in line


def test_two_processes_score_as_one(runs, few, done, tmp_path):
    """Sums are added up over processes: the scores are those of the same steps of one."""
    out = tmp_path / "run"
    both = runs.group(2, "fit", "--data", few, "--out", out, *KINDS["regression"], *STEPS)
    assert [one.returncode for one in both] == [0, 0], both
    one, two = (json.loads((run / "scores.json").read_text()) for run in (done("regression"), out))
    assert two["n_samples"] == one["n_samples"] == 60
    scored = runs.good("evaluate", out, "--data", few, "--part", "val", "--json").stdout
    for name in ("mae", "rmse", "r2", "loss"):
        assert two[name] == pytest.approx(json.loads(scored)[name], rel=1e-6)


@pytest.mark.exhaustive
def test_in_a_process_of_its_own(few, installed, tmp_path):
    """The command as a user types it, with the package on the path of Python."""
    command = [
        sys.executable, "-m", "ters_train", "fit", "--data", few, "--model", "bands", "--epochs",
        1, "--out", tmp_path / "run", "--quiet",
    ]  # fmt: skip
    path = os.pathsep.join([str(installed), *filter(None, [os.environ.get("PYTHONPATH")])])
    environment = {**os.environ, "PYTHONPATH": path, "MPLBACKEND": "Agg"}
    done = subprocess.run(
        [*map(str, command)], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "best on val: " in done.stdout


def test_a_module_registers_names(runs, few, tmp_path):
    (tmp_path / "parts.py").write_text(
        "from tersgen.plugins import register\n"
        "from ters_train.models.cnn import CnnModel\n\n\n"
        '@register("ters_train.models", "mine")\n'
        "class Mine(CnnModel):\n    pass\n"
    )
    plugin = ("--plugin", tmp_path / "parts.py")
    fit = ("fit", "--data", few, "--epochs", 1, "--set", "model.options.widths=[4]")
    runs.good(*fit, *plugin, "--model", "mine", "--out", tmp_path / "run")
    (used,) = json.loads((tmp_path / "run/config.json").read_text())["plugins"]
    assert (used["name"], used["module"], used["package"]) == ("mine", "parts", None)
    runs.good("evaluate", tmp_path / "run", "--data", few, *plugin)
    assert "give it: --plugin parts" in runs.bad("evaluate", tmp_path / "run", "--data", few)
    (tmp_path / "parts.py").write_text((tmp_path / "parts.py").read_text().replace("mine", "cnn"))
    line = runs.bad(*fit, *plugin, "--out", tmp_path / "other")
    assert "expected one part of the name 'cnn'" in line


@pytest.mark.exhaustive
def test_the_task_of_the_page_is_fitted_as_it_says(runs, few, tmp_path):
    page = (Path(__file__).parents[3] / "docs" / "extending_training.md").read_text()
    (code,) = re.findall(r"<!-- task: code -->\n```python\n(.*?)```\n", page, re.DOTALL)
    (command,) = re.findall(r"<!-- task: commands -->\n```\nters-train (.*?)\n```\n", page)
    (tmp_path / "widths.py").write_text(code)
    places = {"data.zarr": few, "widths.py": tmp_path / "widths.py", "run": tmp_path / "run"}
    words = [places.get(word, word) for word in command.split()]
    runs.good(*words, "--set", "model.options.widths=[4,8]", *STEPS)
    scores = [entry for entry in logged(tmp_path / "run") if entry["part"] == "val"]
    assert scores
    assert all(0 < entry["off"] < 5 for entry in scores)
