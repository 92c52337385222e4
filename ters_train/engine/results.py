"""How scores are written: JSON for programs, a page and pictures for people."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tersgen.dataset.dataset import Dataset
from tersgen.dataset.output_file import replace_file
from tersgen.errors import OutputError
from tersgen.files import why

from ..config import RunConfig
from ..planning import identity
from ..reporting import Report, write_report
from ..tasks.scores import TaskScores
from ..tasks.task import Task

SCORES, CONFUSION = "scores.json", "confusion.json"


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
    return Report(
        name=name,
        config=config.model_dump(mode="json"),
        classes=dataset.classes if classes is None else classes,
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
    )


def write_results(folder: Path, report: Report, task: Task) -> None:
    """Write scores.json, of classes confusion.json, pictures, page and card into a folder.

    Raises
    ------
    OutputError
        If one cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"{folder}: cannot be made: {why(error)}") from None
    scores = {key: value for key, value in report.scores.items() if key != "confusion"}
    about = {"part": report.part, "digest": report.digest, "version": report.version}
    about_classes = {**about, "classes": list(report.classes)}
    contents = {SCORES: {**(about_classes if report.is_of_classes else about), **scores}}
    if report.is_of_classes:
        contents[CONFUSION] = {**about_classes, "confusion": report.scores["confusion"]}
    for name, content in contents.items():
        replace_file(folder / name, json.dumps(content, indent=1).encode() + b"\n")
    write_report(folder, report, task.pages)
