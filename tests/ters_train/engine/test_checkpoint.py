"""A checkpoint is whole or skipped, and nothing in it is run, followed or waited for."""

import json
import os
import pickle
import shutil
import signal
import subprocess
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from xxhash import xxh3_128

from ters_train.config import DataConfig, ModelConfig, PartConfig, RunConfig
from ters_train.engine.checkpoint import (
    Best,
    Position,
    State,
    choose,
    load_checkpoint,
    newest,
    prune,
    save_checkpoint,
)
from tersgen.errors import DatasetError, OutputError

CONFIG = RunConfig(
    data=DataConfig(path="data.zarr"),
    model=ModelConfig(name="cnn", inputs={"spectra": (64,)}, outputs={"logits": (2,)}),
    task=PartConfig(name="classification", options={"n_classes": 2}),
)
SAVE = "ters_train.engine.run:Run.save"
WEIGHTS = {"model": {"w": torch.arange(6.0).reshape(2, 3)}, "optimiser": {"w/step": torch.ones(())}}


def state(step: int, best: int | None = None) -> State:
    found = None if best is None else Best(score=0.5, epoch=0, step=best)
    return State(position=Position(step=step, best=found), config=CONFIG, classes=("a", "b"))


def names(run: Path) -> list[str]:
    return sorted(path.name for path in (run / "checkpoints").iterdir())


def steps(run: Path) -> list[Path]:
    return sorted((run / "checkpoints").glob("step-*"))


def sign(folder: Path) -> None:
    """Make the checksum of a state that was changed right again."""
    content = (folder / "state.json").read_bytes()
    (folder / "state.xxh128").write_text(xxh3_128(content).hexdigest())


def test_what_is_saved_is_loaded(tmp_path) -> None:
    folder = save_checkpoint(tmp_path, state(7, 3), WEIGHTS)
    assert names(tmp_path) == ["step-000000007"]
    found = load_checkpoint(folder)
    assert found.state.position == state(7, 3).position
    assert found.state.config == CONFIG
    assert found.tensors.keys() == WEIGHTS.keys()
    torch.testing.assert_close(found.tensors, WEIGHTS, rtol=0, atol=0)


def test_one_of_the_same_step_is_replaced(tmp_path) -> None:
    save_checkpoint(tmp_path, state(7), WEIGHTS)
    save_checkpoint(tmp_path, state(7, 3), {"model": {"w": torch.zeros(1)}})
    assert names(tmp_path) == ["step-000000007"]
    assert newest(tmp_path)[0].tensors["model"]["w"].shape == (1,)


@pytest.mark.parametrize(
    ("position", "best", "keep", "left"),
    [
        (4, None, 2, ["step-000000003", "step-000000004"]),
        (4, 2, 1, ["best-000000002", "step-000000004"]),
        (5, 4, 9, ["best-000000004", *(f"step-{n:09d}" for n in (1, 2, 3, 4, 5))]),
        # a resume went back to 3: what is behind it was torn, or is not yet come to again
        (3, 2, 2, ["best-000000002", "step-000000002", "step-000000003"]),
    ],
)
def test_the_last_and_the_best_are_kept(tmp_path, position, best, keep, left) -> None:
    for step in range(1, 6):
        save_checkpoint(tmp_path, state(step), WEIGHTS)
        if step in (2, 4):
            save_checkpoint(tmp_path, state(step), WEIGHTS, best=True)
    (tmp_path / "checkpoints/step-000000009.partial").mkdir()
    (tmp_path / "checkpoints/step-000000009.replaced").mkdir()
    (tmp_path / "checkpoints/mine").mkdir()
    prune(tmp_path, state(position, best).position, keep)
    assert names(tmp_path) == sorted(["mine", *left])


def test_a_finished_run_keeps_the_last_two_and_the_best(finished) -> None:
    log = [json.loads(line) for line in (finished / "log.jsonl").read_text().splitlines()]
    scores = {entry["step"]: entry["macro_f1"] for entry in log if entry["part"] == "val"}
    best = max(scores, key=lambda step: scores[step])
    assert list(scores) == [15, 30, 45]
    assert names(finished) == [f"best-{best:09d}", "step-000000044", "step-000000045"]


def truncate(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


FOREIGN = {
    "a file beside": lambda folder: (folder / "notes.txt").write_text("mine"),
    "a folder inside": lambda folder: (folder / "state.json.d").mkdir(),
    "a folder in the place of weights": lambda folder: swap(folder / "model.safetensors"),
}


def swap(path: Path) -> None:
    path.unlink()
    path.mkdir()
    (path / "mine").write_text("mine")


def tree(place: Path) -> dict[str, bytes | None]:
    found = sorted(place.rglob("*"))
    return {str(p.relative_to(place)): p.read_bytes() if p.is_file() else None for p in found}


@pytest.mark.parametrize("what", FOREIGN)
@pytest.mark.parametrize("ending", ["", ".partial", ".replaced"])
def test_what_no_run_has_made_is_neither_removed_nor_replaced(tmp_path, what, ending) -> None:
    folder = save_checkpoint(tmp_path, state(7), WEIGHTS)
    if ending:
        folder = folder.rename(folder.with_name(folder.name + ending))
    FOREIGN[what](folder)
    (tmp_path / "checkpoints/mine.partial").mkdir()
    (tmp_path / "checkpoints/mine.partial/file").write_text("mine")
    before = tree(tmp_path)
    with pytest.raises(OutputError, match="got what no run has made; move it away"):
        save_checkpoint(tmp_path, state(7), WEIGHTS)
    assert tree(tmp_path) == before
    prune(tmp_path, state(9).position, 1)
    assert tree(tmp_path) == before


def test_a_link_in_the_place_of_a_folder_that_a_save_makes_stays(tmp_path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "checkpoints").mkdir()
    partial = tmp_path / "checkpoints/step-000000007.partial"
    partial.symlink_to(tmp_path / "mine")
    with pytest.raises(OutputError, match="got what no run has made"):
        save_checkpoint(tmp_path, state(7), WEIGHTS)
    prune(tmp_path, state(9).position, 1)
    assert partial.is_symlink()


def link(path: Path) -> None:
    """Put a link to the very content in the place of a file."""
    aside = path.parents[2] / path.name
    path.rename(aside)
    path.symlink_to(aside)


def pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


DAMAGES = {
    "torn weights": ("model.safetensors", truncate),
    "empty weights": ("optimiser.safetensors", lambda path: path.write_bytes(b"")),
    "no weights": ("average.safetensors", Path.unlink),
    "torn state": ("state.json", truncate),
    "no state": ("state.json", Path.unlink),
    "no checksum": ("state.xxh128", Path.unlink),
    "link to weights": ("model.safetensors", link),
    "link to state": ("state.json", link),
    "pipe for weights": ("model.safetensors", pipe),
    "pipe for state": ("state.json", pipe),
    "folder for weights": ("model.safetensors", lambda path: (path.unlink(), path.mkdir())),
}


@pytest.mark.parametrize("name", DAMAGES)
def test_a_torn_one_is_passed_over(copied, name) -> None:
    file, damage = DAMAGES[name]
    before, last = steps(copied)
    damage(last / file)
    found, wrong = newest(copied)
    assert found is not None
    assert found.folder == before
    assert len(wrong) == 1
    assert str(last) in wrong[0]


@given(data=st.data())
def test_any_flipped_bit_is_noticed(finished, tmp_path_factory, data) -> None:
    last = steps(finished)[-1]
    file = data.draw(st.sampled_from(sorted(path.name for path in last.iterdir())))
    content = bytearray((last / file).read_bytes())
    bit = data.draw(st.integers(0, 8 * len(content) - 1))
    content[bit // 8] ^= 1 << bit % 8
    folder = tmp_path_factory.mktemp("flipped") / "step-000000045"
    shutil.copytree(last, folder)
    (folder / file).write_bytes(content)
    with pytest.raises(DatasetError):
        load_checkpoint(folder)
    shutil.rmtree(folder)


def test_links_to_checkpoints_are_not_followed(copied, tmp_path) -> None:
    elsewhere = tmp_path / "elsewhere"
    steps(copied)[-1].rename(elsewhere)
    (copied / "checkpoints/step-000000045").symlink_to(elsewhere)
    found, wrong = newest(copied)
    assert found is not None
    assert found.state.position.step == 44
    assert wrong == []
    (copied / "checkpoints").rename(tmp_path / "all")
    (copied / "checkpoints").symlink_to(tmp_path / "all")
    assert newest(copied) == (None, [])
    with pytest.raises(OutputError, match="expected a folder, got a link"):
        save_checkpoint(copied, state(50), WEIGHTS)
    assert names(tmp_path.with_name(tmp_path.name) / "run") == names(copied)


class Bomb:
    def __reduce__(self):
        return os.mkdir, (os.environ["BOMB"],)


def put(folder: Path, name: str, content: bytes) -> None:
    """Put a file into a checkpoint, with all checksums right."""
    table = json.loads((folder / "state.json").read_text())
    table["files"][name] = {"bytes": len(content), "xxh128": xxh3_128(content).hexdigest()}
    (folder / "state.json").write_text(json.dumps(table))
    (folder / name).write_bytes(content)
    sign(folder)


@pytest.mark.parametrize("name", ["model.safetensors", "model.pt", "more.safetensors"])
def test_pickles_are_never_loaded(copied, tmp_path, monkeypatch, name) -> None:
    monkeypatch.setenv("BOMB", str(tmp_path / "bomb"))
    content = pickle.dumps(Bomb())
    torch.save({"w": Bomb()}, tmp_path / "saved.pt")
    last = steps(copied)[-1]
    for bad in (content, (tmp_path / "saved.pt").read_bytes()):
        put(last, name, bad)
        with pytest.raises(DatasetError):
            load_checkpoint(last)
    assert not (tmp_path / "bomb").exists()


def test_names_of_files_stay_in_the_folder(copied, tmp_path) -> None:
    last = steps(copied)[-1]
    content = (last / "model.safetensors").read_bytes()
    (tmp_path / "outside.safetensors").write_bytes(content)
    put(last, "../../../outside.safetensors", content)
    with pytest.raises(DatasetError, match="expected names of files"):
        load_checkpoint(last)


def test_one_without_weights_is_none(tmp_path) -> None:
    folder = save_checkpoint(tmp_path, state(1), {"optimiser": WEIGHTS["optimiser"]})
    with pytest.raises(DatasetError, match=r"expected weights, model\.safetensors, got none"):
        load_checkpoint(folder)


def test_choosing_one(copied, tmp_path) -> None:
    best = next((copied / "checkpoints").glob("best-*"))
    assert choose(copied).folder == best
    assert choose(steps(copied)[0]).folder == steps(copied)[0]
    (best / "state.json").unlink()
    assert choose(copied).folder == steps(copied)[-1]
    for folder in steps(copied):
        truncate(folder / "model.safetensors")
    with pytest.raises(DatasetError, match=r"expected a run with a whole checkpoint: .*best-"):
        choose(copied)
    with pytest.raises(DatasetError, match="no such run"):
        choose(tmp_path / "none")
    (tmp_path / "empty").mkdir()
    with pytest.raises(DatasetError, match="there is none yet"):
        choose(tmp_path / "empty")


def test_a_resume_passes_over_torn_ones(runs, finished, copied, few, tmp_path) -> None:
    """The last two are torn, so that it starts from the beginning, and ends where it did."""
    for folder in steps(copied):
        truncate(folder / "model.safetensors")
    done = runs.run("fit", "--resume", copied, signal_at=(SAVE, 2, signal.SIGKILL))
    assert done.returncode == -signal.SIGKILL
    assert names(copied) == ["step-000000004"]  # what is torn does not count among the last two
    shutil.rmtree(copied / "checkpoints/step-000000004")
    (copied / "checkpoints/step-000000045").mkdir()
    (copied / "checkpoints/step-000000044").mkdir()
    done = runs.good("fit", "--resume", copied)
    notes = [line for line in done.stderr.splitlines() if line.startswith("Note: ")]
    assert [note[:13] for note in notes] == ["Note: skipped"] * 2 + [f"Note: {copied}"[:13]]
    assert "starting from the beginning" in notes[2]
    assert names(copied) == names(finished)
    for mine, wanted in zip(steps(copied), steps(finished), strict=True):
        for file in ("model", "optimiser", "average"):
            path = f"{file}.safetensors"
            assert (mine / path).read_bytes() == (wanted / path).read_bytes()


TINY = ["--set", "model.options.widths=[4,8]", "--batch-size", 32, "--epochs", 1]


def test_a_file_system_that_refuses(runs, few, tmp_path) -> None:
    """Files may not grow as large as a checkpoint: as on a full disk, what was saved stays."""
    out = tmp_path / "run"
    start = ["fit", "--data", few, "--out", out, *TINY, "--checkpoint-steps", 4]
    runs.run(*start, signal_at=(SAVE, 2, signal.SIGKILL))
    sizes = {path.name: path.stat().st_size for path in steps(out)[-1].iterdir()}
    assert max(sizes, key=lambda name: sizes[name]) == "optimiser.safetensors"
    line = runs.bad("fit", "--resume", out, file_bytes=sizes["optimiser.safetensors"] - 1)
    assert "step-000000008: the checkpoint cannot be written: File too large" in line
    assert "make room and continue with --resume" in line
    assert names(out) == ["step-000000004"]
    runs.good("fit", "--resume", out)
    assert newest(out)[0].state.position.step == 15


def test_a_full_disk(runs, few, tmp_path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=256k", "none", str(disk)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("a small file system can be mounted by root only")
    try:
        out, filler = disk / "run", disk / "filler"
        start = ["fit", "--data", few, "--out", out, *TINY, "--checkpoint-steps", 4]
        done = runs.run(*start, signal_at=(SAVE, 2, signal.SIGKILL))
        assert done.returncode == -signal.SIGKILL
        free = shutil.disk_usage(disk).free
        filler.write_bytes(b"0" * (free - 20480))
        line = runs.bad("fit", "--resume", out)
        assert "cannot be written: No space left on device" in line
        assert newest(out)[0].state.position.step == 4
        filler.unlink()
        runs.good("fit", "--resume", out)
        assert newest(out)[0].state.position.step == 15
    finally:
        subprocess.run(["umount", str(disk)], check=True)


def test_a_checkpoint_of_another_version_says_so(finished, tmp_path):
    found = choose(finished)
    copied = Path(shutil.copytree(found.folder, tmp_path / found.folder.name))
    text = (copied / "state.json").read_bytes()
    text = text.replace(b'"format_version": 3', b'"format_version": 1')
    (copied / "state.json").write_bytes(text)
    (copied / "state.xxh128").write_text(xxh3_128(text).hexdigest())
    with pytest.raises(DatasetError, match="expected a checkpoint of format version 3, got 1; use"):
        load_checkpoint(copied)
