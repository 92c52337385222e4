"""The physics of a sample, a folder or module for each effect; `base` says what an effect is.

What a plug-in needs to add one is exported here; names are imported when first used.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ..numeric._jit import kernel
    from ..numeric.lineshape import add_gaussian, add_lorentzian
    from ..plugins import register
    from ..random.normal import fill_normals, normal_pair
    from ..random.philox import between, philox, uniform
    from ..schema.base import field
    from ..schema.intervals import Interval, NonNegativeInterval
    from .base import Parameter, Tile
    from .plugged import PluginEffect
    from .settings import EffectSettings

__all__ = [
    "EffectSettings",
    "Interval",
    "NonNegativeInterval",
    "Parameter",
    "PluginEffect",
    "Tile",
    "add_gaussian",
    "add_lorentzian",
    "between",
    "field",
    "fill_normals",
    "kernel",
    "normal_pair",
    "philox",
    "register",
    "uniform",
]

_MODULES = {
    "..numeric._jit": ("kernel",),
    "..numeric.lineshape": ("add_gaussian", "add_lorentzian"),
    "..random.normal": ("fill_normals", "normal_pair"),
    "..random.philox": ("between", "philox", "uniform"),
    "..plugins": ("register",),
    "..schema.base": ("field",),
    "..schema.intervals": ("Interval", "NonNegativeInterval"),
    ".base": ("Parameter", "Tile"),
    ".plugged": ("PluginEffect",),
    ".settings": ("EffectSettings",),
}


def __getattr__(name: str) -> Any:
    for module, names in _MODULES.items():
        if name in names:
            return getattr(import_module(module, __name__), name)
    raise AttributeError(f"module 'tersgen.effects' has no attribute {name!r}")


def __dir__() -> list[str]:
    return list(__all__)
