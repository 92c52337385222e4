"""The release kit says the same as the package: versions, dependencies."""

import re
import tomllib
from pathlib import Path

import yaml

import tersgen

ROOT = Path(__file__).parents[1]
CONDA_NAMES = {
    "dask[distributed]": "distributed",
    "matplotlib": "matplotlib-base",
    "xxhash": "python-xxhash",
}


def document(path: str) -> dict:
    return yaml.safe_load((ROOT / path).read_text("utf-8"))


def test_one_version_everywhere():
    import ters_train

    assert ters_train.__version__ == tersgen.__version__
    assert document("CITATION.cff")["version"] == tersgen.__version__
    assert document("packaging/recipe.yaml")["context"]["version"] == tersgen.__version__


def test_conda_recipe_has_the_dependencies_of_the_wheel():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    wheel = {}
    for line in project["dependencies"]:
        name, least = re.fullmatch(r"([\w\-\[\]]+)>=(\S+)", line).groups()
        wheel[CONDA_NAMES.get(name, name)] = least
    recipe = document("packaging/recipe.yaml")
    conda = dict(line.split(" >=") for line in recipe["requirements"]["run"] if ">=" in line)
    assert conda.pop("python") == project["requires-python"].removeprefix(">=")
    assert conda.pop("dask-core") == conda["distributed"]
    assert conda == wheel
    commands = [f"{name} = {place}" for name, place in project["scripts"].items()]
    assert recipe["build"]["python"]["entry_points"] == commands
