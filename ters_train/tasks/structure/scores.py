"""How well structures are predicted: overlap of masks, and where the atoms are; Eqs. (9.5)-(9.7).

All follow from sums over samples: they do not depend on how samples were cut into batches.
"""

from collections.abc import Sequence
from typing import NamedTuple

from tersgen.schema.base import field
from tersgen.text import counted

from ..classification.scores import EPS
from ..scores import TaskScores


class Sums(NamedTuple):
    """Sums over all samples, a number for each channel (overlap) or element (atoms)."""

    both: Sequence[int]
    """Pixels of prediction and truth,"""
    predicted: Sequence[int]
    """of the prediction,"""
    true: Sequence[int]
    """of the truth: values of at least 1/2."""
    n_found: Sequence[int]
    """Predicted atoms,"""
    n_true: Sequence[int]
    """true atoms within the frame,"""
    n_matched: Sequence[int]
    """those of both,"""
    distance: Sequence[float]
    """and the sum of their distances, Angstrom."""


class StructureScores(TaskScores):
    """Scores of structure targets; tuples are in the order of ``elements``.

    Means are over the elements that have pixels in the truth; an element without any has no scores
    of its own (null). Bonds do not count in them.
    """

    elements: tuple[str, ...] = field("symbols of the elements", "1")
    dice: float = field("mean of the elements' Dice, Eq. (9.5)", "1")
    iou: float = field("mean of the elements' IoU, Eq. (9.6)", "1")
    bond_dice: float | None = field("Dice of the bonds, if they are predicted", "1", None)
    bond_iou: float | None = field("IoU of the bonds, if they are predicted", "1", None)
    position_error_angstrom: float | None = field(
        "mean distance of matched atoms in the plane, Eq. (9.7); none if none is", "Angstrom", None
    )
    position_precision: float = field("share of the predicted atoms that are true ones", "1")
    position_recall: float = field("share of the true atoms that are predicted", "1")
    dice_of: tuple[float | None, ...] = field("Dice of each element", "1")
    iou_of: tuple[float | None, ...] = field("IoU of each element", "1")
    precision_of: tuple[float, ...] = field("precision of each element's atoms", "1")
    recall_of: tuple[float, ...] = field("recall of each element's atoms", "1")
    error_of: tuple[float | None, ...] = field("position error of each element", "Angstrom")
    support: tuple[int, ...] = field("true atoms of each element within the frame", "1")

    @property
    def chosen_by(self) -> float:
        """What the best epoch has most of."""
        return self.dice

    @property
    def logged(self) -> dict[str, float | None]:
        """What of it goes into the log of a run."""
        return {
            "loss": self.loss,
            "dice": self.dice,
            "iou": self.iou,
            "position_error_angstrom": self.position_error_angstrom,
        }

    @property
    def best(self) -> str:
        """The scores of the best epoch, in a line."""
        return f"mean Dice {self.dice:.4f}"

    @property
    def headline(self) -> str:
        """The scores in a line."""
        error = self.position_error_angstrom
        where = "no atom found" if error is None else f"atoms off by {error:.3f} Angstrom"
        return f"mean Dice {self.dice:.4f}, mean IoU {self.iou:.4f}, {where}"

    def details(self, classes: Sequence[str], limit: int = 5) -> tuple[str, ...]:
        """Return a line for each element, and one for the bonds."""
        lines = []
        for k, name in enumerate(self.elements):
            dice, iou, error = self.dice_of[k], self.iou_of[k], self.error_of[k]
            if dice is None or iou is None:
                lines.append(f"{name}: none in these samples")
                continue
            off = "" if error is None else f", off by {error:.3f} Angstrom"
            lines.append(
                f"{name}: Dice {dice:.4f}, IoU {iou:.4f}; {counted(self.support[k], 'atom')}, "
                f"precision {self.precision_of[k]:.4f}, recall {self.recall_of[k]:.4f}{off}"
            )
        if self.bond_dice is not None and self.bond_iou is not None:
            lines.append(f"bonds: Dice {self.bond_dice:.4f}, IoU {self.bond_iou:.4f}")
        return tuple(lines)


def _mean(values: Sequence[float | None]) -> float:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else 0.0


def score_structures(
    elements: tuple[str, ...], sums: Sums, n_samples: int, loss: float | None
) -> StructureScores:
    """Return the scores that follow from sums over samples.

    With a pixel predicted (P) or true (T) from 1/2 on: Dice = 2 |P and T|/(|P| + |T|), Eq. (9.5);
    IoU = |P and T|/|P or T|, Eq. (9.6); the position error is the mean distance of matched atoms,
    Eq. (9.7).
    """
    dice: list[float | None] = []
    iou: list[float | None] = []
    for both, predicted, true in zip(sums.both, sums.predicted, sums.true, strict=True):
        dice.append(2 * both / (predicted + true) if true else None)
        iou.append(both / (predicted + true - both) if true else None)
    n = len(elements)
    has_bonds = len(dice) > n
    n_matched, total = sum(sums.n_matched), sum(sums.distance)
    return StructureScores(
        elements=elements,
        dice=_mean(dice[:n]),
        iou=_mean(iou[:n]),
        bond_dice=dice[n] if has_bonds else None,
        bond_iou=iou[n] if has_bonds else None,
        position_error_angstrom=total / n_matched if n_matched else None,
        position_precision=n_matched / (sum(sums.n_found) + EPS),
        position_recall=n_matched / (sum(sums.n_true) + EPS),
        loss=loss,
        n_samples=n_samples,
        dice_of=tuple(dice[:n]),
        iou_of=tuple(iou[:n]),
        precision_of=tuple(
            m / (f + EPS) for m, f in zip(sums.n_matched, sums.n_found, strict=True)
        ),
        recall_of=tuple(m / (t + EPS) for m, t in zip(sums.n_matched, sums.n_true, strict=True)),
        error_of=tuple(
            d / m if m else None for d, m in zip(sums.distance, sums.n_matched, strict=True)
        ),
        support=tuple(sums.n_true),
    )
