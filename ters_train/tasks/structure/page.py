"""Page and card of a model that predicts structures."""

from pathlib import Path

from tersgen.text import counted

from ...reporting import Report
from ...reporting.page import pages

_COLUMNS = ("dice_of", "iou_of", "precision_of", "recall_of", "error_of", "support")


def structure_pages(report: Report, curves: bytes) -> dict[str, bytes]:
    """Return page and card of a run that predicts structures.

    Parameters
    ----------
    report
        What to show.
    curves
        Picture of the training, PNG.
    """
    scores = report.scores
    error = scores["position_error_angstrom"]
    overview = {
        "mean Dice": f"{scores['dice']:.4f}",
        "mean IoU": f"{scores['iou']:.4f}",
        "atom position error": "none found" if error is None else f"{error:.3f} Angstrom",
        "atoms found, of the true ones": f"{scores['position_recall']:.4f}",
        "atoms that are true, of those found": f"{scores['position_precision']:.4f}",
        "scored on": f"{report.part}, " + counted(scores["n_samples"], "sample"),
    }
    columns = [scores["elements"], *(scores[name] for name in _COLUMNS)]
    rows = [*zip(*columns, strict=True)]
    if scores["bond_dice"] is not None:
        rows.append(("bonds", scores["bond_dice"], scores["bond_iou"], "", "", "", ""))
    folder = Path(__file__).parent / "templates"
    return pages(folder, report, curves, overview, elements=rows)
