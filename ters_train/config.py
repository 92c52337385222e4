"""What a model is fed and what it predicts, checked against a dataset."""

from typing import Literal, NamedTuple

from tersgen.dataset.dataset import Dataset
from tersgen.errors import ConfigError

Input = Literal["spectrum", "map", "both"]

_FIELDS: dict[Input, tuple[str, ...]] = {
    "spectrum": ("spectra",),
    "map": ("maps",),
    "both": ("spectra", "maps"),
}


class Feed(NamedTuple):
    """Inputs and target of a classifier."""

    inputs: dict[str, tuple[int, ...]]
    """Shape of one sample of each input field; spectra have one channel in front."""
    classes: tuple[str, ...]
    """Species names in label order."""


def make_feed(dataset: Dataset, kind: Input) -> Feed:
    """Return what a model of ``kind`` is fed from a dataset.

    Raises
    ------
    ConfigError
        If the dataset lacks a field that the model needs.
    """
    missing = [name for name in _FIELDS[kind] if name not in dataset]
    if missing:
        raise ConfigError(
            f"{dataset.path}: expected the field {missing[0]} for input {kind!r}, got "
            f"{', '.join(dataset)}; build it with fields.{missing[0]} = true"
        )
    shapes = {name: dataset[name].shape[1:] for name in _FIELDS[kind]}
    if "spectra" in shapes:
        shapes["spectra"] = (1, *shapes["spectra"])
    return Feed(shapes, dataset.classes)
