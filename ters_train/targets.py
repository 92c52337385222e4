"""Names of the fields that models are trained on and scored by; without torch, for planning."""

from .config import ModelConfig

TENSOR_FIELDS = ("tensors", "sticks/count")
"""What a model that predicts Raman tensors is trained on."""
MIXTURE_LABEL, MIXTURE_FRACTION = "mixture/label", "mixture/fraction"
MIXTURE_FIELDS = (MIXTURE_LABEL, MIXTURE_FRACTION)
"""What a model of mixtures is trained on."""
MASKS, BONDS = "structure/masks", "structure/bonds"
POSITIONS, ELEMENTS, COUNT = "structure/positions", "structure/elements", "structure/count"
STRUCTURE_FIELDS = (MASKS, POSITIONS, ELEMENTS, COUNT)
"""What a model of structures is trained on and scored by, beside bonds."""


def target_fields(config: ModelConfig) -> tuple[str, ...]:
    """Return the fields of a dataset that a model is trained on and scored by."""
    if config.structure is not None:
        return ("label", *STRUCTURE_FIELDS, *((BONDS,) if config.structure.bonds else ()))
    mixture = MIXTURE_FIELDS if config.present_fraction is not None else ()
    return ("label", *mixture, *(TENSOR_FIELDS if config.tensor_modes is not None else ()))


def describe_outputs(config: ModelConfig) -> str:
    """Return in a few words what a model predicts."""
    if config.structure is None:
        mixed = "fractions of " if config.present_fraction is not None else ""
        return f"{mixed}{config.n_classes} classes"
    bonds = " and bonds" if config.structure.bonds else ""
    return f"masks of {', '.join(config.structure.elements)}{bonds}"
