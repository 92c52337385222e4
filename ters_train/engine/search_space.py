"""What a sweep varies: lists of values, ranges, and their combinations."""

import itertools
import json
import math
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from pydantic import JsonValue

from tersgen.errors import ConfigError
from tersgen.schema.base import Frozen, field

MOST_TRIALS = 1000
_DECADE = 10.0

Settings = dict[str, JsonValue]
"""Values of settings by their names, such as ``optim.lr``."""


class Choices(Frozen):
    """A setting and the values that are tried."""

    name: str = field("setting, such as optim.lr", "1")
    values: tuple[JsonValue, ...] = field("values", "1", min_length=1)

    @property
    def ends(self) -> tuple[JsonValue, ...]:
        """Values that show whether a run can have them all."""
        return self.values


class Range(Frozen):
    """A setting and the range that values are proposed from."""

    name: str = field("setting, such as optim.lr", "1")
    low: int | float = field("least value; whole numbers are proposed if both ends are", "1")
    high: int | float = field("largest value", "1")

    @property
    def is_whole(self) -> bool:
        """Whether only whole numbers are proposed."""
        return isinstance(self.low, int) and isinstance(self.high, int)

    @property
    def is_log(self) -> bool:
        """Whether it is the logarithm that is uniform: if it spans a decade or more."""
        return self.low > 0 and self.high / self.low >= _DECADE

    @property
    def ends(self) -> tuple[JsonValue, ...]:
        """Values that show whether a run can have them all."""
        middle = math.sqrt(self.low * self.high) if self.is_log else (self.low + self.high) / 2
        return (self.low, round(middle) if self.is_whole else middle, self.high)


Axis = Choices | Range


def axis_of(name: str, value: Any) -> Axis | None:
    """Return what a value of a setting varies: a list its values, ``LOW..HIGH`` a range."""
    if isinstance(value, list):
        if not value:
            raise ConfigError(f"{name}: expected values to try, got an empty list")
        texts = [json.dumps(one) for one in value]
        twice = next((one for one in texts if texts.count(one) > 1), None)
        if twice is not None:
            raise ConfigError(f"{name}: expected each value once, got {twice} twice")
        return Choices(name=name, values=tuple(value))
    if isinstance(value, str) and ".." in value:
        ends = [_number(one) for one in value.split("..")]
        if len(ends) == 2 and None not in ends:
            low, high = ends
            good = math.isfinite(low) and math.isfinite(high) and low < high  # type: ignore[arg-type, operator]
            if not good or "..." in value:  # three points would make the 1 of 0...1 a 0.1
                raise ConfigError(f"{name}: expected LOW..HIGH with LOW < HIGH, got {value!r:.80}")
            return Range(name=name, low=low, high=high)
    return None


def _number(text: str) -> int | float | None:
    for kind in (int, float):
        with suppress(ValueError):
            number: int | float = kind(text)
            return number
    return None


def grid(axes: Sequence[Axis]) -> list[Settings] | None:
    """Return all combinations of values, the last setting changing fastest; None with a range.

    Examples
    --------
    >>> grid([Choices(name="a", values=(1, 2)), Choices(name="b", values=(3,))])
    [{'a': 1, 'b': 3}, {'a': 2, 'b': 3}]
    """
    lists = [one.values for one in axes if isinstance(one, Choices)]
    if len(lists) < len(axes):
        return None
    n_trials = math.prod(map(len, lists))
    if n_trials > MOST_TRIALS:
        raise ConfigError(
            f"expected at most {MOST_TRIALS} combinations, got {n_trials}; give a range in place "
            "of a list, such as optim.lr=1e-4..1e-2, and --trials"
        )
    names = [one.name for one in axes]
    return [dict(zip(names, values, strict=True)) for values in itertools.product(*lists)]


def described(settings: Mapping[str, Any]) -> str:
    """Return settings in a line."""
    return ", ".join(f"{name}={shown(value)}" for name, value in settings.items())


def shown(value: Any) -> str:
    """Return the value of a setting, short."""
    if isinstance(value, float):
        return f"{value:.4g}"
    return value if isinstance(value, str) else json.dumps(value)


def axis_shown(axis: Axis) -> str:
    """Return a setting and what is tried, as ``--set`` takes them."""
    if isinstance(axis, Range):
        return f"{axis.name}={axis.low}..{axis.high}"
    return f"{axis.name}=[{','.join(map(shown, axis.values))}]"
