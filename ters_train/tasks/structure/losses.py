"""The loss of structure targets, Eqs. (6.4) and (6.5): cross-entropy of each pixel, and Dice.

Each element, and the bonds, has its own channel with a sigmoid: in a tilted molecule atoms of two
elements overlap, and values of Gaussians are not classes. Both terms are normalised by the number
of target pixels, not of all pixels, most of which are empty: otherwise rare elements, an atom or
two in some of the samples, are never learnt.
"""

import torch
from torch import Tensor
from torch.nn import functional

from ...config import LossConfig
from ...data.fields import BONDS, MASKS
from ..task import TaskLoss

SMOOTH = 1.0
"""Pixels added to both sides of a Dice ratio, against divisions by nothing."""


def joined_targets(batch: dict[str, Tensor], bonds: bool) -> Tensor:
    """Return masks, followed by bonds, float32, shape (B, E or E + 1, H, W)."""
    masks = batch[MASKS].float()
    return torch.cat([masks, batch[BONDS].float()[:, None]], dim=1) if bonds else masks


def joined_outputs(outputs: dict[str, Tensor]) -> Tensor:
    """Return logits of masks, followed by bonds, float32, shape (B, E or E + 1, H, W)."""
    masks = outputs["masks"].float()
    bonds = outputs.get("bonds")
    return masks if bonds is None else torch.cat([masks, bonds.float()[:, None]], dim=1)


def soft_dice(shares: Tensor, targets: Tensor) -> Tensor:
    """Return the mean over channels of 1 - (2 sum p t + 1)/(sum p + sum t + 1), Eq. (6.5).

    Sums are over the pixels of a channel. Channels without targets are left out: what is drawn
    there costs cross-entropy, and Dice would rather keep a rare element silent for good.
    F. Milletari et al., "V-Net", 3DV 2016, arXiv:1606.04797, with sums instead of squares.

    Parameters
    ----------
    shares
        p, in [0, 1], shape (B, C, H, W).
    targets
        t, in [0, 1], the same shape.

    Returns
    -------
    Tensor
        Shape (B,); 0 for a sample without any targets.
    """
    both = (shares * targets).sum(dim=(2, 3))
    wanted = targets.sum(dim=(2, 3))
    each = shares.sum(dim=(2, 3)) + wanted
    present = (wanted > 0).float()
    lost = (1 - (2 * both + SMOOTH) / (each + SMOOTH)) * present
    return lost.sum(dim=1) / present.sum(dim=1).clamp(min=1)


def pixel_entropy(logits: Tensor, targets: Tensor) -> Tensor:
    """Return - sum (t log p + (1 - t) log(1 - p)) / sum t of each sample, Eq. (6.4).

    Sums are over pixels and channels; sum t is taken as 1 where it is less.

    Parameters
    ----------
    logits
        Of p, shape (B, C, H, W).
    targets
        t, in [0, 1], the same shape.
    """
    entropy = functional.binary_cross_entropy_with_logits(logits, targets, reduction="none")
    return entropy.sum(dim=(1, 2, 3)) / targets.sum(dim=(1, 2, 3)).clamp(min=1)


class StructureLoss(TaskLoss):
    """L = L_CE + ``dice_loss`` L_Dice, means over samples, in float32.

    Parameters
    ----------
    config
        Weight of the Dice term.
    """

    def __init__(self, config: LossConfig) -> None:
        super().__init__()
        self.config = config

    def terms(self, outputs: dict[str, Tensor], batch: dict[str, Tensor]) -> dict[str, Tensor]:
        """Return ``"cross_entropy"`` and ``"dice"`` of each sample, unweighted, shape (B,).

        Parameters
        ----------
        outputs
            Of the model: logits ``"masks"``, shape (B, E, H, W), and maybe ``"bonds"``, (B, H, W).
        batch
            ``"structure/masks"``, and with these bonds ``"structure/bonds"``, of the same shapes.
        """
        logits = joined_outputs(outputs)
        targets = joined_targets(batch, "bonds" in outputs)
        entropy = pixel_entropy(logits, targets)
        return {"cross_entropy": entropy, "dice": soft_dice(logits.sigmoid(), targets)}

    def forward(self, outputs: dict[str, Tensor], batch: dict[str, Tensor]) -> dict[str, Tensor]:
        """Return ``"loss"`` and the means of its terms, unweighted: numbers, float32."""
        means = {name: term.mean() for name, term in self.terms(outputs, batch).items()}
        loss = means["cross_entropy"] + self.config.dice_loss * means["dice"]
        return {"loss": loss, **means}
