r"""Losses, Eqs. (6.1)-(6.3): classes, Raman tensors and their symmetry.

Every term is a value for each sample, and the loss is their *plain mean* over the batch. Processes
that share a batch equally may therefore average their gradients, and get those of the whole batch.
(The ``reduction="mean"`` of torch divides a weighted cross-entropy by the sum of the weights
instead, which differs from process to process.)
"""

import torch
from torch import Tensor
from torch.nn import functional

from tersgen.errors import ConfigError

from ...config import LossConfig
from ...data.fields import MIXTURE_LABEL
from ..composition import composition
from ..task import TaskLoss


class Loss(TaskLoss):
    """L = L_CE + ``tensor_loss`` L_T + ``symmetry_loss`` L_sym, Eq. (6.3).

    The last two only where the model predicts tensors. All is computed in float32, whatever the
    outputs are.

    Parameters
    ----------
    config
        Weights of the terms, and label smoothing.
    class_weights
        w_c of Eq. (8.2), shape (K,), mean 1; None weighs all classes the same, as does a
        configuration without class weights.
    """

    def __init__(self, config: LossConfig, class_weights: Tensor | None = None) -> None:
        super().__init__()
        self.config = config
        if not config.class_weights:
            class_weights = None
        if class_weights is not None:
            class_weights = class_weights.detach().to(torch.float32)
            if class_weights.ndim != 1 or not bool(
                ((class_weights >= 0) & class_weights.isfinite()).all()
            ):
                raise ConfigError(
                    "class_weights: expected a weight of at least 0 for each class, got "
                    f"{class_weights.tolist()}"
                )
        self.register_buffer("class_weights", class_weights, persistent=False)
        self.class_weights: Tensor | None

    def terms(self, outputs: dict[str, Tensor], batch: dict[str, Tensor]) -> dict[str, Tensor]:
        """Return each term for each sample, unweighted, shape (B,), float32.

        Parameters
        ----------
        outputs
            Of the model: ``"logits"``, shape (B, K), of an ensemble (B, N, K), maybe
            ``"tensors"``, shape (B, M, 3, 3).
        batch
            ``"label"``, shape (B,), in 0..K-1; for mixtures ``"mixture/label"`` and
            ``"mixture/fraction"``, shape (B, S); with predicted tensors ``"sticks/count"``, shape
            (B,), and if they are trained on ``"tensors"``, shape (B, M, 3, 3).

        Returns
        -------
        dict
            ``"cross_entropy"``, and with predicted tensors ``"tensor"`` (unless its weight is 0)
            and ``"symmetry"``.
        """
        config = self.config
        logits, predicted = outputs["logits"].float(), outputs.get("tensors")
        mixed = MIXTURE_LABEL in batch
        targets = composition(batch, logits.shape[-1]) if mixed else batch["label"]
        terms = {
            "cross_entropy": cross_entropy(
                logits, targets, self.class_weights, config.label_smoothing
            )
        }
        if predicted is None:
            if config.tensor_loss > 0:
                raise ConfigError(
                    f"tensor_loss: expected 0 for a model without tensors, got "
                    f"{config.tensor_loss:g}; give the model tensor_modes"
                )
            return terms
        counts = batch["sticks/count"]
        if config.tensor_loss > 0:
            terms["tensor"] = tensor_error(predicted, batch["tensors"], counts)
        terms["symmetry"] = asymmetry(predicted, counts)
        return terms

    def forward(self, outputs: dict[str, Tensor], batch: dict[str, Tensor]) -> dict[str, Tensor]:
        """Return ``"loss"`` and the means of its terms, unweighted: numbers, float32.

        Parameters, keys and errors are those of :meth:`terms`.
        """
        means = {name: term.mean() for name, term in self.terms(outputs, batch).items()}
        loss = means["cross_entropy"]
        if "tensor" in means:
            loss = loss + self.config.tensor_loss * means["tensor"]
        if "symmetry" in means:
            loss = loss + self.config.symmetry_loss * means["symmetry"]
        return {"loss": loss, **means}


def make_loss(config: LossConfig, class_weights: Tensor | None = None) -> Loss:
    """Return the loss of a configuration; move it to the device of the model."""
    return Loss(config, class_weights)


def cross_entropy(
    logits: Tensor, labels: Tensor, weights: Tensor | None = None, smoothing: float = 0.0
) -> Tensor:
    """Return - sum_c w_c y_c log p_c of each sample, Eq. (6.1), with smoothed y, Eq. (6.2).

    Of a mixture y_c are the fractions, so that p_c becomes an estimate of them. If there are rows
    of no class, label -1, their term is ln(1 + S), where S = sum_c exp(logit_c), and ln(1 + 1/S) is
    added to those of the others: the cross-entropy of a further class whose logit is 0. The p_c
    remain those among the K classes, and the energy of the logits is trained to detect the rest.

    Parameters
    ----------
    logits
        Shape (B, K); of N networks (B, N, K), whose mean is taken.
    labels
        Shape (B,), integers in 0..K-1, or -1; or y itself, shape (B, K).
    weights
        w_c, shape (K,); None for 1.
    smoothing
        epsilon of y = (1 - epsilon) onehot + epsilon/K.
    """
    if logits.ndim == 3:
        each = [cross_entropy(one, labels, weights, smoothing) for one in logits.unbind(dim=1)]
        return torch.stack(each).mean(dim=0)
    logits = logits.float()
    targets = labels if labels.is_floating_point() else labels.long().clamp(min=0)
    found = functional.cross_entropy(
        logits, targets, weights, reduction="none", label_smoothing=smoothing
    )
    if labels.is_floating_point():
        return found
    is_foreign = labels < 0
    known = logits.logsumexp(dim=1)  # against the logit 0 of no class
    others = found + functional.softplus(-known) * is_foreign.any()
    return torch.where(is_foreign, functional.softplus(known), others)


def tensor_error(predicted: Tensor, tensors: Tensor, counts: Tensor) -> Tensor:
    """Return the relative squared error of each sample's tensors, whatever their signs.

    With T_m the true tensors over their sample's RMS, s^2 = sum_m |T_m|^2 / (9 n),

        L_T = sum_{m<n} min(|R_m - T_m|^2, |R_m + T_m|^2) / (9 n).

    The sign of a mode's tensor is that of its displacement, which is arbitrary. Absolute size is
    not in a spectrum scaled by Eq. (1.5), and differs by orders of magnitude between species, so
    tensors are predicted in units of the RMS; strong modes count more, as they do in the
    spectrum. Predicting zeros gives 1.

    Parameters
    ----------
    predicted
        R, shape (B, M, 3, 3).
    tensors
        True tensors, any unit, shape (B, M, 3, 3).
    counts
        Modes n of each sample, shape (B,); those after them are ignored. A sample without modes
        has error 0; one whose tensors are all zero is not scaled.
    """
    if predicted.shape != tensors.shape:
        raise ConfigError(
            f"tensors: expected shape {tuple(predicted.shape)}, as the model predicts them, got "
            f"{tuple(tensors.shape)}; set model.tensor_modes to {tensors.shape[1]}"
        )
    valid, n = _valid_modes(predicted, counts)
    r = predicted.float().flatten(2)
    t = torch.where(valid[..., None], tensors.float().flatten(2), 0.0)
    peak = t.abs().amax(dim=(1, 2), keepdim=True)  # squares of small tensors would underflow
    t = t / torch.where(peak > 0, peak, 1.0)
    square = t.square().sum(dim=(1, 2), keepdim=True) / (9.0 * n[:, None, None])
    t = t / torch.where(square > 0, square, 1.0).sqrt()
    # the nearer sign; +1 where both are as near, so that a prediction of zero has a gradient
    sign = torch.where((r * t).sum(dim=2, keepdim=True) < 0, -1.0, 1.0)
    error = (r - sign * t).square().sum(dim=2)
    return torch.where(valid, error, 0.0).sum(dim=1) / (9.0 * n)


def asymmetry(predicted: Tensor, counts: Tensor) -> Tensor:
    """Return the mean of |R_m - R_m^T|_F^2 over each sample's modes, Eq. (3.2).

    Parameters
    ----------
    predicted
        R, shape (B, M, 3, 3).
    counts
        Modes of each sample, shape (B,); those after them are ignored.
    """
    valid, n = _valid_modes(predicted, counts)
    r = predicted.float()
    square = (r - r.transpose(2, 3)).square().sum(dim=(2, 3))
    return torch.where(valid, square, 0.0).sum(dim=1) / n


def _valid_modes(predicted: Tensor, counts: Tensor) -> tuple[Tensor, Tensor]:
    """Return which modes count, shape (B, M), and how many, shape (B,), at least 1."""
    n_modes = predicted.shape[1]
    modes = torch.arange(n_modes, device=predicted.device)
    return modes < counts[:, None], counts.clamp(min=1, max=n_modes).float()
