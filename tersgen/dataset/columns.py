"""Names of the columns of fields with several parameters a row, such as ``params/instrument``."""

from importlib import import_module

from ..effects.base import Parameter
from ..errors import ConfigError


def column_names(field: str) -> tuple[str, ...]:
    """Return the names of the columns of ``params/NAME`` as the effect NAME records them.

    Returns
    -------
    tuple
        Empty if there is no such effect, or it records none.
    """
    prefix, _, effect = field.partition("/")
    if prefix != "params" or not effect.isidentifier():
        return ()
    try:
        module = import_module(f"tersgen.effects.{effect}.effect")
    except ModuleNotFoundError:
        return ()
    parameters: tuple[Parameter, ...] = getattr(module, "PARAMETERS", ())
    return tuple(one.name for one in parameters)


def column_number(field: str, column: str | None, n_columns: int) -> int:
    """Return the number of a column of a field, given by its number or name."""
    names = column_names(field)
    if len(names) != n_columns:  # of another version
        names = ()
    if column in names:
        return names.index(column)
    if column is not None and column.isdecimal() and int(column) < n_columns:
        return int(column)
    known = f", or by name: {', '.join(names)}" if names else ""
    raise ConfigError(
        f"expected a column of {field}, {field}[0] to [{n_columns - 1}]{known}; "
        f"got {column or 'none'}"
    )
