"""Models: a CNN for spectra, a vision transformer for maps, and both together."""

from .build import TersModel, build_model

__all__ = ["TersModel", "build_model"]
