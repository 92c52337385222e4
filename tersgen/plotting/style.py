"""How pictures look: sizes and fonts for journals, colours for any colour vision."""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..dataset.output_file import write_output
from ..errors import OutputError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
"""Of M. Okabe and K. Ito, "Color Universal Design" (2008)."""
SINGLE_IN, DOUBLE_IN = 3.4, 7.0
"""Widths of one and of two columns of a journal, in inches."""
SEQUENTIAL, DIVERGING = "viridis", "PuOr_r"
DPI = 300
SHIFT = "Raman shift / cm$^{-1}$"
INTENSITY = "intensity / arb. units"
ANGSTROM = "\u00c5"

_SETTINGS: dict[str, Any] = {
    "font.size": 8.0,
    "axes.titlesize": 8.0,
    "axes.labelsize": 8.0,
    "xtick.labelsize": 7.0,
    "ytick.labelsize": 7.0,
    "legend.fontsize": 7.0,
    "legend.frameon": False,
    "figure.titlesize": 9.0,
    "axes.linewidth": 0.6,
    "lines.linewidth": 0.8,
    "xtick.direction": "in",
    "ytick.direction": "in",
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "axes.unicode_minus": True,
    "image.interpolation": "nearest",
    "svg.fonttype": "none",  # text stays text
    "pdf.fonttype": 42,
}
_LONGEST = 48


@contextmanager
def styled() -> Iterator[None]:
    """Let what is drawn inside look as all our pictures do."""
    import matplotlib
    from cycler import cycler

    settings: Any = {**_SETTINGS, "axes.prop_cycle": cycler(color=COLOURS)}
    with matplotlib.rc_context(settings):
        yield


def new_figure(width_in: float, height_in: float) -> "Figure":
    """Return a figure without a display."""
    from matplotlib.figure import Figure

    return Figure(figsize=(width_in, height_in), layout="constrained")


def shown(name: str, longest: int = _LONGEST) -> str:
    """Return a name short, in letters that the font has, and without mathematics."""
    plain = name.encode("latin-1", "backslashreplace").decode("latin-1")
    plain = "".join(one if one.isprintable() else ascii(one)[1:-1] for one in plain)
    plain = plain if len(plain) <= longest else plain[: longest - 3] + "..."
    return plain.replace("$", r"\$")


def picture(figure: "Figure", kind: str, dpi: int = DPI) -> bytes:
    """Return a figure as a file; the same figure gives the same file."""
    content = io.BytesIO()
    # without the version of the library in it, or a date
    metadata = {"png": {"Software": None}, "svg": {"Date": None}, "pdf": {"CreationDate": None}}
    figure.savefig(content, dpi=dpi, format=kind, metadata=metadata.get(kind))
    return content.getvalue()


def check_picture(output: Path) -> None:
    """Refuse a picture of a kind that cannot be drawn, before work is done for it."""
    kind = output.suffix[1:].lower() or "png"
    if kind not in new_figure(1, 1).canvas.get_supported_filetypes():
        raise OutputError(f"{output}: expected a name that ends in .png, .pdf or .svg")


def save(figure: "Figure", output: Path, dpi: int = DPI) -> None:
    """Write a picture; the file's ending says which kind.

    Raises
    ------
    OutputError
        If it cannot be written.
    """
    try:
        content = picture(figure, output.suffix[1:].lower() or "png", dpi)
    except ValueError as error:
        reason = str(error).split("(", maxsplit=1)[0].strip()
        raise OutputError(f"{output}: {reason}; expected .png, .pdf or .svg") from None
    write_output(output, content)
