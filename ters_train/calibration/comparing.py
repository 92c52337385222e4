"""What ``evaluate`` computes on request: comparisons, groups, foreign rows, explanations."""

from collections.abc import Mapping
from functools import partial
from pathlib import Path

from tersgen.dataset.dataset import Dataset

from ..config import DataConfig, StreamConfig
from ..data.rows import all_rows, rows_of_part
from ..engine.pretrained import labels_by_name
from ..engine.ranks import Ranks
from ..engine.trained import Trained, check_fits, load_trained
from ..prediction.explain import explained_part
from .calibrate import check_foreign
from .comparison import Comparisons, ForeignScores, by_group, compare, coverages, detections
from .groups import groups_of
from .outputs import Outputs, check_classifier, outputs_of


def _no_progress(_done: int, _total: int) -> None:
    """Show nothing."""


def comparisons(
    trained: Trained,
    dataset: Dataset,
    place: DataConfig,
    part: str,
    ranks: Ranks,
    stream: StreamConfig,
    against: tuple[Path, ...] = (),
    foreign: Mapping[str, Dataset] | None = None,
    by: str | None = None,
    explained: bool = False,
) -> Comparisons:
    """Return how a classifier compares with others, on groups, and on foreign rows.

    At most ``MOST_ROWS`` rows of the part are used. The coverage of sets is added for a calibrated
    model.

    Parameters
    ----------
    trained
        The classifier.
    dataset, place, part
        The rows.
    ranks
        One process.
    stream
        How rows are read.
    against
        Other runs of classifiers of the same classes.
    foreign
        Datasets of no class of the model, by name.
    by
        What to group by, see ``groups_of``.
    explained
        Whether to score explanations.

    Raises
    ------
    ConfigError
        If a model or dataset does not fit.
    DatasetError
        If another run has no checkpoint.
    """
    check_classifier(trained)
    rows = rows_of_part(dataset, place, part)
    read = partial(outputs_of, ranks=ranks, stream=stream, show=_no_progress)

    def outputs(model: Trained) -> Outputs:
        check_fits(model, dataset)
        return read(model, dataset, rows, labels=labels_by_name(model.state, dataset))

    found = outputs(trained)
    others = []
    for run in against:
        other = load_trained(run, ranks.device)
        check_classifier(other)
        others.append(compare(found, outputs(other), run.name))
    groups = () if by is None else by_group(found, groups_of(dataset, by, found.rows.numpy()))
    detected: list[ForeignScores] = []
    for name, strange in (foreign or {}).items():
        check_fits(trained, strange)
        check_foreign(trained, strange)
        theirs = read(trained, strange, all_rows(strange), labels=None)
        detected += detections(found, theirs, name, trained.certainty)
    covered = () if trained.certainty is None else coverages(found, trained.certainty)
    precisions = explained_part(trained, dataset, rows.numbers()) if explained else ()
    return Comparisons(tuple(others), groups, by or "", tuple(detected), covered, precisions)
