"""What samples are made of, as stored in batches."""

import torch
from torch import Tensor

from ..data.fields import MIXTURE_FRACTION, MIXTURE_LABEL


def composition(batch: dict[str, Tensor], n_classes: int) -> Tensor:
    """Return the fraction of each class in each sample, shape (B, K), float32; 0 where it is not.

    Of samples that are no mixtures, that of their class is 1.
    """
    labels = batch["label"].long()
    fractions = torch.zeros(len(labels), n_classes, device=labels.device)
    if MIXTURE_LABEL not in batch:
        return fractions.scatter_(1, labels[:, None], 1.0)
    # after the last species, label and fraction are 0, which adds nothing
    return fractions.scatter_add_(1, batch[MIXTURE_LABEL].long(), batch[MIXTURE_FRACTION].float())
