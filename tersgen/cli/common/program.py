"""A command line: commands imported when called, errors of one line, the same exit codes.

0 is success, 1 a failure, 2 wrong options or settings, 130 and 143 Ctrl-C and SIGTERM.
"""

import sys
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib import import_module
from typing import Any

import click

from ...errors import ConfigError, MissingExtraError, TersError, TersWarning
from ...files import refused
from ...text import not_among, printable
from .messages import say
from .stopping import stoppable


def _import_plugin(text: str) -> None:
    from ...plugins import import_module

    import_module(text)


class _WrongSettings(click.ClickException):
    """Options, a recipe or settings of a run are not what was expected."""

    exit_code = 2


class Group(click.Group):
    """A group that suggests the command that was probably meant."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Return the command that the arguments name."""
        names = self.list_commands(ctx)
        if args[0] not in names and not args[0].startswith("-"):
            ctx.fail(f"no such command: {not_among(args[0], names)}")
        return super().resolve_command(ctx, args)


class Program(Group):
    """All commands of a program; ``--help`` imports none of them.

    Parameters
    ----------
    name
        Name of the program.
    package
        Package with a module for each command, whose ``command`` it is.
    version
        Version of the program.
    commands
        What each command does, by name.
    help
        What the program does.
    extra
        Name of the extra that the commands need, and the packages that come with it.
    patient
        Whether signals after the first are ignored.
    import_plugin
        Function that imports a module that ``--plugin`` names.
    """

    def __init__(
        self,
        name: str,
        package: str,
        version: str,
        commands: Mapping[str, str],
        help: str,
        extra: tuple[str, Sequence[str]] = ("", ()),
        patient: bool = True,
        import_plugin: Callable[[str], object] = _import_plugin,
    ) -> None:
        super().__init__(name, help=help, context_settings={"help_option_names": ["-h", "--help"]})
        self._package = package
        self._commands = commands
        self._extra, self._needed = extra
        self._patient = patient
        self.import_plugin = import_plugin
        click.version_option(version, prog_name=name)(self)

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of all commands."""
        return list(self._commands)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a command, and return it."""
        if cmd_name not in self._commands:
            return None
        module = import_module(f"{self._package}.{cmd_name.replace('-', '_')}")
        command: click.Command = module.command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write what each command does."""
        with formatter.section("Commands"):
            formatter.write_dl(list(self._commands.items()))

    def main(self, *args: Any, **kwargs: Any) -> Any:
        """Run a command line, and exit."""
        warnings.showwarning = _show_warning
        with stoppable(self._patient):
            return super().main(*args, **kwargs)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Return the arguments that are left after the options of the program."""
        with self._explaining():
            return super().parse_args(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command."""
        with self._explaining():
            return super().invoke(ctx)

    @contextmanager
    def _explaining(self) -> Iterator[None]:
        """Say what to install where a package is missing; see ``errors_in_one_line``."""
        with errors_in_one_line():
            try:
                yield
            except ModuleNotFoundError as error:
                if error.name not in self._needed:
                    raise
                raise MissingExtraError(
                    f"expected the package {error.name} for {self.name}, got no such package; run: "
                    f"pip install 'tersgen[{self._extra}]' (from a checkout: pip install "
                    f"'.[{self._extra}]')"
                ) from error


@contextmanager
def errors_in_one_line() -> Iterator[None]:
    """Show errors of the library as click shows its own, each as one printable line."""
    try:
        yield
    except TersError as error:
        kind = _WrongSettings if isinstance(error, ConfigError) else click.ClickException
        raise kind(_one_line(str(error))) from error
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
    return printable(" ".join(message.split()))


def _show_warning(message: Warning | str, category: type[Warning], *_: Any, **__: Any) -> None:
    if issubclass(category, TersWarning):
        say(f"Warning: {message}", err=True)
    elif sys.warnoptions:
        say(f"{category.__name__}: {message}", err=True)
