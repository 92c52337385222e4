"""The command line of ``ters_train``: one command per file."""

import sys
import warnings
from importlib import import_module
from typing import Any

import click

from tersgen.errors import TersError, TersWarning
from tersgen.files import refused
from tersgen.text import printable

from .. import __version__
from .messages import say

_COMMANDS = {
    "bench-loader": "Measure how fast batches come, and say what limits it.",
    "evaluate": "Score a trained model on a part of a dataset.",
    "export": "Write a trained model as ONNX.",
    "fit": "Train a model, or resume a run.",
    "inspect": "Show what a model would be trained on.",
    "predict": "Name the species of measured spectra, or draw the structures in maps.",
}

_NEEDED = ("torch", "safetensors", "torchmetrics", "tensorboard")
"""What comes with the extra ``train``."""


class _LazyGroup(click.Group):
    """A group whose commands are imported when called: ``--help`` stays quick."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        module = import_module(f".{cmd_name.replace('-', '_')}", __name__)
        command: click.Command = module.command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(_COMMANDS.items()))

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except TersError as error:
            raise click.ClickException(printable(" ".join(str(error).split()))) from error
        except (OSError, MemoryError, RecursionError, RuntimeError) as error:
            line = refused(error)
            if line is None:
                raise
            raise click.ClickException(printable(" ".join(line.split()))) from error
        except ModuleNotFoundError as error:
            if error.name not in _NEEDED:
                raise
            raise click.ClickException(
                f"expected the package {error.name} for training, got no such package; run: pip "
                "install 'tersgen[train]' (from a checkout: pip install '.[train]')"
            ) from error


@click.group(cls=_LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="ters-train")
def main() -> None:
    """Train on TERS datasets."""
    warnings.showwarning = _show_warning


def _show_warning(message: Warning | str, category: type[Warning], *_: Any, **__: Any) -> None:
    if issubclass(category, TersWarning):
        say(f"Warning: {message}", err=True)
    elif sys.warnoptions:
        say(f"{category.__name__}: {message}", err=True)
