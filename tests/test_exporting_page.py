"""The blocks of docs/exporting.md run from top to bottom, in the programs that they are for."""

import re
import shlex
from pathlib import Path

import pytest
from click.testing import CliRunner

import tersgen
from tersgen.cli import main

PAGE = Path(__file__).parents[1] / "docs" / "exporting.md"
BLOCKS = re.findall(r"^```(python)?\n(.*?)^```$", PAGE.read_text(), re.DOTALL | re.MULTILINE)


@pytest.mark.exhaustive
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
def test_the_page_runs(tmp_path, monkeypatch):
    for package in ("datasets", "mlcroissant", "hyperspy", "ramanspy"):
        pytest.importorskip(package)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("datasets.config.HF_DATASETS_CACHE", tmp_path / "cache")
    tersgen.build("nearfield", 120, "data.zarr")
    tersgen.split("data.zarr", {"train": 0.8, "val": 0.2})
    session: dict[str, object] = {}
    for language, text in BLOCKS:
        if language == "python":
            exec(compile(text, str(PAGE), "exec"), session)
            continue
        for line in text.splitlines():
            program, *arguments = shlex.split(line)
            assert program == "tersgen"
            done = CliRunner().invoke(main, arguments)
            assert done.exit_code == 0, done.output
    assert session["spectrum"].shape == (1024,)
    assert session["axes"]["raman_shift"]["unit"] == session["shift_unit"] == "cm^-1"
    assert session["spectra"].spectral_data.shape == (100, 1024)
