"""The page of a model that names species, or of one that estimates their fractions."""

from collections.abc import Mapping
from typing import Any

from ...reporting import Report
from ...reporting.page import config_text, document, facts, picture, table

_WORST = 20


def page_html(report: Report, curves: bytes, confusion: bytes) -> str:
    """Return the page of a run.

    Parameters
    ----------
    report
        What to tell.
    curves, confusion
        Pictures, PNG.

    Returns
    -------
    str
        HTML with the pictures in it, no script and no reference to anything outside.
    """
    scores = report.scores
    worst = report.confusions(_WORST)
    overview = {
        **(mixture_facts(scores) if report.is_of_mixtures else {}),
        "macro-F1": f"{scores['macro_f1']:.4f}",
        "accuracy": f"{scores['accuracy']:.4f}",
        "scored on": f"{report.part}, {sum(scores['support'])} samples of "
        f"{len(report.classes)} classes",
        "dataset digest": report.digest,
        "dataset version": report.version or "none",
        **report.facts,
    }
    sections = {
        "Result": facts(overview),
        "Training": picture(curves, "loss, scores and learning rate over steps"),
        "Confusion matrix": picture(confusion, "confusion matrix"),
        "Most frequent confusions": table(("true class", "predicted class", "samples", "of"), worst)
        if worst
        else "<p>None: every sample was classified as what it is.</p>",
        **({"Species": _class_table(report, "present_")} if report.is_of_mixtures else {}),
        "Classes": _class_table(report),
        "Data": facts(report.recipe) if report.recipe else "<p>Not described.</p>",
        "Configuration": config_text(report.config),
    }
    return document(report.name, sections)


def mixture_facts(scores: Mapping[str, Any]) -> dict[str, str]:
    """Return the headline scores for mixtures."""
    return {
        "macro-F1 of presence": f"{scores['present_macro_f1']:.4f}",
        "all species right": f"{scores['exact']:.4f}",
        "error of the composition": f"{scores['composition_error']:.4f}",
        "the rest": "of the species with the largest fraction",
    }


def _class_table(report: Report, prefix: str = "") -> str:
    """Return the table of the scores of each class, or of its presence in mixtures."""
    names = ("precision", "recall", "f1")
    columns = (map(float, report.scores[prefix + name]) for name in names)
    support = map(int, report.scores[f"{prefix}support"])
    rows = zip(report.classes, *columns, support, strict=True)
    return table(("class", "precision", "recall", "F1", "samples"), rows)
