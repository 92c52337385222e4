"""Pages and model cards of a run, from Jinja2 templates: no script, no external content.

Everything that a template inserts is text: control characters are spelt out, and it is escaped for
HTML or Markdown, without a filter that could be forgotten:
docs/decisions/0028-command-lines-and-reports.md
"""

import base64
import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from tersgen.text import counted, printable

from . import Report

TEMPLATES = Path(__file__).parent / "templates"


def _for_html(value: Any) -> Any:
    return printable(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def _for_markdown(value: Any) -> Markup:
    """Return a value as text in which Markdown and HTML see nothing of theirs."""
    if isinstance(value, Markup):
        return value
    return Markup(re.sub(r"([\\`*_\[\]<>|~&$])", r"\\\1", printable(str(value))))


@cache
def _environment(folder: Path, suffix: str) -> Environment:
    environment = Environment(
        loader=FileSystemLoader([folder, TEMPLATES]),
        autoescape=True,
        finalize=_for_html if suffix == ".html" else _for_markdown,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["base64"] = lambda content: base64.b64encode(content).decode()
    environment.filters["png_width"] = lambda content: int.from_bytes(content[16:20])
    environment.policies["json.dumps_kwargs"] = {}
    return environment


def render(template: Path, report: Report, **values: Any) -> bytes:
    """Return a page, if the template ends in .html, or a model card.

    Parameters
    ----------
    template
        The template; it may extend ``base.html`` and ``base.md``.
    report
        What to tell, which templates call ``report``.
    values
        What else the template names; ``overview`` has the most important numbers by name.
    """
    environment = _environment(template.parent, template.suffix)
    return environment.get_template(template.name).render(report=report, **values).encode()


def plain_pages(report: Report, curves: bytes) -> dict[str, bytes]:
    """Return page and card of any task: its single numbers, the training, the data.

    Parameters
    ----------
    report
        What to tell.
    curves
        Picture of the training, PNG.
    """
    numbers = {
        name: f"{value:.6g}"
        for name, value in report.scores.items()
        if isinstance(value, int | float) and name != "n_samples"
    }
    n_samples = counted(report.scores["n_samples"], "sample")
    scored = {"scored on": f"{report.part}, {n_samples}"}
    return pages(TEMPLATES, report, curves, {**numbers, **scored})


def pages(
    folder: Path, report: Report, curves: bytes, overview: Mapping[str, Any], **values: Any
) -> dict[str, bytes]:
    """Return ``report.html`` and ``model_card.md`` from ``page.html`` and ``card.md`` in a folder.

    Parameters
    ----------
    folder
        Where the templates are.
    report
        What to tell.
    curves
        Picture of the training, PNG.
    overview
        The most important numbers, by name.
    values
        What else the templates name.
    """
    known = {"dataset digest": report.digest, "dataset version": report.version or "none"}
    result = {**overview, **known, **report.facts}
    values |= {"overview": overview, "result": result, "curves": curves}
    return {
        "report.html": render(folder / "page.html", report, **values),
        "model_card.md": render(folder / "card.md", report, **values),
    }
