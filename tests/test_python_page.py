"""The blocks of docs/python.md run from top to bottom, as the page says."""

import re
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[1] / "docs" / "python.md"
BLOCKS = re.findall(r"(?:<!-- (\w+) -->\n)?```python\n(.*?)```", PAGE.read_text(), re.DOTALL)


def run(code: str, session: dict[str, object]) -> None:
    exec(compile(code, str(PAGE), "exec"), session)


@pytest.mark.exhaustive
def test_the_page_runs(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    session: dict[str, object] = {}
    for mark, code in BLOCKS:
        if mark == "torch":
            pytest.importorskip("torch")
        if mark != "trackers":
            run(code, session)
    assert "5000 of 5000" in capsys.readouterr().out
    assert (tmp_path / "train.parquet").is_file()
    assert len(session["ds"]) == 2000


def test_its_trackers_are_callbacks():
    pytest.importorskip("torch")
    from ters_train.callbacks import Callback, check_hooks

    session: dict[str, object] = {}
    run(next(code for mark, code in BLOCKS if mark == "trackers"), session)
    found = [one for one in session.values() if isinstance(one, type) and one is not Callback]
    assert [one.__name__ for one in found] == ["MLflow", "WandB", "Aim"]
    for one in found:
        check_hooks(one.__name__, one)
