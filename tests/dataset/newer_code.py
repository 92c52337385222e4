"""The command line as it will be when settings have been added: each section has one more.

``python newer_code.py COMMAND ...`` runs a command, ``python newer_code.py values PATH`` prints the
digests of all values that are read. Run by ``test_outlives.py``, in a process of its own.
"""

import json
import sys
from typing import Any

from blake3 import blake3
from pydantic import BaseModel, create_model

import tersgen.recipe as module
from tersgen.effects.profile.settings import Lineshape
from tersgen.schema.base import field


def _newer(model: type[BaseModel]) -> type[BaseModel]:
    """Return a model with one more setting, which has a default."""
    added: Any = (float, field("a setting of a later day", "1", 0.25))
    return create_model(model.__name__, __base__=model, later=added)


def _newer_recipe() -> type[module.Recipe]:
    """Return recipes with one more setting in every section, a setting and a section."""
    changed: dict[str, Any] = {}
    for name, info in module.Recipe.model_fields.items():
        if isinstance(info.default, BaseModel):
            section = _newer(type(info.default))
            changed[name] = (section, field("newer", "1", section()))
    section = create_model("Later", __base__=Lineshape)
    changed["later_section"] = (section, field("a section of a later day", "1", section()))
    changed["later_effect"] = (section | None, field("an effect that is off", "1", None))
    changed["later_setting"] = (int, field("a setting of a later day", "1", 3))
    return create_model("Recipe", __base__=module.Recipe, **changed)


# before anything else imports it
module.Recipe = _newer_recipe()  # type: ignore[misc]


def main() -> None:
    """Run a command."""
    import tersgen
    from tersgen.cli import main as command

    if sys.argv[1] != "values":
        command()
        return
    dataset = tersgen.open(sys.argv[2])
    assert dataset.recipe.later_setting == 3
    assert dataset.recipe.perturbations.later == 0.25
    values = {name: blake3(one[:].tobytes()).hexdigest() for name, one in dataset.fields.items()}
    sys.stdout.write(json.dumps({"digest": dataset.digest, "values": values}))


if __name__ == "__main__":
    main()
