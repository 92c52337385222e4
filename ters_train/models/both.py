"""Spectra and maps together: the CNN and the vision transformer, whose features all heads read."""

from collections.abc import Mapping
from typing import Any, Self

from pydantic import model_validator

from tersgen.plugins import register
from tersgen.schema.base import Frozen, field

from ..config import ModelConfig, Shape
from .branches import BranchModel
from .cnn import CnnConfig, CnnModel, SpectrumCnn
from .model import shape_of
from .vit import VitConfig, map_branch, suggest_options


class BothConfig(Frozen):
    """A branch for spectra and one for maps."""

    cnn: CnnConfig = field("the branch for spectra", "1", CnnConfig())
    vit: VitConfig = field("the branch for maps", "1", VitConfig())

    @model_validator(mode="after")
    def _possible(self) -> Self:
        if self.cnn.members != 1:
            raise ValueError(
                f"cnn.members: expected 1 for a branch, got {self.cnn.members}; only models of "
                "spectra alone can be ensembles"
            )
        return self


@register("ters_train.models", "cnn+vit")
class BothModel(BranchModel):
    """Spectra and maps to classes, or other outputs that a task needs."""

    Options = BothConfig
    kinds = ("both",)
    batch_size = 64

    def __init__(self, config: ModelConfig, options: BothConfig) -> None:
        (n_points,) = shape_of(config, "spectra", 1)
        spectra = SpectrumCnn(options.cnn, n_points)
        maps = map_branch(config, options.vit)
        super().__init__(config, options, {"spectra": spectra, "maps": maps})

    @classmethod
    def suggest(cls, shapes: Mapping[str, Shape], wanted: Mapping[str, Any]) -> dict[str, Any]:
        """Return the options of both branches."""
        inside = wanted.get("vit", {})
        return {
            "cnn": {**CnnModel.suggest(shapes, {}), "members": 1},
            "vit": suggest_options(shapes, inside if isinstance(inside, Mapping) else {}),
        }
