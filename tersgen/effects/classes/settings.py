"""How often each class is drawn."""

from typing import Annotated, Any, Literal, Self

from pydantic import model_validator

from ...schema.base import Name, field
from ..settings import EffectSettings


class Classes(EffectSettings):
    """How often each species is drawn."""

    balance: Literal["balanced", "weighted", "zipf"] = field(
        "balanced: each class once in every K rows, in random order; weighted: by weights; zipf: "
        "by 1/rank^exponent in library order",
        "1",
        "balanced",
    )
    weights: dict[Name, Annotated[float, field("weight", "1", ge=0)]] = field(
        "relative weights by species name; 1 for species not listed", "1", {}
    )
    exponent: float = field("exponent of the Zipf distribution", "1", 1.0, ge=0, le=10)

    @model_validator(mode="after")
    def _weights_belong_to_weighted(self) -> Self:
        if self.weights and self.balance != "weighted":
            raise ValueError(f'expected balance = "weighted" with weights, got "{self.balance}"')
        return self

    def idle(self, recipe: Any) -> dict[str, str]:  # noqa: ARG002 - it is about this section alone
        """Return the exponent of other distributions."""
        reason = f'with balance = "{self.balance}"'
        return {} if self.balance == "zipf" else {"exponent": reason}
