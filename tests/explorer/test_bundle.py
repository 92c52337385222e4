"""The page that is committed is the one that its sources make."""

import subprocess
from pathlib import Path

import pytest

from .conftest import BUNDLE

pytestmark = pytest.mark.browser


def files(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_a_rebuild_gives_the_same_bytes(npm_folder, tmp_path):
    subprocess.run(["npx", "tsc"], cwd=npm_folder, check=True, timeout=120)
    subprocess.run(["node", "build.mjs", tmp_path / "out"], cwd=npm_folder, check=True, timeout=120)
    assert files(tmp_path / "out") == files(BUNDLE)


def test_nothing_in_it_loads_from_elsewhere():
    page = (BUNDLE / "index.html").read_text("utf-8")
    assert "http://" not in page
    assert "https://" not in page
    assert b"WebAssembly.instantiate" not in (BUNDLE / "app" / "explorer.js").read_bytes()
