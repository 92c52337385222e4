"""How well mixtures are analysed: which species are in them, and how much of each."""

from collections.abc import Sequence

from tersgen.errors import ConfigError
from tersgen.schema.base import field
from tersgen.text import counted

from ..classification.scores import Scores, precision_recall_f1


class MixtureScores(Scores):
    """Scores for mixtures; those of classes are of the species with the largest fraction."""

    present_macro_f1: float = field("mean over the K classes of F1 of their presence", "1")
    exact: float = field("share of samples all of whose species are found, and no other", "1")
    composition_error: float = field(
        "mean of half the sum of |predicted - true fraction|: the share given to the wrong species",
        "1",
    )
    present_precision: tuple[float, ...] = field("precision of the presence of each class", "1")
    present_recall: tuple[float, ...] = field("recall of the presence of each class", "1")
    present_f1: tuple[float, ...] = field("F1 of the presence of each class", "1")
    present_support: tuple[int, ...] = field("samples that each class is in", "row")

    @property
    def chosen_by(self) -> float:
        """What the best epoch has most of."""
        return 1 - self.composition_error  # it moves with every step, as no threshold does

    @property
    def logged(self) -> dict[str, float | None]:
        """What of it goes into the log of a run."""
        own = {name: getattr(self, name) for name in ("present_macro_f1", "composition_error")}
        return {**super().logged, **own}

    @property
    def best(self) -> str:
        """The scores of the best epoch, in a line."""
        return f"composition wrong by {self.composition_error:.1%}"

    @property
    def headline(self) -> str:
        """The scores in a line."""
        known = [f1 for f1, n in zip(self.present_f1, self.present_support, strict=True) if n]
        absent = len(self.present_f1) - len(known)
        some = f" ({sum(known) / max(1, len(known)):.4f} over the {len(known)} that occur)"
        return (
            f"macro-F1 of presence {self.present_macro_f1:.4f}{some if absent else ''}, all "
            f"species right in "
            f"{self.exact:.1%}, composition wrong by {self.composition_error:.1%}"
        )

    def details(self, classes: Sequence[str], limit: int = 5) -> tuple[str, ...]:
        """Return a line for each of the species that are found worst."""
        if len(classes) != len(self.present_f1):
            raise ConfigError(
                f"classes: expected {len(self.present_f1)} names, as many as were scored, "
                f"got {len(classes)}"
            )
        wrong = [c for c, n in enumerate(self.present_support) if n and self.present_f1[c] < 1]
        worst = sorted(wrong, key=lambda c: self.present_f1[c])[:limit]
        return tuple(
            f"{classes[c]}: F1 {self.present_f1[c]:.4f}, precision "
            f"{self.present_precision[c]:.4f}, recall {self.present_recall[c]:.4f}, in "
            f"{counted(self.present_support[c], 'sample')}"
            for c in worst
        )


def score_mixtures(
    largest: Scores,
    hits: Sequence[int],
    found: Sequence[int],
    present: Sequence[int],
    exact: int,
    error: float,
) -> MixtureScores:
    """Return the scores for mixtures.

    Parameters
    ----------
    largest
        Scores of the species with the largest fraction.
    hits, found, present
        Of each class, samples where it is present and found, found, and present; K counts.
    exact
        Samples without an error.
    error
        Sum over samples of half the sum of |predicted - true fraction|.

    Examples
    --------
    >>> from ters_train.tasks.classification.scores import score
    >>> scores = score_mixtures(score([[2, 0], [0, 1]]), [2, 1], [2, 2], [3, 1], 1, 0.3)
    >>> round(scores.exact, 3), [round(f1, 3) for f1 in scores.present_f1]
    (0.333, [0.8, 0.667])
    """
    precision, recall, f1 = precision_recall_f1(hits, found, present)
    rows = max(1, largest.n_samples)
    # a fraction is no probability of being right
    plain = largest.model_copy(update={"ece": None, "reliability": ()})
    return MixtureScores(
        **plain.model_dump(),
        present_macro_f1=sum(f1) / len(f1),
        exact=exact / rows,
        composition_error=error / rows,
        present_precision=precision,
        present_recall=recall,
        present_f1=f1,
        present_support=tuple(present),
    )
