"""Pages that repeat what the code says."""

import re
import shlex
from pathlib import Path

import click
import pytest

ROOT = Path(__file__).parents[2]


def sources() -> str:
    """Return all string literals of the packages, those over several lines joined."""
    paths = [path for name in ("tersgen", "ters_train") for path in (ROOT / name).rglob("*.py")]
    text = "\n".join(path.read_text("utf-8") for path in paths)
    return re.sub(r'"\s*\n\s*f?"', "", text)


def test_messages_of_the_page_are_those_of_the_code():
    rows = re.findall(r"^\| `(.+?)` \|", (ROOT / "docs" / "errors.md").read_text("utf-8"), re.M)
    assert len(rows) >= 20
    known = re.sub(r"\{[^{}]*\}", "...", sources())
    assert [row for row in rows if row.removesuffix("...") not in known] == []


def spans() -> list[list[str]]:
    """Return the words of each command on pages by task, without what varies."""
    pages = [*(ROOT / "docs" / "howto").glob("*.md"), ROOT / "docs" / "errors.md"]
    text = "\n".join(path.read_text("utf-8") for path in pages)
    found = re.findall(r"`((?:tersgen|ters-train) [^`]+)`", text)
    return [[one for one in shlex.split(span) if one != "..."] for span in found]


def test_commands_of_the_pages_have_these_options():
    pytest.importorskip("torch")  # ters-train
    from ters_train.cli import main as train
    from tersgen.cli import main

    checked = 0
    for program, *words in spans():
        command: click.Command = {"tersgen": main, "ters-train": train}[program]
        while isinstance(command, click.Group):
            name = words.pop(0)
            command = command.get_command(click.Context(command), name)
            assert command is not None, (program, name)
        known = {option for one in command.params for option in one.opts} | {"--help"}
        given = {word for word in words if word.startswith("-")}
        assert given <= known, (program, command.name)
        checked += 1
    assert checked > 30
