"""Parts of the report of a run: one HTML file that needs nothing else and runs nothing."""

import base64
import json
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any

from tersgen.schema.loading import printable

_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; max-width: 62rem; margin: 2rem auto; padding: 0 1rem;
  color: #1c2733; background: #fff; }
h1, h2 { font-weight: 600; line-height: 1.2; } h2 { margin-top: 2.2rem; }
img { max-width: 100%; height: auto; }
table { border-collapse: collapse; } th, td { padding: .2rem .8rem .2rem 0; text-align: left;
  border-bottom: 1px solid #e3e8ee; vertical-align: top; }
td.number, th.number { text-align: right; font-variant-numeric: tabular-nums; }
pre { background: #f5f7f9; padding: 1rem; overflow-x: auto; font-size: 13px; }
code { overflow-wrap: anywhere; }
"""
_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"


def _text(value: object) -> str:
    """Return a value as text that a page shows and never obeys."""
    return escape(printable(str(value)))


def table(heading: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Return a table; numbers stand at the right."""

    def cell(value: object) -> str:
        if isinstance(value, float):
            return f'<td class="number">{value:.4f}</td>'
        if isinstance(value, int) and not isinstance(value, bool):
            return f'<td class="number">{value}</td>'
        return f"<td>{_text(value)}</td>"

    rows = list(rows)
    numeric = [
        all(isinstance(row[k], int | float) for row in rows) if rows else False
        for k in range(len(heading))
    ]
    head = "".join(
        f'<th class="number">{_text(name)}</th>' if is_number else f"<th>{_text(name)}</th>"
        for name, is_number in zip(heading, numeric, strict=True)
    )
    body = "\n".join(f"<tr>{''.join(map(cell, row))}</tr>" for row in rows)
    return f"<table>\n<thead><tr>{head}</tr></thead>\n<tbody>\n{body}\n</tbody>\n</table>"


def facts(pairs: Mapping[str, Any]) -> str:
    """Return a table of names and values."""
    rows = "\n".join(
        f"<tr><th>{_text(name)}</th><td><code>{_text(value)}</code></td></tr>"
        for name, value in pairs.items()
    )
    return f"<table>\n{rows}\n</table>"


def picture(png: bytes, description: str) -> str:
    """Return a picture that the page holds itself."""
    data = base64.b64encode(png).decode()
    return f'<img alt="{_text(description)}" src="data:image/png;base64,{data}">'


def config_text(config: Mapping[str, Any]) -> str:
    """Return a configuration as text."""
    # As JSON every letter that could steer a terminal or turn the text around is spelt out.
    return f"<pre>{escape(json.dumps(config, indent=2, ensure_ascii=True))}</pre>"


def document(name: str, sections: Mapping[str, str]) -> str:
    """Return a page from its title and the HTML of its sections, by heading."""
    body = "\n".join(f"<h2>{title}</h2>\n{content}" for title, content in sections.items())
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{_text(name)}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n"
        f"<h1>{_text(name)}</h1>\n{body}\n</body>\n</html>\n"
    )
