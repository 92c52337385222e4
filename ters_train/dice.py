r"""The loss of structure targets, Eqs. (6.4) and (6.5): cross-entropy of each pixel, and Dice.

Each element, and the bonds, is a channel of its own with a sigmoid: of a tilted molecule atoms of
two elements lie over each other, and values of Gaussians are no classes. Cross-entropy alone is
content with an empty image, as atoms have few pixels; Dice alone says little about which.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from .config import LossConfig
from .targets import BONDS, MASKS

SMOOTH = 1.0
"""Pixels added to both sides of a Dice ratio: an element that is absent and not seen scores 1."""


def joined_targets(batch: dict[str, Tensor], bonds: bool) -> Tensor:
    """Return masks, and bonds behind them, float32, shape (B, E or E + 1, H, W)."""
    masks = batch[MASKS].float()
    return torch.cat([masks, batch[BONDS].float()[:, None]], dim=1) if bonds else masks


def joined_outputs(outputs: dict[str, Tensor]) -> Tensor:
    """Return logits of masks, and bonds behind them, float32, shape (B, E or E + 1, H, W)."""
    masks = outputs["masks"].float()
    bonds = outputs.get("bonds")
    return masks if bonds is None else torch.cat([masks, bonds.float()[:, None]], dim=1)


def soft_dice(shares: Tensor, targets: Tensor) -> Tensor:
    """Return the mean over channels of 1 - (2 sum p t + 1)/(sum p + sum t + 1), Eq. (6.5).

    Sums are over the pixels of a channel. F. Milletari et al., "V-Net", 3DV 2016, arXiv:1606.04797,
    with sums instead of squares.

    Parameters
    ----------
    shares
        p, in [0, 1], shape (B, C, H, W).
    targets
        t, in [0, 1], the same shape.

    Returns
    -------
    Tensor
        Shape (B,).
    """
    both = (shares * targets).sum(dim=(2, 3))
    each = shares.sum(dim=(2, 3)) + targets.sum(dim=(2, 3))
    return (1 - (2 * both + SMOOTH) / (each + SMOOTH)).mean(dim=1)


class StructureLoss(nn.Module):
    """L = L_CE + ``dice_loss`` L_Dice, means over pixels, channels and samples, in float32.

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
        entropy = functional.binary_cross_entropy_with_logits(logits, targets, reduction="none")
        dice = soft_dice(logits.sigmoid(), targets)
        return {"cross_entropy": entropy.mean(dim=(1, 2, 3)), "dice": dice}

    def forward(self, outputs: dict[str, Tensor], batch: dict[str, Tensor]) -> dict[str, Tensor]:
        """Return ``"loss"`` and the means of its terms, unweighted: numbers, float32."""
        means = {name: term.mean() for name, term in self.terms(outputs, batch).items()}
        loss = means["cross_entropy"] + self.config.dice_loss * means["dice"]
        return {"loss": loss, **means}
