"""Whatever a checkpoint claims, it is refused in one line that names it, at the cost of its bytes.

All checksums are right: whoever wrote the file wanted it so.
"""

import copy
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import load, save
from xxhash import xxh3_128

from ters_train.engine.checkpoint import choose, load_checkpoint
from ters_train.engine.optimiser import Precision
from ters_train.engine.trained import load_trained
from tersgen.errors import ConfigError, DatasetError

CPU = torch.device("cpu")


def put_state(folder: Path, content: bytes) -> None:
    (folder / "state.json").write_bytes(content)
    (folder / "state.xxh128").write_text(xxh3_128(content).hexdigest())


def put_file(folder: Path, name: str, content: bytes) -> None:
    (folder / name).write_bytes(content)
    table = json.loads((folder / "state.json").read_text())
    table["files"][name] = {"bytes": len(content), "xxh128": xxh3_128(content).hexdigest()}
    put_state(folder, json.dumps(table).encode())


def put_tensors(folder: Path, file: str, change: Any) -> None:
    path = folder / f"{file}.safetensors"
    tensors = load(path.read_bytes())
    change(tensors)
    put_file(folder, path.name, save(tensors))


@pytest.fixture
def last(copied: Path) -> Path:
    """Return the newest checkpoint of a run that may be changed."""
    return sorted((copied / "checkpoints").glob("step-*"))[-1]


def refusal(folder: Path) -> str:
    """Return the line in which a checkpoint is refused."""
    with pytest.raises(DatasetError) as error:
        load_trained(folder, CPU)
    line = str(error.value)
    assert line.startswith(str(folder))
    assert "\n" not in line
    return line


@pytest.mark.parametrize("text", ["[]", "null", "3", '"a"', "", "{", "[" * 100_000, '{"a":1,"a":2}',
                                  "NaN", '{"format_version": 2}', '{"format_version": 3}',
                                  '{"format_version": 2, "config": 3}'])  # fmt: skip
def test_a_state_that_is_no_table(last, text) -> None:
    put_state(last, text.encode())
    assert "state.json: " in refusal(last)


def test_a_state_that_is_no_text(last) -> None:
    put_state(last, b"\xff\xfe\x00")
    assert "state.json: expected JSON" in refusal(last)


WIDTHS, POINTS = ("model", "options", "widths"), ("model", "inputs", "spectra")
LOGITS, CLASSES = ("model", "outputs", "logits"), ("task", "options", "n_classes")
SIZES = {
    "wide": (WIDTHS, [16000, 16000]),
    "wider than a number": (WIDTHS, [2**62, 2**62]),
    "many": (WIDTHS, [4] * 1_000_000),
    "negative": (WIDTHS, [-4, 8]),
    "long": (POINTS, [2**40]),
    "no points": (POINTS, [0]),
    "fewer points": (POINTS, [-64]),
    "dimensions": (POINTS, [1] * 100_000),
    "classes": (CLASSES, 2**31),
    "negative classes": (CLASSES, -1),
    "tensors": (("task", "options", "tensor_modes"), 2**31),
    "texts": (CLASSES, "3"),
    "lists": (POINTS, [[64]]),
    "infinite": (POINTS, [float("inf")]),
    "logits": (LOGITS, [2**20, 2**20]),
    "no name": (("model", "name"), "../cnn"),
    "another model": (("model", "name"), "vit"),
    "another task": (("task", "name"), "mixture"),
}


@pytest.mark.parametrize("name", SIZES)
def test_sizes_that_no_weights_are_there_for(last, name) -> None:
    path, value = SIZES[name]
    table = json.loads((last / "state.json").read_text())
    place = table["config"]
    for part in path[:-1]:
        place = place[part]
    place[path[-1]] = value
    put_state(last, json.dumps(table).encode())
    refusal(last)


@pytest.mark.parametrize(
    ("path", "value", "kind"),
    [
        (("model",), {"name": "os:system", "options": {"command": "touch {trace}"}}, "model"),
        (("task",), {"name": "subprocess:Popen", "options": {"args": ["touch"]}}, "task"),
        (("model",), {"name": "ters_train.parts:find", "options": {}}, "model"),
    ],
)
def test_a_function_of_a_module_is_not_called(runs, few, last, tmp_path, path, value, kind) -> None:
    """Neither does the command that the message names call it: it takes no module of Python's."""
    table = json.loads((last / "state.json").read_text())
    trace = tmp_path / "trace"
    text = json.dumps(value).replace("{trace}", str(trace))
    table["config"][path[0]] |= json.loads(text)
    put_state(last, json.dumps(table).encode())
    with pytest.raises(ConfigError, match=f"{kind} '{value['name']}': expected the module"):
        load_trained(last, CPU)
    module = value["name"].partition(":")[0]
    line = runs.bad("evaluate", last, "--data", few, "--plugin", module)
    assert "expected a module of your own" in line or "expected a class that derives from" in line
    assert not trace.exists()


PEAK = """
import resource, sys
from pathlib import Path
import torch
from ters_train.engine.trained import load_trained
from tersgen.errors import DatasetError
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
try:
    load_trained(Path(sys.argv[1]), torch.device("cpu"))
except DatasetError as error:
    print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) >> 10, error)
"""


@pytest.mark.exhaustive
def test_a_wide_model_takes_no_memory(last) -> None:
    table = json.loads((last / "state.json").read_text())
    table["config"]["model"]["options"] |= {"widths": [4, 16000, 16000], "kernel": 3}
    put_state(last, json.dumps(table).encode())
    done = subprocess.run(
        [sys.executable, "-c", PEAK, last], capture_output=True, text=True, check=True
    )
    mebibytes, line = done.stdout.split(" ", 1)
    assert "the weights are not the model's" in line
    assert int(mebibytes) < 200


def test_fewer_classes_than_outputs(last) -> None:
    table = json.loads((last / "state.json").read_text())
    table["classes"].pop()
    put_state(last, json.dumps(table).encode())
    assert "classes: expected 3, as many as the model has outputs, got 2" in refusal(last)


CHANGES = {
    "half": lambda t: t.update({k: v.half() for k, v in t.items()}),
    "whole numbers": lambda t: t.update({k: v.long() for k, v in t.items()}),
    "another shape": lambda t: t.update({"classes.linear.bias": torch.zeros(7)}),
    "no shape": lambda t: t.update({"classes.linear.bias": torch.zeros(())}),
    "one less": lambda t: t.pop("classes.linear.bias"),
    "one more": lambda t: t.update({"more\x1b[31m": torch.zeros(1)}),
    "none": lambda t: t.clear(),
}


@pytest.mark.parametrize("name", CHANGES)
def test_weights_that_are_not_the_models(last, name) -> None:
    for file in ("model", "average"):
        put_tensors(last, file, CHANGES[name])
    line = refusal(last)
    assert "the weights are not the model's" in line
    assert line.isprintable()


@pytest.mark.parametrize("name", ["another shape", "one less", "another type", "unknown"])
def test_optimiser_tensors_that_are_not_the_models(runs, copied, name) -> None:
    def change(tensors):
        key = "classes.linear.weight/exp_avg"
        if name == "another shape":
            tensors[key] = torch.zeros(7)
        elif name == "one less":
            del tensors[key]
        elif name == "another type":
            tensors[key] = tensors[key].long()
        else:
            tensors["nobody/step"] = torch.zeros(())

    shutil.rmtree(copied / "checkpoints/step-000000045")
    (folder,) = (copied / "checkpoints").glob("step-*")
    put_tensors(folder, "optimiser", change)
    line = runs.bad("fit", "--resume", copied)
    assert f"{folder}: the optimiser's state is not the model's: " in line


def header(table: Any, data: bytes = b"") -> bytes:
    text = table if isinstance(table, bytes) else json.dumps(table).encode()
    return len(text).to_bytes(8, "little") + text + data


def entry(**other: Any) -> dict[str, Any]:
    return {"w": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]} | other}


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff" * 8,
        (1 << 40).to_bytes(8, "little"),
        header(b"[]"),
        header(b"null"),
        header(b"{"),
        header({"w": None}),
        header(entry(shape=[2**62, 2**62]), b"0" * 4),
        header(entry(shape=[-1]), b"0" * 4),
        header(entry(shape="1"), b"0" * 4),
        header(entry(data_offsets=[0, 2**63]), b"0" * 4),
        header(entry(data_offsets=[4, 0]), b"0" * 4),
        header(entry(dtype="F4"), b"0" * 4),
        header(entry(dtype="F8_E8M0", data_offsets=[0, 1]), b"0"),
        header(entry(dtype="C64", data_offsets=[0, 8]), b"0" * 8),
        header({"__metadata__": {"a": 1}}),
    ],
)
def test_headers_of_tensors(last, content) -> None:
    for name in ("model.safetensors", "average.safetensors"):
        put_file(last, name, content)
    refusal(last)


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Return the paths of all values inside of one."""
    inside = value.items() if isinstance(value, dict) else enumerate(value)
    found = [path] if path else []
    for key, one in inside:
        deeper = isinstance(one, dict | list)
        found += places(one, (*path, key)) if deeper else [(*path, key)]
    return found


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)
    | st.sampled_from([0, -1, 2**31, 2**63, 10**30, 1e308, "", "\x1b[2J", "a" * 300]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner,
                                                               max_size=3),
    max_leaves=5,
)  # fmt: skip


@given(data=st.data())
def test_any_edit_of_a_state(finished, tmp_path_factory, data) -> None:
    """It is loaded as it stands, or refused with one line: no other error, and no hang."""
    source = choose(finished).folder
    table = json.loads((source / "state.json").read_text())
    edited = copy.deepcopy(table)
    for _ in range(data.draw(st.integers(1, 2))):
        path = data.draw(st.sampled_from(places(table)))
        place = edited
        try:
            for part in path[:-1]:
                place = place[part]
            place[path[-1]] = data.draw(ANYTHING)
        except (KeyError, IndexError, TypeError):
            continue  # the first edit took its place away
    folder = tmp_path_factory.mktemp("edited") / source.name
    shutil.copytree(source, folder)
    put_state(folder, json.dumps(edited).encode("utf-8", "surrogatepass"))
    try:
        trained = load_trained(folder, CPU)
    except DatasetError as error:
        assert str(error).startswith(str(folder))  # noqa: PT017
        assert str(error).isprintable()  # noqa: PT017
    except ValueError as error:  # of the transforms, which are checked with the shapes of the data
        assert type(error).__name__ == "ConfigError"  # noqa: PT017
    else:
        assert len(trained.state.classes) == trained.task.n_classes
    shutil.rmtree(folder.parent)


@given(data=st.data())
def test_any_edit_of_a_header(finished, tmp_path_factory, data) -> None:
    source = choose(finished).folder
    content = (source / "model.safetensors").read_bytes()
    size = int.from_bytes(content[:8], "little")
    table = json.loads(content[8 : 8 + size])
    path = data.draw(st.sampled_from(places(table)))
    place = table
    for part in path[:-1]:
        place = place[part]
    place[path[-1]] = data.draw(ANYTHING)
    folder = tmp_path_factory.mktemp("edited") / source.name
    shutil.copytree(source, folder)
    changed = header(json.dumps(table).encode("utf-8", "surrogatepass"), content[8 + size :])
    put_file(folder, "model.safetensors", changed)
    try:
        load_trained(folder, CPU)
    except DatasetError as error:
        assert str(error).startswith(str(folder))  # noqa: PT017
        assert str(error).isprintable()  # noqa: PT017
    shutil.rmtree(folder.parent)


@pytest.mark.parametrize("bad", [{"scale": "a"}, {"scale": -1.0}, {"scale": None}, {"more": 1}])
def test_a_loss_scale_that_is_none(bad) -> None:
    precision = Precision("fp16", CPU)
    with pytest.raises(DatasetError, match=r"^here: scaler: expected "):
        precision.load_state_dict({**precision.state_dict(), **bad}, "here")


def test_the_order_of_another_split_is_not_gone_on_with(runs, copied) -> None:
    folders = sorted((copied / "checkpoints").glob("step-*"))
    for folder in folders:
        assert load_checkpoint(folder).state.order is not None
        table = json.loads((folder / "state.json").read_text())
        table["order"] = "0" * 64
        put_state(folder, json.dumps(table).encode())
    line = runs.bad("fit", "--resume", copied)
    assert "expected train of split 'default' as it was when the run was started" in line


def test_names_of_classes_steer_no_terminal(runs, copied, few, tmp_path) -> None:
    for folder in (copied / "checkpoints").iterdir():
        table = json.loads((folder / "state.json").read_text())
        table["classes"][:] = [f"{name}\x1b[2J\nMORE" for name in table["classes"]]
        put_state(folder, json.dumps(table).encode())
    spectrum = tmp_path / "a.txt"
    spectrum.write_text("".join(f"{100 + 65 * k} {k % 7}\n" for k in range(64)))
    done = runs.good("predict", copied, spectrum)
    assert all(line.isprintable() for line in done.stdout.splitlines())
    assert r"\x1b[2J\nMORE" in done.stdout
    done = runs.run("evaluate", copied, "--data", few)
    assert "\x1b" not in done.stdout + done.stderr
