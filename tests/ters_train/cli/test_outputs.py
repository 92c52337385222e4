"""Runs and what they write, amid files of others: these stay, byte for byte."""

import json
import shutil
from pathlib import Path

import pytest

import tersgen

TINY = ["--set", "model.options.widths=[4,8]", "--batch-size", 32, "--epochs", 1]


def state(root: Path) -> dict[str, object]:
    """Return every file, folder and link, and what it holds."""
    found: dict[str, object] = {}
    for path in sorted(root.rglob("*")):
        link = str(path.readlink()) if path.is_symlink() else None
        content = path.read_bytes() if path.is_file() and link is None else "folder"
        found[str(path.relative_to(root))] = link or content
    return found


@pytest.fixture
def amid(tmp_path):
    """Return a folder for a run, beside and below files of others."""
    out = tmp_path / "project" / "runs" / "a"
    out.parent.mkdir(parents=True)
    (tmp_path / "far").mkdir()
    (tmp_path / "far" / "data").write_text("far")
    for name in ("manifest.json", "lock.json", "journal.jsonl"):
        (tmp_path / "project" / name).write_text("{}")
    (out.parent / "report.html").write_text("mine")
    return out


def add_files(out: Path, far: Path) -> None:
    """Put files of others into the folder of a run."""
    (out / "notes").mkdir(parents=True)
    for name in ("manifest.json", "lock.json", "journal.jsonl"):
        (out / name).write_text("[]")
    (out / "slurm-1.out").write_text("mine")
    (out / "notes" / "a.txt").write_text("mine")
    (out / "recipe.json.123.partial").write_text("mine")
    (out / "data").symlink_to(far)


def test_a_run_that_is_killed_and_goes_on(runs, few, amid, tmp_path) -> None:
    fit = ("fit", "--data", few, "--out", amid, *TINY, "--checkpoint-steps", 4)
    before = state(tmp_path)
    for moment in ("open .config.json", "open log.jsonl", "open step-000000004.partial"):
        begun = (amid / "config.json").exists()
        command = ("fit", "--resume", amid) if begun else fit
        place = f"{amid}/checkpoints/" if "step" in moment else f"{amid}/"
        assert runs.run(*command, kill_at=(place, moment)).returncode == -9, moment
        after = state(tmp_path)
        assert {name: after.get(name) for name in before} == before, moment
        if moment == "open log.jsonl":
            add_files(amid, tmp_path / "far")
            before |= {name: one for name, one in state(tmp_path).items() if name not in after}
    runs.good("fit", "--resume", amid, report=True)
    after = state(tmp_path)
    assert {name: after.get(name) for name in before} == before


@pytest.mark.parametrize("name", ["report.html", ".hidden", "data"])
def test_a_new_run_goes_into_no_folder_of_others(runs, few, amid, tmp_path, name) -> None:
    amid.mkdir()
    if name == "data":
        add_files(amid, tmp_path / "far")
    else:
        (amid / name).write_text("mine")
    before = state(tmp_path)
    line = runs.bad("fit", "--data", few, "--out", amid, *TINY, code=1)
    more = " and 6 more" if name == "data" else ""
    assert f"expected a new or empty folder for the run, found {name!r} in it{more}; " in line
    assert state(tmp_path) == before


def test_below_somebodys_manifest_a_run_is_welcome(runs, few, amid) -> None:
    runs.good("fit", "--data", few, "--out", amid.parent / "b", *TINY)


def test_links_do_not_hide_a_dataset(runs, few, tmp_path) -> None:
    (tmp_path / "link").symlink_to(few)
    before = state(few)
    for out in (tmp_path / "link" / "run", few / "label" / "deep" / "run", tmp_path / "x" / ".."):
        if out.name == "..":
            continue
        assert "got a dataset's" in runs.bad("fit", "--data", few, "--out", out, *TINY)
    assert state(few) == before


def test_results_go_into_no_dataset(runs, finished, few, tmp_path) -> None:
    data = Path(shutil.copytree(few, tmp_path / "copy.zarr"))
    before = state(data)
    for command in (
        ("export", finished, "--onnx", data / "manifest.json"),
        ("export", finished, "--onnx", data / "model.onnx"),
        ("evaluate", finished, "--data", few, "--out", data / "results"),
        ("evaluate", finished, "--data", few, "--out", data),
    ):
        assert "expected a place outside datasets" in runs.bad(*command)
    assert state(data) == before
    assert tersgen.open(data).n_samples == 600


def test_a_folder_in_the_place_of_a_model(runs, finished, tmp_path) -> None:
    (tmp_path / "model.onnx").mkdir()
    line = runs.bad("export", finished, "--onnx", tmp_path / "model.onnx")
    assert "expected the name of a file to write, got a folder" in line


def test_results_of_a_full_disk_leave_those_before(runs, finished, few, tmp_path) -> None:
    out = tmp_path / "results"
    runs.good("evaluate", finished, "--data", few, "--out", out)
    before = state(out)
    scores = json.loads((out / "scores.json").read_text())
    line = runs.bad("evaluate", finished, "--data", few, "--out", out, file_bytes=400)
    assert "cannot be written: File too large" in line
    assert state(out) == before
    assert scores["part"] == "test"
