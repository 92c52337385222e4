"""Numbers of rows, workers and threads, as Python gives them."""

from typing import Any

from ..errors import ConfigError


def whole(n: Any, name: str) -> int:
    """Return a number of rows as an int; 1e6 is one, too."""
    try:
        number = int(n)
    except (TypeError, ValueError, OverflowError):
        number = None
    if number is None or isinstance(n, (bool, str)) or number != n or number < 1:
        raise ConfigError(f"{name}: expected a whole number of at least 1, got {n!r:.80}")
    return number
