"""The documentation site builds without a warning, its links lead somewhere, its notebooks run."""

import json
import os
import shutil
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

ROOT = Path(__file__).parents[2]
GALLERY = sorted((ROOT / "examples" / "gallery").glob("plot_*.py"))
SOURCES = ("docs", "schemas", "examples", "benchmarks")


def run(*command: str | Path, cwd: Path) -> None:
    """Run Python with this tree's packages, and fail with what it printed."""
    path = os.pathsep.join([str(ROOT), *sys.path])
    environment = {**os.environ, "PYTHONPATH": path, "MPLBACKEND": "Agg"}
    done = subprocess.run(
        [sys.executable, *command], cwd=cwd, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr


class Page(HTMLParser):
    """Collects the anchors of a page, and what it links to."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.anchors: set[str] = set()
        self.links: list[str] = []
        self.feed(path.read_text("utf-8"))

    def handle_starttag(self, tag, attrs):
        values = dict(attrs)
        self.anchors.update(one for one in (values.get("id"), values.get("name")) if one)
        self.links += [one for one in (values.get("href"), values.get("src")) if one]


def broken(site: Path) -> list[str]:
    """Return the links within a site that lead nowhere."""
    pages = {
        path.resolve(): Page(path) for path in site.rglob("*.html") if "_static" not in path.parts
    }
    found = []
    for path, page in pages.items():
        for link in page.links:
            url = urlsplit(link)
            if url.scheme or url.netloc:
                continue
            target = (path.parent / unquote(url.path)).resolve() if url.path else path
            known = pages.get(target)
            if not target.exists() or (
                url.fragment and known and unquote(url.fragment) not in known.anchors
            ):
                found.append(f"{path.relative_to(site)}: {link}")
    return found


def test_scripts_of_the_gallery_are_short():
    assert len(GALLERY) >= 15
    assert [path.name for path in GALLERY if len(path.read_text().splitlines()) > 30] == []


@pytest.mark.exhaustive
def test_a_picture_as_a_vector_graphic(tmp_path):
    run(GALLERY[0].with_name("draw.py"), GALLERY[0].name, "figure.svg", cwd=tmp_path)
    assert "Raman shift" in (tmp_path / "figure.svg").read_text("utf-8")


@pytest.mark.exhaustive
def test_site(tmp_path):
    pytest.importorskip("sphinx_gallery")
    pytest.importorskip("torch")  # its classes are documented
    source, site = tmp_path / "source", tmp_path / "site"
    for name in SOURCES:
        ignored = shutil.ignore_patterns("gallery") if name == "docs" else None
        shutil.copytree(ROOT / name, source / name, ignore=ignored)
    for path in ROOT.glob("*.md"):
        shutil.copy(path, source)
    run("-m", "sphinx", "-W", "-n", "-q", "-c", source / "docs", source, site, cwd=source)
    assert len(list((site / "_images").glob("sphx_glr_plot_*_001.png"))) == len(GALLERY)
    assert broken(site) == []


@pytest.mark.exhaustive
@pytest.mark.parametrize("name", ["spectroscopist", "train"])
def test_notebooks(name, tmp_path):
    pytest.importorskip("nbclient")
    if name == "train":
        pytest.importorskip("torch")
    notebook = shutil.copy(ROOT / "examples" / "notebooks" / f"{name}.ipynb", tmp_path)
    execute = "from nbclient.cli import main; main()"  # it has no -m
    run("-c", execute, "--inplace", "--timeout=600", notebook, cwd=tmp_path)
    cells = json.loads(Path(notebook).read_text("utf-8"))["cells"]
    assert all(cell["execution_count"] for cell in cells if cell["cell_type"] == "code")
