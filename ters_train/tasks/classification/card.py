"""The model card of a model that names species, or of one that estimates their fractions."""

from ...reporting import Report
from ...reporting.card import heading, listed, text, trained_on
from .page import mixture_facts

_WORST = 5
_LISTED = 200
_INPUTS = {
    "spectrum": "a Raman spectrum",
    "map": "a map of intensities",
    "both": "a Raman spectrum and a map of intensities",
}


def card_markdown(report: Report) -> str:
    """Return the model card of a run, Markdown."""
    scores, classes = report.scores, report.classes
    data = report.config.get("data", {})
    kind = _INPUTS.get(data.get("input"), "the fields of its configuration")
    worst = [
        f"- {text(true)} taken for {text(taken)}: {count} of {support}"
        for true, taken, count, support in report.confusions(_WORST)
    ]
    weakest = sorted(zip(scores["f1"], scores["support"], classes, strict=True))[:_WORST]
    named = ", ".join(text(name) for name in classes[:_LISTED])
    more = f", and {len(classes) - _LISTED} more" if len(classes) > _LISTED else ""
    samples = report.recipe.get("samples", "synthetic")
    limit = (
        "- Trained and scored on synthetic data only. The scores say nothing about measured "
        "data until it has been scored on measured data.\n"
        if samples == "synthetic"
        else "- Scored on measured data of its own instruments; of others the scores say nothing.\n"
    )
    does, mixed, always = f"names one of {len(classes)} classes", "", "It always names one"
    if report.is_of_mixtures:
        does = f"estimates the fractions of {len(classes)} species"
        mixed = f"{listed(mixture_facts(scores))}\n"
        always = "It gives all of the signal to some"
    parts = [
        heading(report),
        f"# {text(report.name)}",
        f"A model of TERS data: it takes {kind} and {does}.",
        f"## Trained on\n\n{listed(trained_on(report))}",
        f"## Scores\n\nOn {text(report.part)}, {sum(scores['support'])} samples of the same "
        f"{text(samples)} dataset:\n\n{mixed}- macro-F1: {scores['macro_f1']:.4f}\n"
        f"- accuracy: {scores['accuracy']:.4f}",
        "Weakest classes (F1, samples):\n\n"
        + "\n".join(f"- {text(name)}: {f1:.4f}, {count}" for f1, count, name in weakest),
        "Most frequent confusions:\n\n" + ("\n".join(worst) or "- none"),
        f"## Classes\n\n{named}{more}",
        "## Intended use\n\n"
        "Research on the analysis of tip-enhanced Raman data: comparing models, testing "
        "pipelines, a first guess at a measured spectrum that a person then checks.",
        f"## Limits\n\n{limit}"
        f"- {always} of its classes, for a substance that it has never seen too; "
        "its probabilities are not calibrated.\n"
        "- It knows the axis, the widths, the noise and the backgrounds of what it was trained "
        "on; outside of these it guesses.\n"
        "- Not for medical, safety or forensic decisions.",
    ]
    if report.facts:
        parts.append(f"## The run\n\n{listed(report.facts)}")
    return "\n\n".join(parts) + "\n"
