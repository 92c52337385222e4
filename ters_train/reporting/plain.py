"""Page and card of any task: its single numbers, the training, the data, the configuration."""

from . import Report
from .card import heading, listed, text, trained_on
from .page import config_text, document, facts, picture


def _overview(report: Report) -> dict[str, str]:
    numbers = {
        name: f"{value:.6g}"
        for name, value in report.scores.items()
        if isinstance(value, int | float) and name != "n_samples"
    }
    return {**numbers, "scored on": f"{report.part}, {report.scores['n_samples']} samples"}


def plain_page(report: Report, curves: bytes) -> str:
    """Return the page of a run: HTML with the picture in it, no script.

    Parameters
    ----------
    report
        What to tell.
    curves
        Picture of the training, PNG.
    """
    overview = {
        **_overview(report),
        "dataset digest": report.digest,
        "dataset version": report.version or "none",
        **report.facts,
    }
    sections = {
        "Result": facts(overview),
        "Training": picture(curves, "loss, scores and learning rate over steps"),
        "Data": facts(report.recipe) if report.recipe else "<p>Not described.</p>",
        "Configuration": config_text(report.config),
    }
    return document(report.name, sections)


def plain_card(report: Report) -> str:
    """Return the model card of a run, Markdown."""
    task = report.config.get("task", {})
    parts = [
        heading(report),
        f"# {text(report.name)}",
        f"A model of TERS data for the task {text(task.get('name', 'of its configuration'))}.",
        f"## Trained on\n\n{listed(trained_on(report))}",
        f"## Scores\n\nOn {text(report.part)}:\n\n{listed(_overview(report))}",
        "## Limits\n\n"
        "- The scores say nothing about data of another kind than it was scored on.\n"
        "- Outside of what it was trained on it guesses.",
    ]
    if report.facts:
        parts.append(f"## The run\n\n{listed(report.facts)}")
    return "\n\n".join(parts) + "\n"
