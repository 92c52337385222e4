"""Library files that commands read and write."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..text import counted
from .common.messages import say

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..schema.library import Library


class _LibraryFile(click.Path):
    """A library file to write; its ending says the format."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the path, or fail in one line."""
        path = Path(str(super().convert(value, param, ctx)))
        if path.suffix.lower() not in (".tlib", ".json"):
            self.fail(
                f"expected a name that ends in .tlib or .json, got {str(value)!r}", param, ctx
            )
        return path


output_option = click.option(
    "-o", "--output", type=_LibraryFile(path_type=Path), required=True,
    help="Library file to write: molecules.tlib, or JSON with the ending .json.",
)  # fmt: skip
overwrite_option = click.option("--overwrite", is_flag=True, help="Replace the file at --output.")


def load_library(sources: tuple[str, ...], said: dict[str, Any]) -> "Library":
    """Return the species of some sources: built-in names, files, or any --library of build."""
    from ..library.builtin import all_names
    from ..recipe import Recipe
    from ..resolution import build_library
    from .recipes import take_statement

    known = set(all_names())
    return build_library(
        Recipe(
            library=tuple(
                f"builtin:{one}" if one in known and not Path(one).is_file() else one
                for one in sources
            )
        ),
        take_statement(said),
    )


def refuse_existing(output: Path, overwrite: bool) -> None:
    """Refuse a file that is there already, or that cannot be written."""
    from ..dataset.output_file import check_output_file
    from ..errors import OutputError

    check_output_file(output)
    if output.exists() and not overwrite:
        raise OutputError(f"{output}: exists already; pass --overwrite to replace it")


def holds(output: Path, parts: "Sequence[bytes]") -> bool:
    """Return whether a file has exactly this content: the same command wrote it before."""
    try:
        if not output.is_file() or output.stat().st_size != sum(map(len, parts)):
            return False
        with output.open("rb") as file:
            return all(file.read(len(part)) == part for part in parts)
    except OSError:
        return False


def write_once(library: "Library", output: Path, overwrite: bool) -> None:
    """Write a library file, unless it is there already."""
    from ..library.libraryfile import parts_for

    if not overwrite and holds(output, parts_for(library, output)):
        say(f"{output}: holds {', '.join(library.names[:6])} already, nothing to do")
        return
    refuse_existing(output, overwrite)
    write_library(library, output)


def write_library(library: "Library", output: Path) -> None:
    """Write a library file, and print what it holds."""
    from ..dataset.output_file import write_output
    from ..library.libraryfile import parts_for

    write_output(output, parts_for(library, output))
    say_written(library, output)


def say_written(library: "Library", output: Path) -> None:
    """Say what a library file holds that was written."""
    comma = "; " if any(", " in name for name in library.names) else ", "  # as of conformers
    names = comma.join(library.names[:6]) + (f"{comma}..." if len(library) > 6 else "")
    n_modes = len(library.array("frequency")[0])
    say(f"wrote {output}: {counted(len(library), 'species')} ({names}), {counted(n_modes, 'mode')}")
