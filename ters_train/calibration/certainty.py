"""A calibration in use: sets of species and novelty of each row."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ..models.model import Model
from ..tasks.task import Predicted
from .document import KEPT, Calibration
from .novelty import Novelty, novelty_of

NONE = "none of these"
_LISTED = 5


@dataclass(frozen=True, eq=False)
class Certainty:
    """A calibration with its model, whose logits are already divided by the temperature."""

    calibration: Calibration
    novelty: Novelty

    def scores(self, model: Model, inputs: dict[str, Tensor], logits: Tensor) -> Tensor:
        """Return the novelty of each row, shape (B,): large for rows unlike all classes."""
        needed = self.novelty.needs_features
        features = model.features(inputs).float().cpu() if needed else None
        return novelty_of(self.calibration.novelty, self.novelty, logits.cpu(), features)

    def typical(self, scores: Tensor) -> list[float]:
        """Return the fraction of known rows with at least this novelty, for each score."""
        grid = np.asarray(self.calibration.novelty_quantiles)
        share = np.interp(scores.numpy(), grid, np.linspace(1, 0, len(grid)))
        return [float(one) for one in share]

    def judged(
        self,
        said: Sequence[Predicted],
        model: Model,
        inputs: dict[str, Tensor],
        outputs: dict[str, Tensor],
        classes: Sequence[str],
        coverage: float,
    ) -> list[Predicted]:
        """Return predictions with the set of species of each row, and whether it is of any class.

        Parameters
        ----------
        said
            Predictions of the task, one for each row.
        model, inputs, outputs
            The model, a batch and its outputs.
        classes
            Names of the K classes.
        coverage
            Fraction of sets that contain the true species.

        Raises
        ------
        ConfigError
            If the model was not calibrated for that coverage.
        """
        least = self.calibration.threshold(coverage)
        shares = outputs["logits"].float().softmax(dim=1).cpu()
        typical = self.typical(self.scores(model, inputs, outputs["logits"]))
        found = []
        for one, row, like in zip(said, shares, typical, strict=True):
            order = row.argsort(descending=True)
            n = max(1, int((row >= least).sum()))
            names = [classes[k] for k in order[:n].tolist()]
            is_known = like >= 1 - KEPT
            listed = ", ".join(names[:_LISTED]) + (f" and {n - _LISTED} more" * (n > _LISTED))
            text = f"{one.text}; {coverage:.0%} set: {listed}"
            if not is_known:
                text = f"{NONE}; nearest: {one.text}"
            facts = {"set": names, "known": is_known, "typical": round(like, 4)}
            found.append(Predicted(text, {**one.content, **facts}))
        return found


def judged_by_logits(said: Sequence[Predicted], logits: Tensor) -> list[Predicted]:
    """Return predictions of a model trained with outliers, and whether each row is of any class.

    Novelty is the probability of the further class, "none of these", whose logit is 0.

    Parameters
    ----------
    said
        Predictions of the task, one for each row.
    logits
        Those of the model, shape (B, K).
    """
    found = []
    scores = torch.sigmoid(-logits.double().logsumexp(1)).tolist()
    for one, novelty in zip(said, scores, strict=True):
        is_known = novelty <= 0.5
        text = one.text if is_known else f"{NONE}; nearest: {one.text}"
        facts = {"known": is_known, "novelty": float(f"{novelty:.6g}")}
        found.append(Predicted(text, {**one.content, **facts}))
    return found


def scale_logits(model: Model, temperature: float) -> None:
    """Let a model divide its logits by a temperature, wherever it is called or exported."""

    def scaled(_: object, __: object, outputs: dict[str, Tensor]) -> dict[str, Tensor]:
        return {**outputs, "logits": outputs["logits"] / temperature}

    model.register_forward_hook(scaled)


def collect(
    model: Model, inputs: dict[str, Tensor], has_features: bool
) -> tuple[Tensor, Tensor | None]:
    """Return logits and features of a batch, on the CPU."""
    with torch.inference_mode():
        logits = model(inputs)["logits"].float().cpu()
        features = model.features(inputs).float().cpu() if has_features else None
    return logits, features
