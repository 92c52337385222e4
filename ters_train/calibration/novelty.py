"""Scores of novelty: how unlike all classes a row is.

A class registers itself with ``tersgen.plugins.register`` in the group ``ters_train.novelty``.
Packages do the same through the entry points of that group.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import ClassVar

import torch
from torch import Tensor

from tersgen.errors import ConfigError
from tersgen.plugins import named_errors, register

from ..parts import Group
from .measures import (
    Gaussians,
    Neighbours,
    distance,
    energy,
    fit_gaussians,
    nearest,
    neighbours_of,
)

GROUP: Group = "ters_train.novelty"
DEFAULT = "energy"
"""The score that is used if there are no foreign rows to choose one."""


class Novelty(ABC):
    """Base of scores of novelty.

    A subclass is registered: ``@register("ters_train.novelty", "mine")``. ``ters-train calibrate``
    fits each score on known rows, and takes the one that detects foreign rows best.

    Parameters
    ----------
    arrays
        What ``fit`` returned; it is stored with the calibration.
    """

    needs_features: ClassVar[bool] = True
    """Whether it compares features; such a score is left out for models that have none."""

    def __init__(self, arrays: Mapping[str, Tensor]) -> None:
        self.arrays = dict(arrays)

    @classmethod
    def fit(
        cls,
        logits: Tensor,  # noqa: ARG003 - for subclasses
        features: Tensor | None,  # noqa: ARG003
        labels: Tensor,  # noqa: ARG003
    ) -> Mapping[str, Tensor]:
        """Return arrays of known rows that new rows are compared with; by default none.

        Parameters
        ----------
        logits
            Divided by the temperature, shape (n, K).
        features
            Shape (n, F); None if the score does not need them.
        labels
            Shape (n,), integers in 0..K-1.
        """
        return {}

    @abstractmethod
    def scores(self, logits: Tensor, features: Tensor | None) -> Tensor:
        """Return the novelty of each row, shape (n,): large for rows unlike all classes.

        Parameters
        ----------
        logits
            Divided by the temperature, shape (n, K).
        features
            Shape (n, F); None if the score does not need them.
        """


@register(GROUP, "energy")
class Energy(Novelty):
    """Energy of the logits."""

    needs_features = False

    def scores(self, logits: Tensor, features: Tensor | None) -> Tensor:  # noqa: ARG002
        """Return -log sum_k exp(logit_k)."""
        return energy(logits)


@register(GROUP, "distance")
class Distance(Novelty):
    """Mahalanobis distance of the features to the nearest class."""

    def __init__(self, arrays: Mapping[str, Tensor]) -> None:
        super().__init__(arrays)
        self._gaussians = Gaussians(**arrays)

    @classmethod
    def fit(cls, logits: Tensor, features: Tensor | None, labels: Tensor) -> Mapping[str, Tensor]:
        """Return the means of the classes, and what whitens their covariance."""
        assert features is not None
        return fit_gaussians(features, labels, logits.shape[1])._asdict()

    def scores(self, logits: Tensor, features: Tensor | None) -> Tensor:  # noqa: ARG002
        """Return the squared distances."""
        assert features is not None
        return distance(features, self._gaussians)


@register(GROUP, "nearest")
class Nearest(Novelty):
    """Cosine distance of the features to the nearest known rows."""

    def __init__(self, arrays: Mapping[str, Tensor]) -> None:
        super().__init__(arrays)
        self._neighbours = Neighbours(**arrays)

    @classmethod
    def fit(cls, logits: Tensor, features: Tensor | None, labels: Tensor) -> Mapping[str, Tensor]:  # noqa: ARG003
        """Return features of unit length."""
        assert features is not None
        return neighbours_of(features)._asdict()

    def scores(self, logits: Tensor, features: Tensor | None) -> Tensor:  # noqa: ARG002
        """Return one minus the cosine similarities."""
        assert features is not None
        return nearest(features, self._neighbours)


def fit_novelty(
    name: str, part: type[Novelty], logits: Tensor, features: Tensor | None, labels: Tensor
) -> Novelty:
    """Return a score of novelty fitted on known rows.

    Raises
    ------
    ConfigError
        If one of a plug-in fails.
    """
    with named_errors("score of novelty", name, part, ConfigError):
        arrays = part.fit(logits, features if part.needs_features else None, labels)
        return part({key: torch.as_tensor(one).detach().cpu() for key, one in arrays.items()})


def novelty_of(name: str, score: Novelty, logits: Tensor, features: Tensor | None) -> Tensor:
    """Return the novelty of rows, float64, shape (n,), on the CPU.

    Raises
    ------
    ConfigError
        If a score of a plug-in fails, or does not return one number for each row.
    """
    part = type(score)
    with named_errors("score of novelty", name, part, ConfigError):
        found = torch.as_tensor(
            score.scores(logits.float(), features if part.needs_features else None)
        )
    if found.shape != (len(logits),) or found.is_complex():
        raise ConfigError(
            f"score of novelty {name!r}: expected {len(logits)} real numbers, one for each row, "
            f"got an array of shape {tuple(found.shape)} and type {found.dtype}"
        )
    return found.detach().double().cpu()
