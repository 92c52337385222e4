"""A browser, the explorer's page, and datasets for it."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import tersgen
from tersgen.cli import main

from .static_server import Host, hosted

ROOT = Path(__file__).parents[2]
BUNDLE = ROOT / "tersgen" / "serve" / "explorer"
_APT = ("apt-get", "-y", "-q", "-o", "Acquire::http::Timeout=10", "-o", "DPkg::Lock::Timeout=60")

CERTAIN = "--set perturbations.uncertain_frequencies=false"
RECIPES = {
    "cube": f"--preset realistic --preset nearfield_atoms {CERTAIN} --set fields.cube=true "
    "--set map.height=12 --set map.width=16 --library builtin:benzene --library builtin:pyridine "
    "--n 40",
    "spectra": f"--preset realistic {CERTAIN} --library builtin:benzene --library builtin:water "
    "--library builtin:pyridine --set fields.maps=true --set map.height=8 --set map.width=8 "
    "--n 600",
    "mixture": "--preset mixture --set grid.n_points=512 --n 30",
    "structure": "--preset structure --set map.height=48 --set map.width=48 "
    "--set fields.sticks=true --n 12",
    "geometry": "--preset structure --set map.height=48 --set map.width=48 "
    "--set fields.structure=false --n 12",
    "plain": "--preset canonical --compression none --precision float32 --set grid.n_points=64 "
    "--set lineshape.fwhm_cm1=90 --set map.height=8 --set map.width=8 --n 20",
}


def command(*words: str) -> None:
    """Run a command line of tersgen in this process."""
    main(list(words), standalone_mode=False)


def _chromium() -> str:
    """Return the browser, installed from the distribution's packages if it is absent."""
    names = ("chromium", "chromium-browser", "google-chrome")
    found = next(filter(None, map(shutil.which, names)), None)
    if found:
        return found
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        pytest.skip("expected Chromium, or root and apt-get to install it")
    for words in (("update",), ("install", "--no-install-recommends", "chromium")):
        done = subprocess.run(
            [*_APT, *words], capture_output=True, text=True, check=False, timeout=600,
            env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"},
        )  # fmt: skip
        if done.returncode:
            *_, last = (done.stderr or done.stdout or "no output").strip().splitlines()
            pytest.skip(f"Chromium cannot be installed: {last}")
    return shutil.which("chromium") or pytest.skip("apt-get installed no Chromium")


@pytest.fixture(scope="module")  # its event loop would be in the way of tests elsewhere
def browser() -> Iterator[Any]:
    playwright = pytest.importorskip("playwright.sync_api")
    path = _chromium()
    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield browser
        browser.close()


class Tab:
    """A page that remembers what it should not do."""

    def __init__(self, browser: Any, **options: Any) -> None:
        self.context = browser.new_context(
            viewport={"width": 1280, "height": 900}, accept_downloads=True, **options
        )
        self.page = self.context.new_page()
        self.page.set_default_timeout(20_000)
        self.problems: list[str] = []
        self.requests: list[str] = []
        self.page.on("console", self._said)
        self.page.on("pageerror", lambda error: self.problems.append(str(error)))
        self.page.on("dialog", lambda dialog: self._asked(dialog))
        self.page.on("request", lambda request: self.requests.append(request.url))

    def _said(self, message: Any) -> None:
        if message.type in ("error", "warning"):
            self.problems.append(message.text)

    def _asked(self, dialog: Any) -> None:
        self.problems.append(f"a dialog: {dialog.message}")
        dialog.dismiss()

    def show(self, url: str, ready: str = "main > .view") -> Any:
        """Open an address and return the page when its view is there."""
        self.page.goto("about:blank")
        self.page.goto(url)
        self.page.wait_for_selector(ready)
        return self.page

    def downloaded(self, button: str) -> str:
        """Press a button and return the text that it saves."""
        with self.page.expect_download() as waiting:
            self.page.get_by_role("button", name=button, exact=True).click()
        return Path(waiting.value.path()).read_text("utf-8")


@pytest.fixture
def tab(browser) -> Iterator[Tab]:
    tab = Tab(browser)
    yield tab
    tab.context.close()
    assert tab.problems == []


@pytest.fixture(scope="session")
def datasets(tmp_path_factory) -> Path:
    """Return a folder of small datasets of each kind."""
    folder = tmp_path_factory.mktemp("datasets")
    for name, options in RECIPES.items():
        command("build", "--out", str(folder / f"{name}.zarr"), *options.split())
    command("split", str(folder / "spectra.zarr"), "--ratios", "train=0.8,val=0.1,test=0.1")
    return folder


@pytest.fixture(scope="session")
def host(datasets) -> Iterator[Host]:
    """A host with the page at its root and the datasets under /sets."""
    with hosted({"": BUNDLE, "sets": datasets}) as host:
        yield host


@pytest.fixture(scope="session")
def run_folder(datasets) -> Path:
    """Return the folder of a run, as ters-train writes scores, confusion and misread rows."""
    folder = datasets / "run"
    folder.mkdir()
    classes = list(tersgen.open(datasets / "spectra.zarr").classes)
    about = {"part": "test", "digest": "0" * 64, "version": "1" * 64, "classes": classes}
    scores = {**about, "accuracy": 0.75, "ece": 0.1, "f1": [0.9, 0.6, 0.7], "support": [6, 6, 6]}
    water, pyridine = classes.index("water"), classes.index("pyridine")
    confusion = [[6 if a == b else 0 for b in range(3)] for a in range(3)]
    confusion[water][water], confusion[water][pyridine] = 3, 3
    (folder / "scores.json").write_text(json.dumps(scores))
    (folder / "confusion.json").write_text(json.dumps({**about, "confusion": confusion}))
    labels = tersgen.open(datasets / "spectra.zarr")["label"][:]
    row = int((labels == water).nonzero()[0][0])
    rows = [{"row": row, "label": water, "predicted": pyridine, "probability": 0.8125}]
    (folder / "misread.json").write_text(json.dumps({**about, "rows": rows}))
    return folder


@pytest.fixture(scope="session")
def opened(datasets) -> Any:
    """Return a function from the name of a dataset to what tersgen reads."""
    return lambda name: tersgen.open(datasets / f"{name}.zarr")


@pytest.fixture(scope="session")
def npm_folder(tmp_path_factory) -> Path:
    """Return a copy of the explorer's sources with its packages; skip where npm has none."""
    sources = ROOT / "explorer"
    if shutil.which("npm") is None or not sources.is_dir():
        pytest.skip("expected npm and the explorer's sources")
    copy = tmp_path_factory.mktemp("npm") / "explorer"
    shutil.copytree(sources, copy, ignore=shutil.ignore_patterns("node_modules"))
    done = subprocess.run(
        ["npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts"], cwd=copy,
        capture_output=True, text=True, check=False, timeout=300,
    )  # fmt: skip
    if done.returncode:
        pytest.skip(f"npm ci fails: {done.stderr.strip().splitlines()[-1:]}")
    return copy


@pytest.fixture(scope="module")
def root(datasets, run_folder, tmp_path_factory):
    """Return the folder of a server: two datasets and a run."""
    pytest.importorskip("fastapi")
    root = tmp_path_factory.mktemp("root")
    for name in ("cube", "spectra"):
        shutil.copytree(datasets / f"{name}.zarr", root / f"{name}.zarr")
    run = root / "cnn"
    shutil.copytree(run_folder, run)
    (run / "config.json").write_text("{}")
    scores = json.loads((run / "scores.json").read_text())
    scores["digest"] = tersgen.open(root / "spectra.zarr").digest
    (run / "scores.json").write_text(json.dumps(scores))
    entries = [{"step": k, "part": "train", "loss": 1 / (k + 1)} for k in range(4)]
    (run / "log.jsonl").write_text("".join(json.dumps(entry) + "\n" for entry in entries))
    return root


@pytest.fixture(scope="module")
def server(root):
    """Yield the URL, with its token, of a server in a child process."""
    words = [sys.executable, "-m", "tersgen", "serve", str(root), "--port", "0"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as process:
        url = process.stdout.readline().strip()
        assert url.startswith("http://"), url
        yield url
        process.terminate()
        process.stdout.read()
