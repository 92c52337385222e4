"""``tersgen config``."""

from typing import Any

import click

from .messages import say, say_json
from .options import json_option, recipe_options


@click.group("config")
def command() -> None:
    """Show the settings that a build would use."""


@command.command("show")
@recipe_options
@json_option
def show(as_json: bool, **recipe_parts: Any) -> None:
    """Print the whole recipe, defaults filled in, as TOML that --config takes."""
    import tomli_w

    from .recipes import recipe_from_options

    recipe = recipe_from_options(**recipe_parts)
    if as_json:
        say_json(recipe.model_dump(mode="json"))
    else:
        text = tomli_w.dumps(recipe.model_dump(mode="json", exclude_none=True))
        say(*text.removesuffix("\n").split("\n"))
