"""How well classes are distinguished: Eqs. (9.1)-(9.4), from one confusion matrix, and (9.8).

All scores follow from sums of integers, so they depend neither on how the samples were cut into
batches nor on how those were shared among processes; ``counting.py`` sums.
"""

from collections.abc import Sequence

from tersgen.errors import ConfigError
from tersgen.schema.base import Frozen, field

from ..scores import TaskScores

EPS = 1e-12
"""eps in the denominators of Eq. (9.1): what is divided by zero samples becomes 0."""
N_BINS = 15
"""Bins of the reliability diagram, of equal width."""
MOST_PAIRS = 100
"""Pairs of classes, those confused most often, of which misread rows are listed."""


class Bin(Frozen):
    """A bin of the reliability diagram: samples whose prediction has a probability in its range."""

    samples: int = field("samples", "row")
    correct: int = field("samples of it that are right", "row")
    probability: float = field("mean probability of the predicted class; 0 without samples", "1")


class ScoredRow(Frozen):
    """A row of the dataset, and what the model made of it."""

    row: int = field("number of the row", "1")
    label: int = field("true class", "1")
    predicted: int = field("predicted class", "1")
    probability: float = field("probability of the predicted class", "1")


class Scores(TaskScores):
    """Scores of a classification into K classes; tuples are in the order of the classes.

    A class that never occurs and is never predicted has precision, recall and F1 0. It counts in
    ``macro_f1``, which so has the same K for every set of samples; ``n_absent`` is how many
    classes had no sample.
    """

    accuracy: float = field("correct/total, Eq. (9.3); 0 without samples", "1")
    macro_f1: float = field("mean of F1 over all K classes, Eq. (9.2)", "1")
    n_absent: int = field("classes without a sample", "1")
    precision: tuple[float, ...] = field("precision of each class, Eq. (9.1)", "1")
    recall: tuple[float, ...] = field("recall of each class, Eq. (9.1)", "1")
    f1: tuple[float, ...] = field("F1 of each class, Eq. (9.1)", "1")
    support: tuple[int, ...] = field("samples of each class", "row")
    confusion: tuple[tuple[int, ...], ...] = field(
        "C_ij: samples of class i predicted as j, Eq. (9.4)", "row"
    )
    ece: float | None = field(
        "expected calibration error, Eq. (9.8); none where outputs are no probabilities", "1", None
    )
    reliability: tuple[Bin, ...] = field("bins of the reliability diagram", "1", ())
    misread: tuple[ScoredRow, ...] = field(
        "the most certain misread rows of the pairs that are confused most often", "1", ()
    )
    correct: tuple[ScoredRow, ...] = field(
        "for each class of those pairs the most certain row that is right, if any", "1", ()
    )

    @property
    def macro_f1_present(self) -> float:
        """Mean of F1 over the classes that have samples; 0 without any."""
        present = [f1 for f1, n in zip(self.f1, self.support, strict=True) if n]
        return sum(present) / max(1, len(present))

    @property
    def chosen_by(self) -> float:
        """What the best epoch has most of."""
        return self.macro_f1

    @property
    def logged(self) -> dict[str, float | None]:
        """What of it goes into the log of a run."""
        return {"loss": self.loss, "accuracy": self.accuracy, "macro_f1": self.macro_f1}

    @property
    def best(self) -> str:
        """The scores of the best epoch, in a line."""
        return f"macro-F1 {self.macro_f1:.4f}"

    @property
    def headline(self) -> str:
        """The scores in a line."""
        line = f"accuracy {self.accuracy:.4f}, macro-F1 {self.macro_f1:.4f}"
        if self.n_absent:
            n_present = len(self.support) - self.n_absent
            line += f" ({self.macro_f1_present:.4f} over the {n_present} classes that occur)"
        return line

    def confusions(self, limit: int = 10) -> tuple[tuple[int, int, int], ...]:
        """Return the most frequent confusions (true class, predicted class, samples), most first.

        At most ``limit`` of them, none with 0 samples; equals are in the order of the classes.
        """
        wrong = [
            (i, j, n)
            for i, row in enumerate(self.confusion)
            for j, n in enumerate(row)
            if i != j and n > 0
        ]
        return tuple(sorted(wrong, key=lambda entry: -entry[2])[:limit])

    def details(self, classes: Sequence[str], limit: int = 5) -> tuple[str, ...]:
        """Return a line for each of the most frequent confusions, as "a taken for b, n times".

        Examples
        --------
        >>> scores = score([[8, 2], [0, 5]])
        >>> scores.details(["benzene", "pyridine"])
        ('benzene taken for pyridine, 2 of 10 times',)
        """
        if len(classes) != len(self.support):
            raise ConfigError(
                f"classes: expected {len(self.support)} names, as many as were scored, "
                f"got {len(classes)}"
            )
        return tuple(
            f"{classes[i]} taken for {classes[j]}, {n} of {self.support[i]} times"
            for i, j, n in self.confusions(limit)
        )


def precision_recall_f1(
    hits: Sequence[int], taken: Sequence[int], support: Sequence[int]
) -> tuple[tuple[float, ...], tuple[float, ...], tuple[float, ...]]:
    """Return precision, recall and F1 of each class, Eq. (9.1).

    Parameters
    ----------
    hits, taken, support
        Samples that are of the class and taken for it, taken for it, and of it; K counts.
    """
    precision = tuple(hit / (n + EPS) for hit, n in zip(hits, taken, strict=True))
    recall = tuple(hit / (n + EPS) for hit, n in zip(hits, support, strict=True))
    f1 = tuple(2 * p * r / (p + r + EPS) for p, r in zip(precision, recall, strict=True))
    return precision, recall, f1


def calibration_error(bins: Sequence[Bin]) -> float:
    """Return the expected calibration error, Eq. (9.8); 0 without samples.

    ECE = sum_m |B_m|/n |acc(B_m) - conf(B_m)|: C. Guo et al., "On Calibration of Modern Neural
    Networks", ICML 2017, Eq. (3).

    Parameters
    ----------
    bins
        B_m, of equal width.
    """
    apart = sum(abs(one.correct - one.samples * one.probability) for one in bins)
    return apart / max(1, sum(one.samples for one in bins))


def score(
    confusion: Sequence[Sequence[int]], loss: float | None = None, bins: Sequence[Bin] = ()
) -> Scores:
    """Return the scores of a confusion matrix: Eqs. (9.1)-(9.3), (9.8).

    With TP_c = C_cc, P_c = TP_c / (sum_i C_ic + eps), R_c = TP_c / (sum_j C_cj + eps) and
    F1_c = 2 P_c R_c / (P_c + R_c + eps).

    Parameters
    ----------
    confusion
        C_ij, K rows of K counts: samples of class i predicted as j.
    loss
        Mean loss of a sample, if known.
    bins
        Of the reliability diagram, if known.
    """
    support = [sum(row) for row in confusion]
    taken = [sum(column) for column in zip(*confusion, strict=True)]
    hits = [confusion[c][c] for c in range(len(support))]
    precision, recall, f1 = precision_recall_f1(hits, taken, support)
    total = sum(support)
    return Scores(
        accuracy=sum(hits) / max(total, 1),
        macro_f1=sum(f1) / len(f1),
        loss=loss,
        n_samples=total,
        n_absent=support.count(0),
        precision=precision,
        recall=recall,
        f1=f1,
        support=tuple(support),
        confusion=tuple(map(tuple, confusion)),
        ece=calibration_error(bins) if bins else None,
        reliability=tuple(bins),
    )
