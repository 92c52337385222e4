"""Models: a CNN for spectra, a transformer for maps, both together; a U-Net for structures."""

from .build import Model, TersModel, build_model
from .unet import StructureModel

__all__ = ["Model", "StructureModel", "TersModel", "build_model"]
