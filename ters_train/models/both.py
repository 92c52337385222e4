"""Spectra and maps together: the CNN and the vision transformer, whose features all heads read."""

from collections.abc import Mapping
from typing import Any

from tersgen.plugins import register
from tersgen.schema.base import Frozen, field

from ..config import ModelConfig, Shape
from .branches import BranchModel
from .cnn import CnnConfig, SpectrumCnn
from .model import shape_of
from .vit import VitConfig, map_branch, suggest_patch


class BothConfig(Frozen):
    """A branch for spectra and one for maps."""

    cnn: CnnConfig = field("the branch for spectra", "1", CnnConfig())
    vit: VitConfig = field("the branch for maps", "1", VitConfig())


@register("ters_train.models", "cnn+vit")
class BothModel(BranchModel):
    """Spectra and maps to classes, or whatever else a task asks for."""

    Options = BothConfig
    kinds = ("both",)

    def __init__(self, config: ModelConfig, options: BothConfig) -> None:
        (n_points,) = shape_of(config, "spectra", 1)
        spectra = SpectrumCnn(options.cnn, n_points)
        maps = map_branch(config, options.vit)
        super().__init__(config, options, {"spectra": spectra, "maps": maps})

    @classmethod
    def suggest(cls, shapes: Mapping[str, Shape]) -> dict[str, Any]:
        """Return the side of the patches."""
        return {"vit": suggest_patch(shapes)}
