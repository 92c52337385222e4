"""Options, kinds of values and units that the commands of both programs share."""

import os
import re
from collections.abc import Callable
from contextlib import suppress
from typing import Any, TypeVar

import click

from ...text import not_among
from ...urls import as_path
from .program import Program

F = TypeVar("F", bound=Callable[..., Any])


class _File(click.Path):
    """A path, or the URL of a dataset."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the path."""
        return as_path(os.fsdecode(super().convert(value, param, ctx)))


FILE = _File()


class Count(click.ParamType[int]):
    """A whole number of at least 1; ``1e6`` and ``1_000_000`` are understood."""

    name = "count"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Return the number, or fail in one line."""
        if isinstance(value, int):
            return value
        text = str(value)
        try:
            number = int(text)
        except ValueError:
            try:
                decimal = float(text)
                number = int(decimal)
                if number != decimal:
                    raise ValueError(text)
            except (ValueError, OverflowError):
                self.fail(
                    f"expected a whole number such as 100000 or 1e5, got {text!r}", param, ctx
                )
        if number < 1:
            self.fail(f"expected at least 1, got {text}", param, ctx)
        return number


COUNT = Count()


class Choice(click.Choice[str]):
    """One of some names; the one that was probably meant is suggested."""

    def get_invalid_choice_message(self, value: Any, ctx: click.Context | None) -> str:
        """Return what is wrong with a value."""
        return not_among(str(value), self.choices)


def option_group(*options: Callable[[Any], Any]) -> Callable[[F], F]:
    """Return what adds some options to a command, in their order in its help."""

    def add(function: F) -> F:
        for option in reversed(options):
            function = option(function)
        return function

    return add


axis_unit_options = option_group(
    click.option("--unit", help="Unit of the axis of files: nm, cm-1, eV, THz and others."),
    click.option("--vacuum", is_flag=True,
                 help="Wavelengths, the laser's too, are those in vacuum instead of air."),
    click.option("--laser-nm", type=click.FloatRange(50, 1e5),
                 help="Laser, for axes of wavelengths, absolute wavenumbers and photon energies."),
)  # fmt: skip
"""What files do not say of their axis."""


spectrum_option = click.option(
    "--spectrum",
    metavar="NUMBER|NAME",
    help="Read only one spectrum of files of several: its number, from 0, or its name.",
)

axis_kind_option = click.option(
    "--axis",
    type=Choice(["shift", "wavelength", "absolute", "energy"]),
    help="What the axis of files is.  [default: as the files say]",
)


json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
links_option = click.option(
    "--follow-links",
    is_flag=True,
    help="Follow links, as git-annex and the Hugging Face cache use.",
)
threads_option = click.option(
    "--threads", type=COUNT, help="Threads to use.  [default: all processors]"
)


def _import_plugins(ctx: click.Context, _: click.Parameter, modules: tuple[str, ...]) -> None:
    program = ctx.find_root().command
    if isinstance(program, Program):
        for module in modules:
            program.import_plugin(module)


plugin_option = click.option(
    "--plugin", multiple=True, metavar="MODULE", expose_value=False, is_eager=True,
    callback=_import_plugins,
    help="Module with parts of your own: a name, or a file my_module.py; may be repeated.",
)  # fmt: skip
"""The modules are imported before anything else is done."""


def set_field(table: dict[str, Any], setting: str) -> None:
    """Set what a text FIELD=VALUE says, such as ``grid.n_points=2048``, in tables within tables."""
    import yaml  # --help stays quick

    from ...schema.yaml_text import load_yaml

    name, equals, text = setting.partition("=")
    if not equals or not name:
        raise click.BadParameter(
            f"expected FIELD=VALUE such as grid.n_points=2048, got {setting!r}",
            param_hint="'--set'",
        )
    try:
        value = load_yaml(text)
    except (yaml.YAMLError, ValueError, RecursionError):
        raise click.BadParameter(
            f"cannot read the value of {setting!r}", param_hint="'--set'"
        ) from None
    set_value(table, name, _with_numbers(value))


def _with_numbers(value: Any) -> Any:
    """Return a value, or a list of them, with texts such as 3e-4 as the numbers that they are."""
    if isinstance(value, list):
        return [_with_numbers(one) for one in value]
    if isinstance(value, str) and re.fullmatch(r"[-+.\d]+[eE][-+]?\d+", value):
        with suppress(ValueError):
            return float(value)
    return value


def set_value(table: dict[str, Any], name: str, value: Any) -> None:
    """Set a field by its name, such as ``optim.lr``, in tables within tables."""
    *groups, last = name.split(".")
    for group in groups:
        table = table.setdefault(group, {})
        if not isinstance(table, dict):
            raise click.BadParameter(
                f"{name}: {group} is a field, and no group of fields", param_hint="'--set'"
            )
    table[last] = value
