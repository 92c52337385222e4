"""Fractions of species in mixtures: composition, counts and scores."""

from .task import Mixture, MixtureOptions

__all__ = ["Mixture", "MixtureOptions"]
