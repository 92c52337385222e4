"""Structures in maps, pixel by pixel: options, losses, counts, scores, positions of atoms, page."""

from .options import StructureOptions, structure_targets
from .task import Structure

__all__ = ["Structure", "StructureOptions", "structure_targets"]
