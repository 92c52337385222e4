"""The documentation site: ``sphinx-build -W -n -c docs . site`` (pip install '.[docs]').

The source folder is the repository, so that links between Markdown files are the same on the forge
and on the site. Pictures of the gallery are drawn by ``examples/gallery``.
"""

import sys
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from docutils.nodes import document
from matplotlib.figure import Figure
from sphinx.addnodes import pending_xref
from sphinx.application import Sphinx
from sphinx_gallery.scrapers import figure_rst

sys.path.insert(0, str(Path(__file__).parents[1]))

import tersgen
from tersgen.plotting.style import styled

ROOT = Path(__file__).parents[1]

project = "tersgen"
author = "the authors of tersgen"
project_copyright = author
version = release = tersgen.__version__

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "numpydoc",
    "sphinx_copybutton",
    "sphinx_gallery.gen_gallery",
]
root_doc = "docs/index"
include_patterns = ["docs/**", "schemas/*.md", "benchmarks/**.md", "*.md"]
exclude_patterns = ["README.md", "docs/_templates", "docs/gallery/**.py", "docs/gallery/**.ipynb"]
templates_path = ["_templates"]
suppress_warnings = ["config.cache"]  # functions below, for the gallery
nitpicky = True
nitpick_ignore = [  # of other packages, or not public
    ("py:class", "xarray.Dataset"),
    ("py:class", "ters_train.parts.NoOptions"),
    ("py:class", "Plain"),
]

myst_heading_anchors = 4
highlight_language = "text"  # of blocks without one, which are commands
autodoc_typehints = "none"
autodoc_member_order = "bysource"
autodoc_default_options = {"exclude-members": "model_config"}
numpydoc_show_class_members = False

html_theme = "pydata_sphinx_theme"
html_title = f"tersgen {release}"
html_show_sourcelink = False
html_additional_pages = {"index": "to_index.html"}  # the root leads to docs/index.html
html_theme_options = {"show_prev_next": False, "navigation_depth": 2}
copybutton_exclude = ".linenos, .gp, .go, .c1"  # comments beside commands are not copied


class _Drawn:
    """Gives the gallery the figure that a script leaves under the name ``figure``."""

    def __call__(self, _: Any, variables: Mapping[str, Any], conf: Mapping[str, Any]) -> str:
        drawn = variables["example_globals"].get("figure")
        if not isinstance(drawn, Figure):
            return ""
        path = next(variables["image_path_iterator"])
        drawn.savefig(path, dpi=200)
        return str(figure_rst([path], conf["src_dir"]))


_style = ExitStack()


def _in_our_style(_: Any, __: str) -> None:
    _style.close()
    _style.enter_context(styled())


sphinx_gallery_conf = {
    "examples_dirs": str(ROOT / "examples" / "gallery"),
    "gallery_dirs": "docs/gallery",
    "ignore_pattern": r"draw\.py",
    "image_scrapers": (_Drawn(),),
    "reset_modules": (_in_our_style,),
    "abort_on_example_error": True,
    "download_all_examples": False,
    "min_reported_time": 1e9,
}


def _plain_folders(_: Sphinx, document: document) -> None:
    """Leave links to folders of the repository as text: the site has no page for them."""
    page = Path(document["source"])
    for link in list(document.findall(pending_xref)):
        if link.get("reftype") == "myst" and page.parent.joinpath(link["reftarget"]).is_dir():
            link.replace_self(link.children)


def _list_the_rest(_: Sphinx, name: str, source: list[str]) -> None:
    """Add pages that no list of pages names to the user guide, so that none is out of reach."""
    if name == "docs/guide":
        pages = {path.stem: path.read_text("utf-8") for path in (ROOT / "docs").glob("*.md")}
        lists = (pages[one] for one in ("index", "guide", "lookup", "development"))
        named = {line.strip() for text in lists for line in text.splitlines()}
        rest = sorted(pages.keys() - named - {"index"})
        source[0] = source[0].removesuffix("```\n") + "\n".join([*rest, "```\n"])


def setup(app: Sphinx) -> None:
    """Connect what is above."""
    app.connect("source-read", _list_the_rest)
    app.connect("doctree-read", _plain_folders)
