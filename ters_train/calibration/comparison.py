"""A classifier compared with others, by group, on foreign rows; the coverage of its sets."""

from typing import NamedTuple

import numpy as np

from tersgen.errors import ConfigError
from tersgen.schema.base import Frozen, field

from ..prediction.explain import Precision
from ..reporting import Table
from .certainty import Certainty
from .document import COVERAGES
from .groups import Groups
from .intervals import coverage_interval, paired, wilson
from .measures import energy, separation
from .novelty import novelty_of
from .outputs import Outputs


class AgainstScores(Frozen):
    """How a model compares with another on the same rows."""

    name: str = field("the other run", "1")
    n_rows: int = field("rows that both read", "row")
    accuracy: float = field("accuracy of this model", "1")
    other: float = field("accuracy of the other model", "1")
    this_alone: int = field("rows that only this model reads right", "row")
    other_alone: int = field("rows that only the other reads right", "row")
    difference: float = field("accuracy of this one minus that of the other", "1")
    low: float = field("lower end of its 95 % interval", "1")
    high: float = field("upper end of its 95 % interval", "1")
    p_value: float = field("of the exact test of McNemar", "1")

    @property
    def text(self) -> str:
        """The comparison in a line."""
        return (
            f"against {self.name}: {self.accuracy:.4f} and {self.other:.4f}, difference "
            f"{self.difference:+.4f} (95% interval {self.low:+.4f} to {self.high:+.4f}, McNemar "
            f"p = {self.p_value:.2g}, {self.n_rows} rows)"
        )


class GroupScores(Frozen):
    """Accuracy on a group of rows."""

    name: str = field("the group", "1")
    n_rows: int = field("rows of it", "row")
    accuracy: float = field("fraction that is right", "1")
    low: float = field("lower end of its 95 % interval (Wilson)", "1")
    high: float = field("upper end of its 95 % interval (Wilson)", "1")


class ForeignScores(Frozen):
    """How well a score of novelty detects foreign rows."""

    name: str = field("name of the dataset", "1")
    score: str = field("score of novelty", "1")
    n_rows: int = field("foreign rows", "row")
    auroc: float = field("probability that a foreign row has a higher score than a known one", "1")
    fpr95: float = field("foreign rows below the threshold that 95 % of the known are below", "1")
    is_used: bool = field("whether predict decides by this score", "1")


class CoverageScores(Frozen):
    """How many sets of species contain the true one."""

    share: float = field("coverage that was stated", "1")
    covered: float = field("fraction of sets that contain the true species", "1")
    low: float = field("lower end of the 95 % interval that is expected of exchangeable rows", "1")
    high: float = field("upper end of it", "1")
    mean_size: float = field("mean number of species in a set", "1")


def compare(this: Outputs, other: Outputs, name: str) -> AgainstScores:
    """Return how two models compare on the rows that both were given.

    Raises
    ------
    ConfigError
        If these are none.
    """
    rows, mine, theirs = np.intersect1d(this.rows.numpy(), other.rows.numpy(), return_indices=True)
    if not len(rows):
        raise ConfigError(f"--against {name}: expected rows in common, got none")
    first, second = this.correct.numpy()[mine], other.correct.numpy()[theirs]
    alone = int((first & ~second).sum()), int((second & ~first).sum())
    found = paired(*alone, len(rows))
    return AgainstScores(
        name=name, n_rows=len(rows), accuracy=float(first.mean()), other=float(second.mean()),
        this_alone=alone[0], other_alone=alone[1], difference=found.difference,
        low=found.interval.low, high=found.interval.high, p_value=found.p_value,
    )  # fmt: skip


def by_group(outputs: Outputs, groups: Groups) -> tuple[GroupScores, ...]:
    """Return the accuracy on each group that has rows."""
    correct = outputs.correct.numpy()
    found = []
    for k, name in enumerate(groups.names):
        inside = correct[groups.of_row == k]
        if len(inside):
            low, high = wilson(int(inside.sum()), len(inside))
            found.append(
                GroupScores(
                    name=name, n_rows=len(inside), accuracy=float(inside.mean()), low=low, high=high
                )
            )
    return tuple(found)


def detections(
    known: Outputs, foreign: Outputs, name: str, certainty: Certainty | None
) -> tuple[ForeignScores, ...]:
    """Return how well each score of novelty detects foreign rows.

    Scores are 1 minus the largest probability (D. Hendrycks and K. Gimpel, ICLR 2017), the energy,
    and that of the calibration.
    """
    used = None if certainty is None else certainty.calibration.novelty
    scores = {
        "1 - probability": [1 - one.logits.double().softmax(1).amax(1) for one in (known, foreign)],
        "energy": [energy(one.logits) for one in (known, foreign)],
    }
    if certainty is not None and used is not None and used not in scores:
        scores[used] = [
            novelty_of(used, certainty.novelty, one.logits, one.features)
            for one in (known, foreign)
        ]
    found = []
    for kind, (ours, theirs) in scores.items():
        auroc, fpr95 = separation(ours, theirs)
        found.append(
            ForeignScores(
                name=name,
                score=kind,
                n_rows=len(foreign.labels),
                auroc=auroc,
                fpr95=fpr95,
                is_used=kind == used,
            )
        )
    return tuple(found)


def coverages(outputs: Outputs, certainty: Certainty) -> tuple[CoverageScores, ...]:
    """Return the coverage of the sets of a calibrated model, and what theory expects."""
    shares = outputs.logits.double().softmax(dim=1)
    true = shares.gather(1, outputs.labels[:, None])[:, 0]
    found = []
    for share in COVERAGES:
        least = certainty.calibration.threshold(share)
        low, high = coverage_interval(share, certainty.calibration.n_rows, len(true))
        # a set has the most probable species at least
        is_covered = (true >= least) | outputs.correct
        sizes = (shares >= least).sum(dim=1).clamp(min=1)
        found.append(
            CoverageScores(
                share=share,
                covered=float(is_covered.double().mean()),
                low=low,
                high=high,
                mean_size=float(sizes.double().mean()),
            )
        )
    return tuple(found)


class Comparisons(NamedTuple):
    """All that evaluate computes on request, in addition to the scores."""

    against: tuple[AgainstScores, ...] = ()
    groups: tuple[GroupScores, ...] = ()
    by: str = ""
    foreign: tuple[ForeignScores, ...] = ()
    coverage: tuple[CoverageScores, ...] = ()
    explained: tuple[Precision, ...] = ()

    @property
    def scores(self) -> dict[str, object]:
        """As JSON takes it; what was not asked for is left out."""
        lists = {
            name: [one.model_dump(mode="json") for one in getattr(self, name)]
            for name in ("against", "groups", "foreign", "coverage")
        }
        lists["explained"] = [one._asdict() for one in self.explained]
        return {name: one for name, one in lists.items() if one}

    @property
    def tables(self) -> tuple[Table, ...]:
        """For the report."""
        found = []
        if self.against:
            found.append(Table(
                "Against other models",
                "Accuracies on the same rows; 95 % interval of the difference (Bonett and Price, "
                "2012), and p of the exact test of McNemar.",
                ("run", "rows", "this", "other", "difference", "from", "to", "p"),
                tuple((one.name, one.n_rows, one.accuracy, one.other, one.difference, one.low,
                       one.high, one.p_value) for one in self.against),
            ))  # fmt: skip
        if self.groups:
            found.append(Table(
                f"By {self.by}", "95 % intervals of Wilson.",
                (self.by, "rows", "accuracy", "from", "to"),
                tuple((one.name, one.n_rows, one.accuracy, one.low, one.high)
                      for one in self.groups),
            ))  # fmt: skip
        if self.foreign:
            found.append(Table(
                "Foreign rows",
                "AUROC: probability that a foreign row has a larger score of novelty than a known "
                "one. FPR: foreign rows that pass at a threshold that 95 % of the known rows pass.",
                ("dataset", "rows", "score", "AUROC", "FPR at 95 %", "used"),
                tuple((one.name, one.n_rows, one.score, one.auroc, one.fpr95,
                       "yes" if one.is_used else "no") for one in self.foreign),
            ))  # fmt: skip
        if self.coverage:
            found.append(Table(
                "Sets of species",
                "Fraction of sets that contain the true species, and the 95 % interval expected if "
                "these rows are like those of the calibration; more where the first species, "
                "which is always in the set, is right more often than stated.",
                ("stated", "found", "from", "to", "mean size"),
                tuple((one.share, one.covered, one.low, one.high, one.mean_size)
                      for one in self.coverage),
            ))  # fmt: skip
        if self.explained:
            found.append(Table(
                "Explanations",
                "Of the first k bands that decided: the fraction that are lines of the species, "
                "the same for the highest bands of the spectra, and for random places.",
                ("k", "rows", "bands that decided", "highest bands", "by chance"),
                tuple((one.k, one.n_rows, one.precision, one.highest, one.chance)
                      for one in self.explained),
            ))  # fmt: skip
        return tuple(found)

    @property
    def lines(self) -> list[str]:
        """The lines that are printed."""
        return [
            *(one.text for one in self.against),
            *(
                f"{one.name}: {one.accuracy:.4f} of {one.n_rows} rows (95% interval {one.low:.4f} "
                f"to {one.high:.4f})"
                for one in self.groups
            ),
            *(
                f"{one.name}: foreign rows detected by {one.score}: AUROC {one.auroc:.3f}, "
                f"{one.fpr95:.1%} pass at a threshold that 95% of the known rows pass"
                for one in self.foreign
            ),
            *(
                f"sets of {one.share:.0%}: {one.covered:.1%} contain the true species (at least "
                f"{one.low:.1%} expected), {one.mean_size:.2f} species on average"
                for one in self.coverage
            ),
            *(one.text for one in self.explained),
        ]
