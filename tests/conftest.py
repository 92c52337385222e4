"""Fixtures that every part of the tests may use."""

import gc
import os
import random
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

import tersgen
from tersgen import Recipe
from tersgen.schema.digest import without_defaults
from tersgen.schema.manifest import Manifest
from tersgen.store.digest import dataset_digest

# in the background of a shell Ctrl-C is ignored, and the commands that tests start would inherit it
signal.signal(signal.SIGINT, signal.default_int_handler)
# threads of torch and PySCF that wait for each other on busy processors cost more than they give
os.environ.setdefault("OMP_NUM_THREADS", "1")
# tests start hundreds of processes, each of which would compile every module anew
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False
# a small dataset is flushed to the disk a hundred times, which takes longer than to build it;
# .ci/run sets the folder for Python 3.13, so that the same tests run on a disk, too
_MEMORY = Path("/dev/shm")
if _MEMORY.is_dir() and shutil.disk_usage(_MEMORY).free > 1 << 33:
    os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(_MEMORY))
settings.register_profile("untimed", deadline=None)  # machines are busy; speed is no matter here
settings.load_profile("untimed")


def pytest_collectstart() -> None:
    """Look for no garbage while tests are collected: what is imported stays."""
    gc.disable()


def pytest_collection_finish() -> None:
    """Look for garbage again, but not in what was imported so far."""
    gc.freeze()
    gc.enable()


@pytest.fixture(scope="session")
def reference_data() -> Callable[[str], Path]:
    """Return a function from a file name to its path; it skips the test where there is none."""
    repository = Path(__file__).resolve().parents[1]
    default = repository.parent / "shared" / "data"
    folder = Path(os.environ.get("TERS_REFERENCE_DATA", default))

    def locate(name: str) -> Path:
        path = folder / name
        if not path.is_file():
            pytest.skip(f"reference file {name} is not in TERS_REFERENCE_DATA")
        return path

    return locate


@pytest.fixture
def fuzzed(tmp_path: Path) -> Callable[..., None]:
    """Return a function that reads damaged files of a corpus in child processes, for two seeds.

    One seed is random, and printed; ``fuzz_files.py`` says what may happen.
    """

    def read(kind: str, corpus: dict[str, bytes], count: int) -> None:
        script = Path(__file__).with_name("fuzz_files.py")
        children = []
        for seed in (1, random.SystemRandom().randrange(1 << 32)):
            folder = tmp_path / str(seed)
            (folder / "corpus").mkdir(parents=True)
            for name, content in corpus.items():
                (folder / "corpus" / name).write_bytes(content)
            command = [sys.executable, script, folder, kind, str(seed), str(count)]
            pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
            children.append((folder, subprocess.Popen(command, **pipes)))
        outputs = [child.communicate(timeout=600)[0].decode() for _, child in children]
        for (folder, child), output in zip(children, outputs, strict=True):
            print(kind, "seed", folder.name, output)  # noqa: T201
            failed = [path.read_text() for path in sorted(folder.glob("failed/*.why"))]
            assert not failed, f"{len(failed)} in {folder / 'failed'}: {failed[0]}"
            last = folder / (folder / "last").read_text()
            assert child.returncode == 0, f"ended by {-child.returncode} on {last}: {output}"
            assert output.count("\n") == 1, f"expected the counts alone, got {output}"

    return read


@pytest.fixture(scope="session")
def tiny_recipe() -> Recipe:
    """Return a resolved recipe of three random species whose samples take microseconds."""
    recipe = Recipe(
        seed=11,
        library=("random:3",),
        grid={"start_cm1": 100.0, "stop_cm1": 4000.0, "n_points": 64},
        lineshape={"fwhm_cm1": 150.0},
        map={"height": 8, "width": 10, "sigma_px": (1.0, 3.0), "move_px": 1.0},
        random={"n_modes": (3, 6)},
        fields={"precision": "float16"},
    )
    return tersgen.resolve(recipe)


@pytest.fixture(scope="session")
def built_once(tmp_path_factory) -> Callable[..., Path]:
    """Return a function that builds a dataset at a path, or copies the one it built like that."""
    kept: dict[tuple[Any, ...], Path] = {}

    def build(path: Path, make: Callable[[Path, Recipe], None], recipe: Recipe) -> Path:
        key = (make, recipe.model_dump_json(), path.name)
        if key not in kept:
            kept[key] = tmp_path_factory.mktemp("built")
            make(kept[key] / path.name, recipe)
        shutil.copytree(kept[key], path.parent, dirs_exist_ok=True)
        return path

    return build


@pytest.fixture(scope="session")
def resealed() -> Callable[..., dict[str, Any]]:
    """Return a function that changes the content of a manifest and works its digests out anew."""

    def change(
        content: dict[str, Any], digest: str | None = None, **changes: Any
    ) -> dict[str, Any]:
        content = {**content, **changes}
        del content["version"]
        draft = Manifest.sealed(**content)
        roots = {name: bytes.fromhex(root) for name, root in draft.arrays.items()}
        if digest is None and {spec.name for spec in draft.fields} <= {*roots}:
            digest = dataset_digest(draft.contents, draft.n_samples, roots)
        return without_defaults(Manifest.sealed(**{**content, "digest": digest or draft.digest}))

    return change


@pytest.fixture(scope="session")
def changed() -> Callable[..., Recipe]:
    """Return a function that replaces some values of some sections of a resolved recipe."""

    def change(recipe: Recipe, **sections: Any) -> Recipe:
        update = {
            name: getattr(recipe, name).model_copy(update=new) if isinstance(new, dict) else new
            for name, new in sections.items()
        }
        return recipe.model_copy(update=update)

    return change


@pytest.fixture(scope="session")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder that a package from outside is installed in, from a copy of its sources."""
    pytest.importorskip("setuptools", "77", reason="builds the package; install tersgen[test]")
    package = Path(__file__).with_name("plugin_package")
    place = tmp_path_factory.mktemp("outside")
    shutil.copytree(package, place / "sources")
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    options = ["--no-index", "--no-deps", "--no-build-isolation", "--target", place / "installed"]
    done = subprocess.run(
        [*pip, *options, place / "sources"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return place / "installed"


@pytest.fixture
def forgotten_plugins(monkeypatch):
    """Forget afterwards which plug-ins a test imports, and what they register."""
    from tersgen import plugins

    for group in plugins.BUILT_IN:
        plugins.names(group)
    kept = {group: dict(parts) for group, parts in plugins._registered.items()}
    monkeypatch.setattr(plugins, "_registered", kept)
    monkeypatch.setattr(plugins, "_imported", {})
