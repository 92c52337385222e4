"""Recipes by name, for ``--preset``: what differs from the defaults."""

from typing import Any

Table = dict[str, Any]

_MOLECULES = (
    *("ammonia", "benzene", "carbon_dioxide", "formaldehyde"),
    *("methane", "pyridine", "thiophenol", "water"),
)

PRESETS: dict[str, Table] = {
    "nearfield": {
        "library": [f"builtin:{name}" for name in _MOLECULES],
        "grid": {"start_cm1": 50.0},
        "lineshape": {"profile": "lorentzian"},
        "nearfield": {
            "width_angstrom": [4.0, 6.0],
            "height_angstrom": [2.5, 4.0],
            "apex_angstrom": 1.0,
            "orientation": "tilted",
            "max_tilt_deg": 20.0,
            "bands": [[300.0, 900.0], [900.0, 1300.0], [1300.0, 1800.0], [2800.0, 3900.0]],
        },
    },
}
"""``nearfield``: maps of single molecules under a tip, in four bands."""


def merged(below: Table, above: Table) -> Table:
    """Return two tables as one; where both have a value, that of ``above`` holds.

    >>> merged({"map": {"height": 8, "width": 8}}, {"map": {"width": 9}})
    {'map': {'height': 8, 'width': 9}}
    """
    table = dict(below)
    for name, value in above.items():
        both = isinstance(value, dict) and isinstance(table.get(name), dict)
        table[name] = merged(table[name], value) if both else value
    return table
