"""Denoising: spectra and maps as they are without noise, background and detector."""

from .task import Denoising, DenoisingOptions

__all__ = ["Denoising", "DenoisingOptions"]
