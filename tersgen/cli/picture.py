"""Pictures of samples and species."""

import io
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..dataset.output_file import write_output
from ..errors import OutputError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from ..dataset.dataset import Dataset
    from ..schema.species import Species


_FWHM_CM1 = 15.0
"""Width of modes that have none of their own."""


def new_figure(n_panels: int, wide: bool = True) -> tuple["Figure", list["Axes"]]:
    """Return a figure without a display and its panels, side by side, the first one wide or not."""
    from matplotlib.figure import Figure

    widths = [2.2 if wide else 1.0] + [1.0] * (n_panels - 1)
    figure = Figure(figsize=(2.6 + 3.2 * n_panels, 3.4), layout="constrained")
    axes = figure.subplots(1, n_panels, squeeze=False, width_ratios=widths)
    return figure, list(axes[0])


def save(figure: "Figure", output: Path) -> None:
    """Write a picture; the file's ending says which kind.

    Raises
    ------
    OutputError
        If it cannot be written.
    """
    content = io.BytesIO()
    try:
        figure.savefig(content, dpi=150, format=output.suffix[1:].lower() or "png")
    except ValueError as error:
        reason = str(error).split("(", maxsplit=1)[0].strip()
        raise OutputError(f"{output}: {reason}; expected .png, .pdf or .svg") from None
    write_output(output, content.getvalue())


def _draw_spectrum(axes: "Axes", dataset: "Dataset", sample: dict[str, Any]) -> None:
    if "spectra" in sample:
        axes.plot(dataset.shift_cm1, sample["spectra"], linewidth=0.9, label="spectrum")
    if "sticks/position" in sample:
        heights = np.atleast_2d(sample["sticks/intensity"])
        largest = float(np.max(heights, initial=0.0)) or 1.0
        names = [f"sticks of {name}" for name in sample.get("composition", ())] or ["sticks"]
        places, counts = np.atleast_2d(sample["sticks/position"]), sample["sticks/count"]
        for k, (name, count) in enumerate(zip(names, np.atleast_1d(counts), strict=False)):
            axes.vlines(
                places[k, :count], 0, heights[k, :count] / largest, color=f"C{k + 1}",
                linewidth=0.8, label=name,
            )  # fmt: skip
    axes.legend(frameon=False, fontsize="small")
    axes.set_xlabel("Raman shift / cm$^{-1}$")
    axes.set_ylabel("intensity / arb. units")
    axes.set_xlim(*dataset.shift_cm1[[0, -1]])


def _structure_images(dataset: "Dataset", sample: dict[str, Any]) -> list[tuple[str, Any]]:
    """Return name and image of the masks, elements in one, and of the bonds, if there are any."""
    structure = dataset.recipe.structure if "structure/masks" in sample else None
    if structure is None:
        return []
    # 0 is the ground; elements are numbered, the largest value of a pixel decides which is shown
    masks = sample["structure/masks"].astype(np.float32)
    shown = np.where(masks.max(axis=0) > 0, masks.argmax(axis=0) + masks.max(axis=0), 0.0)
    images = [(f"atoms: {', '.join(structure.elements or ())}", shown / len(masks))]
    if "structure/bonds" in sample:
        images.append(("bonds", sample["structure/bonds"].astype(np.float32)))
    return images


def draw_sample(dataset: "Dataset", index: int, output: Path) -> None:
    """Draw spectrum, sticks, the first channels of the map and structure targets of one sample.

    Raises
    ------
    RowIndexError
        If there is no such row.
    OutputError
        If the picture cannot be written.
    """
    sample = dataset.sample(index)
    channels = sample["maps"][:3] if "maps" in sample else []
    has_line = "spectra" in sample or "sticks/position" in sample
    targets = _structure_images(dataset, sample)
    figure, panels = new_figure(int(has_line) + len(channels) + len(targets) or 1, has_line)
    if has_line:
        _draw_spectrum(panels[0], dataset, sample)
        panels = panels[1:]
    for number, (axes, image) in enumerate(zip(panels, channels, strict=False)):
        drawn = axes.imshow(image.astype(np.float32), origin="upper", cmap="inferno")
        figure.colorbar(drawn, ax=axes, shrink=0.8, label="intensity / arb. units")
        axes.set_title(f"channel {number} of {len(sample['maps'])}", fontsize="small")
        axes.set_xlabel("column / pixel")
        axes.set_ylabel("row / pixel")
    for axes, (title, image) in zip(panels[len(channels) :], targets, strict=True):
        axes.imshow(image, origin="upper", cmap="inferno", vmin=0.0, vmax=1.0)
        axes.set_title(title, fontsize="small")
        axes.set_xlabel("column / pixel")
    parts = sample.get("composition", {})
    named = ", ".join(f"{name} {fraction:.0%}" for name, fraction in parts.items())
    figure.suptitle(f"{named or sample['species']} (sample {index})", fontsize="medium")
    save(figure, output)


def draw_species(species: "Species", output: Path) -> None:
    """Draw the Raman activities of a species' bands as sticks, and broadened to their widths.

    Raises
    ------
    OutputError
        If the picture cannot be written.
    """
    from ..library.degeneracy import bands
    from ..numeric.lineshape import GAUSSIAN, add_sticks

    rows = bands(species)
    positions = np.array([band.frequency_cm1 for band in rows])
    activities = np.array([band.activity for band in rows])
    widths = np.array([band.fwhm_cm1 or _FWHM_CM1 for band in rows])
    last = 1.1 * float(positions.max())
    line = np.zeros(4096, np.float32)
    add_sticks(line, 0.0, last / 4095, positions, activities, widths, GAUSSIAN, 0.0)
    figure, (axes,) = new_figure(1)
    scale = float(activities.max()) / float(line.max())
    axes.plot(np.linspace(0.0, last, 4096), scale * line, linewidth=0.9)
    axes.vlines(positions, 0, activities, color="C1", linewidth=0.8)
    axes.set_xlabel("Raman shift / cm$^{-1}$")
    axes.set_ylabel("Raman activity / \u00c5$^4$ amu$^{-1}$")
    axes.set_xlim(0, last)
    own = "own widths" if any(band.fwhm_cm1 for band in rows) else "FWHM 15 cm$^{-1}$"
    axes.set_title(f"{species.name} ({own})", fontsize="medium")
    save(figure, output)
