"""The log of a run: three files with the same entries, and none twice after a resume."""

import csv
import json
import os
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ters_train.reporting import logs
from ters_train.reporting.logs import LOG, SCALARS, TABLE, RunLog, read_log
from tersgen.errors import ConfigError, OutputError


def entry(step, **more):
    return {"part": "train", "step": step, "loss": 1.0 / (step + 1), **more}


def rows_of_table(folder):
    with (folder / TABLE).open(newline="") as file:
        return list(csv.DictReader(file))


def write(folder, steps, last_step=None):
    with RunLog(folder, last_step, tensorboard=False) as log:
        for step in steps:
            log.append(entry(step))


def test_entries_are_in_both_files(tmp_path):
    with RunLog(tmp_path, tensorboard=False) as log:
        log.append(entry(1, lr=0.5))
        log.append(entry(2))
        log.append({"part": "val", "step": 2, "macro_f1": 0.25, "note": 'a, "b"\nc', "best": True})
        before_close = read_log(tmp_path), rows_of_table(tmp_path)
    assert before_close == (read_log(tmp_path), rows_of_table(tmp_path))
    lines = [json.loads(line) for line in (tmp_path / LOG).read_text().splitlines()]
    assert read_log(tmp_path) == lines
    assert lines == [
        {"part": "train", "step": 1, "loss": 0.5, "lr": 0.5},
        {"part": "train", "step": 2, "loss": 1 / 3},
        {"part": "val", "step": 2, "macro_f1": 0.25, "note": 'a, "b"\nc', "best": True},
    ]
    table = rows_of_table(tmp_path)
    assert [row["step"] for row in table] == ["1", "2", "2"]
    assert table[0] == {
        "part": "train",
        "step": "1",
        "loss": "0.5",
        "lr": "0.5",
        "macro_f1": "",
        "note": "",
        "best": "",
    }
    assert table[2]["note"] == 'a, "b"\nc'


@given(
    first=st.integers(1, 20),
    cut=st.integers(0, 25),
    torn=st.integers(0, 12),
    last=st.integers(1, 30),
)
@settings(max_examples=25, deadline=None)
def test_a_resumed_run_has_every_step_once(tmp_path_factory, first, cut, torn, last):
    folder = tmp_path_factory.mktemp("run")
    write(folder, range(1, first + 1))
    content = (folder / LOG).read_bytes()
    (folder / LOG).write_bytes(content[: len(content) - torn])
    whole = len(content[: len(content) - torn].split(b"\n")) - 1
    resumed_from = min(cut, whole)
    write(folder, range(resumed_from + 1, last + 1), resumed_from)
    expected = list(range(1, max(resumed_from, last) + 1))
    assert [one["step"] for one in read_log(folder)] == expected
    assert [int(row["step"]) for row in rows_of_table(folder)] == expected


def test_entries_at_the_step_of_the_checkpoint_are_kept(tmp_path):
    write(tmp_path, [1, 2, 2, 3, 4])
    with RunLog(tmp_path, 2, tensorboard=False) as log:
        assert [one["step"] for one in log.entries] == [1, 2, 2]


def test_a_new_run_begins_an_empty_log(tmp_path):
    write(tmp_path, [1, 2])
    write(tmp_path, [7])
    assert [one["step"] for one in read_log(tmp_path)] == [7]


def test_lines_that_are_no_entry_count_for_nothing(tmp_path):
    (tmp_path / LOG).write_bytes(
        b'{"step": 1}\n\xff\n[1]\n{"step": "2"}\n{"step": true}\n' + b"[" * 100_000 + b"\n{}\n"
        b'{"step": 3}\n{"step": 4}'
    )
    assert read_log(tmp_path) == [{"step": 1}, {"step": 3}]
    write(tmp_path, [10], last_step=3)
    assert [one["step"] for one in read_log(tmp_path)] == [1, 3, 10]


def test_numbers_that_are_not_finite_become_none(tmp_path):
    with RunLog(tmp_path, tensorboard=False) as log:
        log.append({"step": 1, "loss": float("nan"), "grad": float("inf")})
    assert read_log(tmp_path) == [{"step": 1, "loss": None, "grad": None}]


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        ({"loss": 1.0}, "integer step, got None"),
        ({"step": 1.0}, "integer step, got 1.0"),
        ({"step": 1, "loss": [1.0]}, "loss: expected a number.*got list"),
    ],
)
def test_entries_that_are_refused(tmp_path, bad, message):
    with RunLog(tmp_path, tensorboard=False) as log, pytest.raises(ConfigError, match=message):
        log.append(bad)
    assert read_log(tmp_path) == []


def test_links_are_not_followed(tmp_path):
    outside = tmp_path / "outside"
    outside.write_text('{"step": 1}\n')
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / LOG).symlink_to(outside)
    with pytest.raises(OutputError, match="cannot be read"):
        read_log(folder)
    write(folder, [5])
    assert outside.read_text() == '{"step": 1}\n'
    assert [one["step"] for one in read_log(folder)] == [5]
    (folder / "tensorboard").symlink_to(tmp_path)
    with pytest.raises(OutputError, match="got a link"):
        RunLog(folder)


def test_a_log_that_is_too_large(tmp_path, monkeypatch):
    write(tmp_path, range(50))
    monkeypatch.setattr(logs, "LARGEST_LOG", 1000)
    with pytest.raises(OutputError, match="at most"):
        read_log(tmp_path)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_cannot_be_written(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(OutputError, match="cannot be written"):
        RunLog(tmp_path)


def test_a_folder_that_is_not_there(tmp_path):
    with pytest.raises(OutputError, match=r"log.jsonl: cannot be written: No such file"):
        RunLog(tmp_path / "none")


def scalars(folder):
    reader = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    events = reader.EventAccumulator(str(folder / "tensorboard"))
    events.Reload()
    return {
        tag: [(event.step, event.value) for event in events.Scalars(tag)]
        for tag in events.Tags()["scalars"]
    }


def test_tensorboard_has_every_step_once_after_a_resume(tmp_path):
    pytest.importorskip("tensorboard")
    with RunLog(tmp_path) as log:
        for step in range(1, 6):
            log.append(entry(step, epoch=0))
    with RunLog(tmp_path, 3) as log:
        for step in range(4, 6):
            log.append(entry(step, epoch=0))
        log.append({"part": "val", "step": 5, "macro_f1": 0.5, "note": "text"})
    found = scalars(tmp_path)
    assert found.keys() == {"train/loss", "val/macro_f1"}
    assert [step for step, _ in found["train/loss"]] == [1, 2, 3, 4, 5]
    assert found["train/loss"][3][1] == pytest.approx(1 / 5)
    assert found["val/macro_f1"] == [(5, 0.5)]
    with RunLog(tmp_path) as log:  # a new run in the same folder
        log.append(entry(2, epoch=0))
    assert [step for step, _ in scalars(tmp_path)["train/loss"]] == [2]


def test_without_tensorboard_the_log_is_written_all_the_same(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    with RunLog(tmp_path) as log:
        log.append(entry(1))
    assert not (tmp_path / SCALARS).exists()
    assert len(read_log(tmp_path)) == 1
