"""Machine code that a package brings: used where it fits, and only there."""

import json
import os
import runpy
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from tersgen.numeric._shipped import SHIPPED, targets, write_index
from tersgen.random.assignment import shuffled

ROOT = Path(__file__).parents[2]
SETTINGS = ("NUMBA_CPU_NAME", "NUMBA_CPU_FEATURES", "NUMBA_DISABLE_JIT", "NUMBA_CACHE_DIR")
USE = """
from tersgen.cli.progress import report_compiling
from tersgen.random.assignment import shuffled
rows = shuffled(1000, 7).tobytes().hex()
print(rows, sum(shuffled.stats.cache_hits.values()), sum(shuffled.stats.cache_misses.values()))
report_compiling("classes", 2)
report_compiling("bands", 1)
"""


def run(tree: Path, cache: Path, *command: str, **setting: str) -> subprocess.CompletedProcess[str]:
    """Run Python with the package of a source tree, and a cache of its own."""
    environment = {name: value for name, value in os.environ.items() if name not in SETTINGS}
    paths = [str(tree), *(path for path in sys.path if Path(path or ".").resolve() != ROOT)]
    environment |= {"PYTHONPATH": os.pathsep.join(paths), "NUMBA_CACHE_DIR": str(cache), **setting}
    done = subprocess.run(
        [sys.executable, *command],
        env=environment,
        cwd=cache.parent,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return done


def copied(folder: Path, machine_code: Path | None) -> Path:
    """Return a source tree of its own, with machine code or without."""
    shutil.copytree(
        SHIPPED.parent, folder / "tersgen", ignore=shutil.ignore_patterns("*.pyc", SHIPPED.name)
    )
    if machine_code is not None:
        shutil.copytree(machine_code, folder / "tersgen" / SHIPPED.name)
    return folder


@pytest.fixture(scope="module")
def processors() -> dict[str, str]:
    try:
        return targets()
    except NotImplementedError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="module")
def machine_code(processors, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("made")
    (folder / "machine_code").mkdir()
    for cpu, features in processors.items():
        cache = folder / f"cache-{cpu}"
        cache.mkdir()
        run(ROOT, cache, "-c", USE, NUMBA_CPU_NAME=cpu, NUMBA_CPU_FEATURES=features)
        shutil.move(cache / "kernels", folder / "machine_code" / cpu)
    write_index(folder / "machine_code", processors)
    return folder / "machine_code"


@pytest.fixture
def tree(machine_code, tmp_path) -> Path:
    return copied(tmp_path / "tree", machine_code)


def used(tree: Path, cache: Path, **setting: str) -> tuple[int, int, str]:
    """Return how many kernels were loaded and compiled, and what was said; values are checked."""
    cache.mkdir(exist_ok=True)
    done = run(tree, cache, "-c", USE, **setting)
    rows, hits, misses = done.stdout.split()
    assert rows == shuffled(1000, 7).tobytes().hex()
    return int(hits), int(misses), done.stderr


def test_it_is_used_and_nothing_is_kept_beside_it(tree, tmp_path):
    hits, misses, said = used(tree, tmp_path / "cache")
    assert (hits, misses) == (1, 0)
    assert "machine code" not in said
    assert not list((tmp_path / "cache").rglob("*.nb*"))


@pytest.mark.exhaustive
def test_a_changed_kernel_is_compiled_and_kept_by_the_user(tree, tmp_path):
    shipped = sorted((tree / "tersgen" / SHIPPED.name).rglob("*"))
    with (tree / "tersgen" / "random" / "philox.py").open("a") as file:
        file.write("# changed\n")
    assert used(tree, tmp_path / "cache")[:2] == (0, 1)
    assert used(tree, tmp_path / "cache")[:2] == (1, 0)
    assert sorted((tree / "tersgen" / SHIPPED.name).rglob("*")) == shipped


@pytest.mark.exhaustive
@pytest.mark.parametrize(
    ("key", "value", "why"),
    [
        ("Numba", "0.1.2", "is for Numba 0.1.2, not "),
        ("system", "m68k-next", "is for system m68k-next, not "),
        ("processors", {"z80": "+warp,+weft"}, "needs warp, weft, which this processor lacks"),
    ],
)
def test_where_it_does_not_fit_kernels_are_compiled_and_one_line_says_why(
    tree, tmp_path, key, value, why
):
    index = tree / "tersgen" / SHIPPED.name / "index.json"
    table = json.loads(index.read_text())
    (table if key in table else table["bound to"])[key] = value
    index.write_text(json.dumps(table))
    hits, misses, said = used(tree, tmp_path / "cache")
    assert (hits, misses) == (0, 1)
    assert said.count(f"machine code in this installation {why}") == 1


@pytest.mark.exhaustive
def test_a_processor_asked_for_is_compiled_for(tree, tmp_path):
    generic = {"NUMBA_CPU_NAME": "generic", "NUMBA_CPU_FEATURES": ""}
    hits, misses, said = used(tree, tmp_path / "cache", **generic)
    assert (hits, misses) == (0, 1)
    assert "not for what NUMBA_CPU_NAME and NUMBA_CPU_FEATURES ask for" in said


@pytest.mark.exhaustive
def test_the_best_that_a_processor_can_run_is_used(tree, tmp_path, processors):
    folder = tree / "tersgen" / SHIPPED.name
    write_index(folder, {"z80": "+warp", **processors})
    best, *others = processors
    for cpu in others:
        shutil.rmtree(folder / cpu)
    assert used(tree, tmp_path / "cache")[:2] == (1, 0)
    shutil.rmtree(folder / best)
    assert used(tree, tmp_path / "cache")[:2] == (0, 1)


@pytest.mark.parametrize(
    ("error", "is_skipped"),
    [
        (ModuleNotFoundError("No module named 'numba'", name="numba"), True),
        (NotImplementedError("expected a processor of x86-64-v3, got riscv64"), True),
        (ModuleNotFoundError("No module named 'tersgen.gone'", name="tersgen.gone"), False),
        (ImportError("cannot import name 'gone' from 'tersgen'", name="tersgen"), False),
    ],
)
def test_only_what_is_not_ours_makes_a_wheel_without_it(error, is_skipped):
    def fail(*_):
        raise error

    hook_class = runpy.run_path(str(ROOT / "hatch_build.py"))["ShippedKernels"]
    hook_class.initialize.__globals__["compile_apart"] = fail
    lines, data = [], {"force_include": {}}
    hook_class.app = SimpleNamespace(display_info=lines.append)
    hook = object.__new__(hook_class)
    if is_skipped:
        hook.initialize("standard", data)
        assert lines == [f"{error}: this wheel brings no machine code"]
    else:
        with pytest.raises(type(error), match="tersgen"):
            hook.initialize("standard", data)
    assert data == {"force_include": {}}
    hook.finalize()


@pytest.mark.exhaustive
def test_a_build_from_it_compiles_nothing_and_has_the_same_digest(processors, tmp_path):
    recipe = "--preset realistic"
    compile_apart = runpy.run_path(str(ROOT / "hatch_build.py"))["compile_apart"]
    (tmp_path / "made").mkdir()
    made = compile_apart(tmp_path / "made", [recipe])
    build = ["-m", "tersgen", "build", "--n", "300", *recipe.split(), "--out"]
    digests = []
    for name, code in (("shipped", made), ("compiled", None)):
        cache = tmp_path / f"cache-{name}"
        cache.mkdir()
        said = run(copied(tmp_path / name, code), cache, *build, str(tmp_path / f"{name}.zarr"))
        digests.append(said.stdout.splitlines()[-1])
        assert bool(list(cache.rglob("*.nbc"))) == (code is None)
        assert ("compiling" in said.stderr) == (code is None)
    assert digests[0].startswith("digest ")
    assert digests[0] == digests[1]
