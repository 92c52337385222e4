"""``tersgen config``."""

import json
from typing import Any

import click

from .common.messages import say, say_json
from .common.options import json_option
from .common.program import Group
from .options import recipe_options


@click.group("config", cls=Group)
def command() -> None:
    """Show the settings that a build would use."""


@command.command("show")
@recipe_options
@json_option
def show(as_json: bool, **recipe_parts: Any) -> None:
    """Print the whole recipe, defaults filled in, as TOML that --config takes.

    Settings of plug-ins that are here but not used follow as comments.
    """
    import tomli_w

    from ..dataset.schemas import field_rows
    from ..plugins import load
    from ..schema.loading import validate
    from .recipes import effects_of_plugins, recipe_from_options

    recipe = recipe_from_options(**recipe_parts)
    known = effects_of_plugins()
    used = {}
    for name, section in recipe.effects.items():
        load("tersgen.effects", name)  # which says what is wrong
        if name in known:
            used[name] = validate(known[name], section, f"effects.{name}").model_dump(mode="json")
    recipe = recipe.model_copy(update={"effects": used})
    if as_json:
        say_json(recipe.model_dump(mode="json"))
        return
    text = tomli_w.dumps(recipe.model_dump(mode="json", exclude_none=True))
    say(*text.removesuffix("\n").split("\n"))
    for name in sorted({*known} - {*used}):
        say("", f"# [effects.{name}]")
        for setting, unit, default, meaning in field_rows(known[name]):
            value = "..." if default is None else json.dumps(default)
            say(f"# {setting} = {value}  # {meaning} ({unit})")
