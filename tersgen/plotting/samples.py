"""Rows of datasets: spectrum with its sticks and modes, all channels of the map, atoms."""

import math
import textwrap
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..dataset.dataset import Dataset
from ..schema.elements import SYMBOLS
from ..schema.species import Species
from .images import draw_atoms, frame_of, plot_image
from .lines import Peak, find_peaks, label_peaks, plot_line, repeated_ends, shift_axis
from .sample_images import DrawOptions, images_of
from .style import ANGSTROM, DOUBLE_IN, INTENSITY, SHIFT, new_figure, shown

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_PANEL_IN = 1.75
_LINE_IN = 1.9
_SAME_MODE_CM1 = 25.0
_MOST_COLOURS = 6
_TITLE_WIDTH = 30
"""Characters over a panel of a grid of three columns."""


def draw_sample(dataset: Dataset, row: int, options: DrawOptions) -> "Figure":
    """Return a picture of one row: spectrum and sticks, maps, structure targets.

    Raises
    ------
    RowIndexError
        If there is no such row.
    ConfigError
        If it has no such channel, or no map at the Raman shift.
    """
    sample = dataset.sample(row)
    images = images_of(dataset, sample, options)
    has_line = bool({"spectra", "sticks/position", "cube"} & sample.keys())
    figure, line, panels = _panels(has_line, len(images))
    columns = min(4, len(images)) or 1
    if line is not None:
        draw_spectrum(line, dataset, sample, options)
    for k, (axes, image) in enumerate(zip(panels, images, strict=True)):
        frame = frame_of(dataset.axes, image.values.shape)
        plot_image(axes, image, frame)
        if k % columns:
            axes.set_ylabel("")
        if k + columns < len(images):
            axes.set_xlabel("")
        if options.atoms and frame.unit == ANGSTROM and image.span is None:
            draw_atoms(axes, *atoms_of(dataset, sample), key=k == 0)
            axes.set_xlim(*frame.extent[:2])
            axes.set_ylim(*frame.extent[2:])
    figure.suptitle(f"{described(sample)}, row {row} of {shown(dataset.path.name)}")
    return figure


def _panels(has_line: bool, n_images: int) -> tuple["Figure", "Axes | None", list["Axes"]]:
    """Return a figure, its panel for a spectrum, and those for images, in rows of up to four.

    One image stands beside the spectrum, more stand below it.
    """
    if has_line and n_images == 1:
        figure = new_figure(DOUBLE_IN, 0.35 + _LINE_IN)
        grid = figure.add_gridspec(1, 2, width_ratios=(5, 2))
        return figure, figure.add_subplot(grid[0]), [figure.add_subplot(grid[1])]
    columns = min(4, n_images) or 1
    lines = math.ceil(n_images / columns)
    if n_images == 1:
        figure = new_figure(0.5 * DOUBLE_IN, 0.4 * DOUBLE_IN)
        return figure, None, [figure.subplots()]
    figure = new_figure(DOUBLE_IN, 0.35 + _LINE_IN * has_line + _PANEL_IN * lines)
    heights = ([_LINE_IN] if has_line else []) + [_PANEL_IN] * lines
    grid = figure.add_gridspec(len(heights) or 1, columns, height_ratios=heights or [1.0])
    line = figure.add_subplot(grid[0, :]) if has_line else None
    places = [(int(has_line) + k // columns, k % columns) for k in range(n_images)]
    return figure, line, [figure.add_subplot(grid[place]) for place in places]


def described(sample: dict[str, Any]) -> str:
    """Return what a sample is of: its species, or those of a mixture with their fractions."""
    parts = sample.get("composition", {})
    named = ", ".join(f"{shown(name)} {fraction:.0%}" for name, fraction in parts.items())
    return named or shown(sample["species"])


def draw_spectrum(
    axes: "Axes",
    dataset: Dataset,
    sample: dict[str, Any],
    options: DrawOptions,
    colours: Mapping[str, str] | None = None,
) -> None:
    """Draw spectrum, sticks and labels of peaks into a panel.

    ``colours`` are those of species in a grid of panels, which has one legend for all.
    """
    shift, name = dataset.shift_cm1, "spectrum"
    if "cube" in sample and "spectra" not in sample:
        shift, name = dataset.axes["shift_channel"].points(), "mean over pixels, scaled"
        mean = np.asarray(sample["cube"], np.float64).mean(axis=(0, 1))
        mean -= mean.min()  # the bands of a mean stand on dark counts and background
        sample = {**sample, "spectra": mean / (mean.max() or 1.0)}
    span = options.span_cm1 or (float(shift[0]), float(shift[-1]))
    sticks = _sticks(dataset, sample)
    if "spectra" in sample:
        values = np.asarray(sample["spectra"], np.float64)
        left, right = unmeasured_ends(sample)
        measured = values.copy()
        measured[:left] = np.nan
        measured[len(values) - right :] = np.nan
        plot_line(axes, shift, measured, name, color="C0")
        for low, high in ((0, left), (len(values) - right, len(values))):
            if high > low:
                label = "not measured" if low == 0 or not left else None
                axes.axvspan(  # the edge shows in a legend that lies on the shade itself
                    shift[low], shift[high - 1], facecolor="0.92", edgecolor="0.7", linewidth=0.5,
                    label=label,
                )  # fmt: skip
    for k, (name, peaks) in enumerate(sticks):
        if colours:  # one species alone is named, too, where others have mixtures
            name = name or next(map(shown, sample["composition"]))
        axes.vlines(
            [one.shift_cm1 for one in peaks], 0, [one.height for one in peaks],
            color=(colours or {}).get(name, f"C{k % 6 + 1}"), linewidth=0.9,
            label=f"sticks of {name}" if name else "sticks",
        )  # fmt: skip
    shift_axis(axes, span, INTENSITY)
    if options.labels:
        known = [one for _, peaks in sticks for one in peaks]
        if "spectra" in sample:
            values = np.asarray(sample["spectra"], np.float64)
            known = [_lifted(one, shift, values) for one in known] or find_peaks(shift, values)
        label_peaks(axes, known, span)
    if colours is None and axes.get_legend_handles_labels()[0]:
        axes.legend(loc="upper right")


def unmeasured_ends(sample: dict[str, Any]) -> tuple[int, int]:
    """Return how many points of a row's spectrum were not measured at its low and high ends.

    Rows of recipes record it. Measured rows record that there are such points, which repeat the
    outermost value; a flat end alone does not mean that: without noise there are many.
    """
    if "params/instrument" in sample:
        from ..effects.base import columns
        from ..effects.instrument.effect import PARAMETERS

        place, drawn = columns(PARAMETERS), sample["params/instrument"]
        return int(drawn[place["missing_low"]]), int(drawn[place["missing_high"]])
    if float(sample.get("source/extrapolated", 0.0)) > 0.0:
        return repeated_ends(sample["spectra"])
    return 0, 0


def _lifted(peak: Peak, shift: NDArray[Any], values: NDArray[Any]) -> Peak:
    """Return a stick's label above the spectrum."""
    at = float(np.interp(peak.shift_cm1, shift, values))
    return peak._replace(height=max(peak.height, at), strength=peak.height)


def _sticks(dataset: Dataset, sample: dict[str, Any]) -> list[tuple[str, list[Peak]]]:
    """Return the sticks of each component, scaled to the largest, with texts of their modes."""
    if "sticks/position" not in sample:
        return []
    heights = np.atleast_2d(sample["sticks/intensity"]).astype(np.float64)
    largest = float(np.nanmax(heights, initial=0.0)) or 1.0
    places = np.atleast_2d(sample["sticks/position"])
    names = list(sample.get("composition", ())) or [sample["species"]]
    by_name = {one.name: one for one in dataset.species} if dataset.document.library else {}
    shift = float(sample.get("params/shift", 0.0))
    found = []
    for k, (name, count) in enumerate(
        zip(names, np.atleast_1d(sample["sticks/count"]), strict=False)
    ):
        species = by_name.get(name)
        peaks = [
            Peak(float(x), float(y) / largest, _mode_text(species, float(x), shift))
            for x, y in zip(places[k, :count], heights[k, :count], strict=True)
        ]
        found.append((shown(name) if len(names) > 1 else "", peaks))
    return found


def _mode_text(species: Species | None, place: float, shift: float) -> str:
    """Return position and irreducible representation of the mode that a stick is most likely of."""
    text = f"{place:.0f}"
    if species is None or not species.modes:
        return text
    near = min(species.modes, key=lambda mode: abs(mode.frequency_cm1 + shift - place))
    is_same = abs(near.frequency_cm1 + shift - place) < _SAME_MODE_CM1
    return f"{text} {near.irrep}" if is_same and near.irrep else text


def atoms_of(dataset: Dataset, sample: dict[str, Any]) -> tuple[list[str], NDArray[np.float64]]:
    """Return symbols and places of a sample's atoms in its map's frame, Angstrom; maybe none."""
    if "structure/positions" in sample:
        count = int(sample["structure/count"])
        numbers = sample["structure/elements"][:count].tolist()
        places = np.asarray(sample["structure/positions"][:count], np.float64)
        return [SYMBOLS[number] for number in numbers], places
    nothing: tuple[list[str], NDArray[np.float64]] = [], np.zeros((0, 2))
    if not {"params/orientation", "params/apex"} <= sample.keys() or not dataset.document.library:
        return nothing
    species = dataset.species[int(sample["label"])]
    if not species.atoms:
        return nothing
    positions = np.array([atom.position for atom in species.atoms])
    turned = (positions - positions.mean(axis=0)) @ rotation(sample["params/orientation"]).T
    turned[:, :2] -= sample["params/apex"]
    return [atom.symbol for atom in species.atoms], turned


def rotation(quaternion: NDArray[Any]) -> NDArray[np.float64]:
    """Return the rotation matrix of a unit quaternion (w, x, y, z), shape (3, 3)."""
    w, x, y, z = np.asarray(quaternion, np.float64)
    return np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
            [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
            [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
        ]
    )


def _fitting(title: str) -> str:
    """Return a title in lines that fit over a panel of a grid."""
    return "\n".join(textwrap.wrap(title, _TITLE_WIDTH, break_long_words=False))


def draw_rows(dataset: Dataset, rows: Sequence[int], options: DrawOptions) -> "Figure":
    """Return several rows in a grid: the spectrum of each, or its first chosen map.

    Without spectra and without a choice that is the mean of all channels.
    """
    columns = min(3, len(rows))
    lines = math.ceil(len(rows) / columns)
    figure = new_figure(DOUBLE_IN, 0.35 + 1.6 * lines)
    panels = figure.subplots(lines, columns, squeeze=False).ravel()
    for axes in panels[len(rows) :]:
        axes.set_axis_off()
    wants_map = options.channels is not None or options.band_cm1 is not None
    wants_map = wants_map or "spectra" not in dataset
    averaged = options.channels is None and options.band_cm1 is None and wants_map
    averaged = averaged and "maps" in dataset and dataset.fields["maps"].spec.shape[0] > 1
    samples = [dataset.sample(row) for row in rows]
    colours = _colours(samples)
    for axes, row, sample in zip(panels, rows, samples, strict=False):
        if not wants_map:
            draw_spectrum(axes, dataset, sample, options._replace(labels=False), colours)
        else:
            image = images_of(dataset, sample, options)[0]
            if averaged:
                image = image._replace(values=np.asarray(sample["maps"], np.float32).mean(axis=0))
            plot_image(axes, image, frame_of(dataset.axes, image.values.shape))
        axes.set_title(_fitting(f"{described(sample)} (row {row})"))
        axes.set_xlabel("")
        axes.set_ylabel("")
    figure.suptitle(shown(dataset.path.name))
    if averaged:
        figure.suptitle(f"{shown(dataset.path.name)}, mean of all channels")
    if not wants_map:
        for axes in panels[max(0, len(rows) - columns) : len(rows)]:
            axes.set_xlabel(SHIFT)  # not one for all, which would lie in the legend
        figure.supylabel(INTENSITY, fontsize=8)
        _add_legend(figure, list(panels))
    return figure


def _colours(samples: Sequence[dict[str, Any]]) -> dict[str, str]:
    """Return a colour for each species of mixtures; the same for all, if they are too many."""
    names = {shown(name): None for one in samples for name in one.get("composition", {})}
    few = len(names) <= _MOST_COLOURS
    return {name: f"C{k + 1}" if few else "C1" for k, name in enumerate(names)}


def _add_legend(figure: "Figure", panels: Sequence["Axes"]) -> None:
    """Add one legend below all panels, unless every panel has its own species."""
    handles: dict[str, Any] = {}
    for axes in panels:
        for handle, label in zip(*axes.get_legend_handles_labels(), strict=True):
            handles.setdefault(label, handle)
    if 1 < len(handles) <= _MOST_COLOURS + 2:
        figure.legend(handles.values(), handles.keys(), loc="outside lower center", ncols=4)
