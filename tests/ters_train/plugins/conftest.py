"""A package from outside, really installed, as tests of plug-ins need it."""

import importlib.util
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[2] / "plugin_package"


@pytest.fixture(scope="session")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder that the package is installed in, from a copy of its sources."""
    pytest.importorskip("setuptools", "77", reason="builds the package; install tersgen[test]")
    place = tmp_path_factory.mktemp("outside")
    shutil.copytree(PACKAGE, place / "sources")
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    options = ["--no-index", "--no-deps", "--no-build-isolation", "--target", place / "installed"]
    done = subprocess.run(
        [*pip, *options, place / "sources"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return place / "installed"


@pytest.fixture(scope="session")
def scripts() -> Path:
    """Return a folder with a module of a user's own."""
    return PACKAGE / "scripts"


@pytest.fixture(scope="session")
def timm_paths() -> list[Path]:
    """Return what has to be on the path for timm; skip the test where it is not installed."""
    if importlib.util.find_spec("timm") is None:
        pytest.skip("timm is not installed: pip install timm")
    code = "import torchvision"
    whole = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False)
    return [] if whole.returncode == 0 else [PACKAGE / "stand_ins"]
