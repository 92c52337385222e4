"""Models of spectra alone: what they share."""

from collections.abc import Mapping
from typing import Any, ClassVar

from ..config import ModelConfig, Shape
from .branches import BranchModel
from .model import shape_of
from .spectrum_inputs import SpectrumOptions, suggest_inputs


class SpectrumModel(BranchModel):
    """Spectra to classes, or other outputs that a task needs, by one branch."""

    kinds = ("spectrum",)
    batch_size = 128
    branch: ClassVar[Any]
    """Class of the branch, called with the options and the points of a spectrum."""

    def __init__(self, config: ModelConfig, options: SpectrumOptions) -> None:
        (n_points,) = shape_of(config, "spectra", 1)
        super().__init__(config, options, {"spectra": self.branch(options, n_points)})

    @classmethod
    def suggest(cls, shapes: Mapping[str, Shape], wanted: Mapping[str, Any]) -> dict[str, Any]:  # noqa: ARG003 - the same whatever is set
        """Return the inputs of new runs."""
        return suggest_inputs(shapes["spectra"][0])
