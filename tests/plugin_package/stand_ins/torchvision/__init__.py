"""Stands in for torchvision where there is no build of it: timm imports its readers of images."""

import importlib.abc
import importlib.machinery
import sys
from types import ModuleType


class _Names(type):
    def __getattr__(cls, name):
        return _nothing(name)


def _nothing(name):
    if name.startswith("__"):
        raise AttributeError(name)
    return _Names(name, (), {})


class _Finder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    def find_spec(self, name, *_):
        if name.startswith("torchvision."):
            return importlib.machinery.ModuleSpec(name, self, is_package=True)
        return None

    def create_module(self, spec):
        module = ModuleType(spec.name)
        module.__getattr__ = _nothing
        return module

    def exec_module(self, module):
        pass


sys.meta_path.append(_Finder())
__getattr__ = _nothing
__version__ = "0"
