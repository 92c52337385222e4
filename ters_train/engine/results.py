"""How scores are written: JSON for programs, a page and pictures for people."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tersgen.dataset.dataset import Dataset
from tersgen.dataset.output_file import replace_file
from tersgen.errors import DamagedDataError, OutputError
from tersgen.files import why
from tersgen.plotting.spectra import Line

from ..config import INPUT_FIELDS, RunConfig
from ..planning import identity
from ..reporting import Example, Report, write_report
from ..tasks.classification.scores import Scores
from ..tasks.scores import TaskScores
from ..tasks.task import Task

SCORES, CONFUSION, MISREAD = "scores.json", "confusion.json", "misread.json"
_MOST_EXAMPLES = 6


def make_report(
    name: str,
    config: RunConfig,
    dataset: Dataset,
    scores: TaskScores,
    part: str,
    log: Sequence[Mapping[str, Any]],
    facts: Mapping[str, Any],
    classes: Sequence[str] | None = None,
) -> Report:
    """Return what page and card show of a model that was scored on a part of a dataset.

    ``classes`` are those of the model, where they are others than the dataset's.
    """
    digest, version = identity(dataset)
    axis = dataset.axes.get("raman_shift")
    names = dataset.classes if classes is None else classes
    return Report(
        name=name,
        config=config.model_dump(mode="json"),
        classes=names,
        scores=scores.model_dump(mode="json"),
        part=part,
        log=log,
        digest=digest,
        version=version,
        recipe={
            "samples": dataset.kind,
            "classes": len(dataset.classes),
            "Raman shift / cm^-1": f"{axis.start:g} to {axis.stop:g}" if axis else "none",
            "points": axis.n if axis else 0,
            "seed": dataset.contents.seed,
            "generator": dataset.contents.generator or "none",
        },
        facts=facts,
        examples=_examples(dataset, scores, names)
        if "spectra" in INPUT_FIELDS[config.data.input]
        else (),
    )


def _examples(dataset: Dataset, scores: TaskScores, classes: Sequence[str]) -> tuple[Example, ...]:
    """Return a misread spectrum of each of the pairs that are confused most often."""
    if not isinstance(scores, Scores) or scores.ece is None:  # mixtures have no one true species
        return ()
    spectra, shift = dataset["spectra"], dataset.shift_cm1
    correct = {one.label: one for one in scores.correct}
    found = []
    for i, j, _ in scores.confusions(_MOST_EXAMPLES):
        misread = next(
            (one for one in scores.misread if (one.label, one.predicted) == (i, j)), None
        )
        if misread is None:
            continue
        shown = [(misread, f"misread, {misread.probability:.0%}")]
        shown += [(one, "read correctly") for one in map(correct.get, (i, j)) if one]
        try:
            lines = tuple(
                Line(
                    f"{classes[one.label]}, row {one.row}",
                    shift,
                    np.asarray(spectra[one.row], np.float64),
                    note,
                )
                for one, note in shown
            )
        except DamagedDataError:  # repaired in memory, or skipped, while it was scored
            continue
        found.append(Example(f"{classes[i]} read as {classes[j]}, row {misread.row}", lines))
    return tuple(found)


def write_results(folder: Path, report: Report, task: Task) -> None:
    """Write scores.json, of classes confusion.json and misread.json, pictures, page and card."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"{folder}: cannot be made: {why(error)}") from None
    own_files = ("confusion", "misread", "correct")
    scores = {key: value for key, value in report.scores.items() if key not in own_files}
    about = {"part": report.part, "digest": report.digest, "version": report.version}
    about_classes = {**about, "classes": list(report.classes)}
    contents = {SCORES: {**(about_classes if report.is_of_classes else about), **scores}}
    if report.is_of_classes:
        contents[CONFUSION] = {**about_classes, "confusion": report.scores["confusion"]}
    if "misread" in report.scores:
        contents[MISREAD] = {**about_classes, "rows": report.scores["misread"]}
    for name, content in contents.items():
        replace_file(folder / name, json.dumps(content, indent=1).encode() + b"\n")
    write_report(folder, report, task.pages)
