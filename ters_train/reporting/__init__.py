"""The outputs of a run: its log, pictures, a report page and a model card."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from tersgen.plotting.spectra import Line


class Example(NamedTuple):
    """A misread spectrum beside those of the two species."""

    title: str
    lines: "Sequence[Line]"
    """The misread one first."""


class Table(NamedTuple):
    """A table of a report."""

    title: str
    note: str
    columns: Sequence[str]
    rows: Sequence[Sequence[object]]
    """Texts and numbers."""


@dataclass(frozen=True)
class Report:
    """All that page and card tell of a run, as plain data.

    Attributes
    ----------
    name
        What to call the run.
    config
        The run's configuration, tables within tables, as JSON holds it.
    classes
        Names of the K classes, in the order of their labels.
    scores
        ``accuracy``, ``macro_f1``, the sequences of length K ``precision``, ``recall``, ``f1`` and
        ``support``, and ``confusion``, K rows of K counts: true class i predicted as j; of other
        tasks those of their scores.
    part
        Part of the split that was scored.
    log
        Entries of the run's log, see :class:`ters_train.reporting.logs.RunLog`.
    digest
        Digest of the dataset, or of the recipe that was trained from.
    version
        Version of the dataset, if it has one.
    recipe
        What the data were made from: names and values worth telling.
    facts
        Whatever else is worth telling of the run: parameters, steps, versions of software.
    examples
        Misread spectra to draw.
    tables
        Tables that follow the scores.
    pictures
        Pictures that follow them, PNG, by what they show.
    """

    name: str
    config: Mapping[str, Any]
    classes: Sequence[str]
    scores: Mapping[str, Any]
    part: str
    log: Sequence[Mapping[str, Any]]
    digest: str
    version: str | None = None
    recipe: Mapping[str, Any] = field(default_factory=dict)
    facts: Mapping[str, Any] = field(default_factory=dict)
    examples: Sequence[Example] = ()
    tables: Sequence[Table] = ()
    pictures: Mapping[str, bytes] = field(default_factory=dict)

    @property
    def is_of_classes(self) -> bool:
        """Whether classes were distinguished."""
        return "confusion" in self.scores

    @property
    def is_of_mixtures(self) -> bool:
        """Whether samples were mixtures, whose composition was predicted."""
        return "composition_error" in self.scores

    @property
    def trained_on(self) -> dict[str, Any]:
        """What the model was trained on: names and values."""
        data = self.config.get("data", {})
        return {
            "digest": self.digest,
            "version": self.version or "none",
            "path": data.get("path", "not recorded"),
            "split": f"{data.get('split', '?')}, trained on {data.get('train_part', '?')}, "
            f"best checkpoint chosen on {data.get('val_part', '?')}",
            **self.recipe,
        }

    def confusions(self, limit: int) -> list[tuple[str, str, int, int]]:
        """Return the most frequent confusions: true class, predicted class, count, support."""
        found = [
            (-count, i, j)
            for i, row in enumerate(self.scores["confusion"])
            for j, count in enumerate(row)
            if i != j and count
        ]
        support = self.scores["support"]
        return [
            (self.classes[i], self.classes[j], -count, support[i])
            for count, i, j in sorted(found)[:limit]
        ]


def write_report(
    folder: Path, report: Report, pages: Callable[[Report, bytes], Mapping[str, bytes]]
) -> None:
    """Write curves.png and the files of a task, report.html and model_card.md, into a folder.

    Parameters
    ----------
    folder
        Where to; it exists.
    report
        What to tell.
    pages
        The task's ``pages``: from report and curves, PNG, to files by name.
    """
    from tersgen.dataset.output_file import replace_file
    from tersgen.plotting.training import curves_png

    curves = curves_png(report.log)
    contents = {"curves.png": curves, **pages(report, curves)}
    for name, content in contents.items():
        replace_file(folder / name, content)
