"""The command line: one file for each command, imported only when it is called."""

import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Any

import click

from .. import __version__
from ..errors import TersError, TersWarning
from ..files import refused
from .messages import say
from .stopping import stoppable

_COMMANDS = {
    "build": "Build a dataset, or resume one that was stopped.",
    "config": "Show the settings that a build would use.",
    "convert": "Copy a dataset into the other back end.",
    "diff": "Show what differs between two datasets or versions.",
    "extend": "Add samples to a dataset.",
    "finalize": "Complete a dataset whose shards were sealed by many jobs.",
    "info": "Show what a dataset contains.",
    "ingest": "Make a dataset of measured spectra or arrays.",
    "library": "List, show, import and compute species.",
    "log": "Show the versions of a dataset.",
    "plan": "Estimate the size and duration of a large build.",
    "plot": "Draw samples of a dataset or recipe.",
    "repair": "Rebuild what is damaged in a dataset.",
    "reproduce": "Generate some rows again and compare the bits.",
    "schema": "Export the JSON Schemas of all models.",
    "split": "Split a dataset into parts for training and testing.",
    "tag": "Name a version of a dataset.",
    "verify": "Check whether a dataset is complete and unchanged.",
}


class _LazyGroup(click.Group):
    """A group whose commands are imported when called: ``--help`` stays quick."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        command: click.Command = import_module(f".{cmd_name}", __name__).command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(_COMMANDS.items()))

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in _COMMANDS and not args[0].startswith("-"):
            ctx.fail(f"no such command {args[0]!r}; expected one of {', '.join(_COMMANDS)}")
        return super().resolve_command(ctx, args)

    def main(self, *args: Any, **kwargs: Any) -> Any:
        with stoppable():
            return super().main(*args, **kwargs)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        with _in_one_line():
            return super().parse_args(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        with _in_one_line():
            return super().invoke(ctx)


@contextmanager
def _in_one_line() -> Iterator[None]:
    """Show errors of the library as click shows its own, each as a line that steers no terminal."""
    try:
        yield
    except TersError as error:
        raise click.ClickException(_one_line(str(error))) from error
    except (OSError, MemoryError, RecursionError, RuntimeError) as error:
        line = refused(error)
        if line is None:
            raise
        raise click.ClickException(_one_line(line)) from error
    except click.UsageError as error:
        message = error.format_message()
        if all(line.isprintable() for line in message.split("\n")):
            raise  # a help text is one of these, of many lines
        raise click.UsageError(_one_line(message), error.ctx) from error


def _one_line(message: str) -> str:
    from ..schema.loading import printable

    return printable(" ".join(message.split()))


@click.group(cls=_LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="tersgen")
def main() -> None:
    """Make synthetic tip-enhanced Raman (TERS) datasets."""
    warnings.showwarning = _show_warning


def _show_warning(message: Warning | str, category: type[Warning], *_: Any, **__: Any) -> None:
    if issubclass(category, TersWarning):
        say(f"Warning: {message}", err=True)
    elif not sys.warnoptions:
        return
    else:
        say(f"{category.__name__}: {message}", err=True)
