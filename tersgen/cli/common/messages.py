"""All output of the commands: lines that cannot contain terminal control sequences.

Names of files, and what is read from them, may contain anything; control characters are spelt out.
"""

import json
from typing import Any

import click

from ...text import printable


def say(*lines: str, err: bool = False) -> None:
    r"""Print lines to standard output, or to standard error.

    Each argument stays one line, whatever is in it: a line break is shown as ``\n``.
    """
    for line in lines:
        click.echo(printable(line), err=err)


def say_json(content: Any) -> None:
    """Print a line of JSON, of the characters from space to ``~`` alone."""
    click.echo(json.dumps(content).replace("\x7f", "\\u007f"))
