"""Page and card of a model that names species, or of one that estimates their fractions."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tersgen.text import counted

from ...reporting import Report
from ...reporting.page import pages


def class_pages(
    report: Report,
    curves: bytes,
    pictures: Mapping[str, bytes],
    examples: Mapping[str, bytes],
) -> dict[str, bytes]:
    """Return page and card of a run.

    Parameters
    ----------
    report
        What to show.
    curves
        Picture of the training, PNG.
    pictures
        ``confusion.png``, and ``reliability.png`` where outputs are probabilities.
    examples
        Pictures of misread spectra, by what they show.
    """
    scores = report.scores
    n_samples = sum(scores["support"])
    overview = {
        "macro-F1": f"{scores['macro_f1']:.4f}",
        "accuracy": f"{scores['accuracy']:.4f}",
        "scored on": f"{report.part}, {counted(n_samples, 'sample')} of "
        f"{counted(len(report.classes), 'class')}",
    }
    if scores.get("ece") is not None:
        overview["expected calibration error"] = f"{scores['ece']:.4f}"
    if report.is_of_mixtures:
        overview = {
            "macro-F1 of presence": f"{scores['present_macro_f1']:.4f}",
            "all species right": f"{scores['exact']:.4f}",
            "error of the composition": f"{scores['composition_error']:.4f}",
            "the rest": "of the species with the largest fraction",
            **overview,
        }
    values: dict[str, Any] = {
        "confusion": pictures["confusion.png"],
        "reliability": pictures.get("reliability.png"),
        "examples": examples,
        "classes": _rows(report),
    }
    if report.is_of_mixtures:
        values["species"] = _rows(report, "present_")
    return pages(Path(__file__).parent / "templates", report, curves, overview, **values)


def _rows(report: Report, prefix: str = "") -> list[tuple[Any, ...]]:
    """Return name, precision, recall, F1 and samples of each class, or of its presence."""
    names = ("precision", "recall", "f1")
    columns = (map(float, report.scores[prefix + name]) for name in names)
    support = map(int, report.scores[f"{prefix}support"])
    return [*zip(report.classes, *columns, support, strict=True)]
