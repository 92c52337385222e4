"""Page and card of a model that predicts structures."""

from typing import Any

from ...reporting import Report
from ...reporting.card import heading, listed, text, trained_on
from ...reporting.page import config_text, document, facts, picture, table


def _overview(report: Report) -> dict[str, str]:
    scores = report.scores
    error = scores["position_error_angstrom"]
    return {
        "mean Dice": f"{scores['dice']:.4f}",
        "mean IoU": f"{scores['iou']:.4f}",
        "atom position error": "none found" if error is None else f"{error:.3f} Angstrom",
        "atoms found, of the true ones": f"{scores['position_recall']:.4f}",
        "atoms that are true, of those found": f"{scores['position_precision']:.4f}",
        "scored on": f"{report.part}, {scores['n_samples']} samples",
    }


def _element_rows(report: Report) -> list[tuple[Any, ...]]:
    scores = report.scores
    names = ("dice_of", "iou_of", "precision_of", "recall_of", "error_of", "support")
    columns = [scores["elements"], *(scores[name] for name in names)]
    rows = [
        tuple("none" if value is None else value for value in row)
        for row in zip(*columns, strict=True)
    ]
    if scores["bond_dice"] is not None:
        rows.append(("bonds", scores["bond_dice"], scores["bond_iou"], "", "", "", ""))
    return rows


def structure_page(report: Report, curves: bytes) -> str:
    """Return the page of a run that predicts structures: HTML with the picture in it, no script.

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
    names = ("element", "Dice", "IoU", "precision", "recall", "off by / Angstrom", "atoms")
    sections = {
        "Result": facts(overview),
        "Training": picture(curves, "loss, scores and learning rate over steps"),
        "Elements": table(names, _element_rows(report)),
        "Data": facts(report.recipe) if report.recipe else "<p>Not described.</p>",
        "Configuration": config_text(report.config),
    }
    return document(report.name, sections)


def structure_card(report: Report) -> str:
    """Return the model card of a run that predicts structures, Markdown."""
    scores = report.scores
    bonds = "" if scores["bond_dice"] is None else ", and a map of bonds"
    parts = [
        heading(report),
        f"# {text(report.name)}",
        "A model of TERS data: it takes maps of a molecule under a tip and draws, pixel by pixel, "
        f"masks of the atoms of {', '.join(map(text, scores['elements']))}{bonds}.",
        f"## Trained on\n\n{listed(trained_on(report))}",
        f"## Scores\n\nOn {text(report.part)} of the same synthetic dataset; an atom counts as "
        f"found within 0.5 Angstrom:\n\n{listed(_overview(report))}",
        "## Limits\n\n"
        "- Trained and scored on synthetic data only. The scores say nothing about measured data "
        "until it has been scored on measured data.\n"
        "- If the parts of the split share their molecules, as they do unless some were held out, "
        "the scores say nothing about molecules that it has never seen.\n"
        "- It knows the bands, the frame, the tips and the noise that the recipe drew from; "
        "outside of these it guesses.",
    ]
    if report.facts:
        parts.append(f"## The run\n\n{listed(report.facts)}")
    return "\n\n".join(parts) + "\n"
