"""Names of the fields of a dataset that models are trained on and scored by."""

TENSOR_FIELDS = ("tensors", "sticks/count")
"""What a model that predicts Raman tensors is trained on."""
MIXTURE_LABEL, MIXTURE_FRACTION = "mixture/label", "mixture/fraction"
MIXTURE_FIELDS = (MIXTURE_LABEL, MIXTURE_FRACTION)
"""What a model of mixtures is trained on."""
MASKS, BONDS = "structure/masks", "structure/bonds"
POSITIONS, ELEMENTS, COUNT = "structure/positions", "structure/elements", "structure/count"
STRUCTURE_FIELDS = (MASKS, POSITIONS, ELEMENTS, COUNT)
"""What a model of structures is trained on and scored by, in addition to bonds."""
SPECIES_MAP = "scene/species"
"""Targets of models that predict the species at each pixel."""
INSTANCE_MAP = "scene/instance"
"""The molecule at each pixel, by which such models are scored as well."""
