"""Models, one file each: a CNN, ConvNeXt and a transformer for spectra, and others for maps.

A file in this folder registers its model with ``tersgen.plugins.register``; a new model needs
nothing else. Packages do the same through the entry-point group ``ters_train.models``.
"""

from .model import Model, build_model

__all__ = ["Model", "build_model"]
