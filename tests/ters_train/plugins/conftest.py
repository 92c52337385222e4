"""What tests of plug-ins need beside the package from outside."""

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[2] / "plugin_package"


@pytest.fixture(scope="session")
def scripts() -> Path:
    """Return a folder with a module of a user's own."""
    return PACKAGE / "scripts"


@pytest.fixture(scope="session")
def timm_paths(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Return what has to be on the path for timm, which is installed aside if it is absent.

    Alone: the torchvision that it requires is built for GPUs in registries, and beside a torch for
    CPUs it breaks whatever imports it, torchmetrics too. timm takes names of layers from it, for
    which a stand-in serves.
    """
    code = "import torchvision"
    whole = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False)
    stand_in = [] if whole.returncode == 0 else [PACKAGE / "stand_ins"]
    if importlib.util.find_spec("timm") is not None:
        return stand_in
    place = tmp_path_factory.mktemp("timm")
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    done = subprocess.run(
        [*pip, "--no-deps", "--target", place, "timm>=1.0"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        pytest.skip(f"timm cannot be fetched: {done.stderr.strip().splitlines()[-1]}")
    return [place, *stand_in]
