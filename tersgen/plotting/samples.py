"""Rows of datasets: spectrum with its sticks and modes, all channels of the map, atoms."""

import math
import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..dataset.dataset import Dataset
from ..errors import ConfigError
from ..schema.elements import SYMBOLS
from ..schema.species import Species
from .images import Image, draw_atoms, frame_of, plot_image
from .lines import Peak, find_peaks, label_peaks, plot_line, repeated_ends, shift_axis
from .style import ANGSTROM, DOUBLE_IN, INTENSITY, SHIFT, new_figure, shown

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_PANEL_IN = 1.75
_LINE_IN = 1.9
_SAME_MODE_CM1 = 25.0
_MOST_PANELS = 64
_TITLE_WIDTH = 30
"""Characters over a panel of a grid of three columns."""


class DrawOptions(NamedTuple):
    """What is drawn of a sample."""

    channels: tuple[int, ...] | None = None
    """Channels of the map; None for all."""
    band_cm1: float | None = None
    """In place of the channels, the map at a Raman shift."""
    span_cm1: tuple[float, float] | None = None
    """Range of Raman shifts; None for the whole axis."""
    labels: bool = True
    """Whether peaks are labelled by position and irreducible representation."""
    atoms: bool = True
    """Whether atoms are drawn over maps where their places are known."""


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
    images = _images(dataset, sample, options)
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
    axes: "Axes", dataset: Dataset, sample: dict[str, Any], options: DrawOptions
) -> None:
    """Draw spectrum, sticks and labels of peaks into a panel."""
    shift, name = dataset.shift_cm1, "spectrum"
    if "cube" in sample and "spectra" not in sample:
        shift, name = dataset.axes["shift_channel"].points(), "mean over pixels"
        mean = np.asarray(sample["cube"], np.float64).mean(axis=(0, 1))
        sample = {**sample, "spectra": mean}
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
                axes.axvspan(shift[low], shift[high - 1], color="0.92", linewidth=0, label=label)
    for k, (name, peaks) in enumerate(sticks):
        axes.vlines(
            [one.shift_cm1 for one in peaks], 0, [one.height for one in peaks],
            color=f"C{k + 1}", linewidth=0.9, label=f"sticks of {name}" if name else "sticks",
        )  # fmt: skip
    shift_axis(axes, span, INTENSITY)
    if options.labels:
        known = [one for _, peaks in sticks for one in peaks]
        if "spectra" in sample:
            values = np.asarray(sample["spectra"], np.float64)
            known = [_lifted(one, shift, values) for one in known] or find_peaks(shift, values)
        label_peaks(axes, known, span)
    if axes.get_legend_handles_labels()[0]:
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


def _images(dataset: Dataset, sample: dict[str, Any], options: DrawOptions) -> list[Image]:
    """Return the images of a sample: of its map, and of its structure targets."""
    signed = dataset.scale == "symmetric"
    images: list[Image] = []
    if options.band_cm1 is not None:
        return [Image(*_band(dataset, sample, options.band_cm1), signed=signed)]
    if "maps" in sample:
        maps = sample["maps"]
        images += [
            Image(_channel_title(dataset, k, len(maps)), maps[k], signed=signed)
            for k in _channels(options.channels, len(maps))
        ]
    elif "cube" in sample:
        cube = np.asarray(sample["cube"], np.float32)
        chosen = options.channels
        if chosen is None:
            images.append(Image("mean of all channels", cube.mean(axis=2), signed=signed))
            strongest = int(cube.max(axis=(0, 1)).argmax())
            chosen = (strongest,)
        for k in _channels(chosen, cube.shape[2]):
            title = _channel_title(dataset, k, cube.shape[2])
            images.append(Image(title, cube[:, :, k], signed=signed))
    if "structure/masks" in sample and options.channels is None:
        structure = dataset.recipe.structure
        names = (structure.elements if structure else None) or ()
        for name, mask in zip(names, sample["structure/masks"], strict=False):
            if mask.any():
                images.append(Image(f"atoms of {name}", mask, (0.0, 1.0)))
        if "structure/bonds" in sample:
            images.append(Image("bonds", sample["structure/bonds"], (0.0, 1.0)))
    return images[:_MOST_PANELS]


def _channels(chosen: Sequence[int] | None, n_channels: int) -> Sequence[int]:
    if chosen is None:
        return range(n_channels)
    wrong = [k for k in chosen if not -n_channels <= k < n_channels]
    if wrong:
        raise ConfigError(f"expected channels from 0 to {n_channels - 1}, got {wrong[0]}")
    return [k % n_channels for k in chosen]


def _bands_of(dataset: Dataset) -> tuple[tuple[float, float], ...]:
    """Return the range of Raman shifts of each channel of the maps, cm^-1, where there are any."""
    basis: Any = dataset.basis
    source = basis if dataset.kind == "measured" else basis.nearfield
    return tuple(getattr(source, "bands", None) or ())


def _channel_title(dataset: Dataset, k: int, n_channels: int) -> str:
    axis = dataset.axes.get("shift_channel")
    if axis is not None and axis.n == n_channels:
        return f"{axis.points()[k]:.0f} cm$^{{-1}}$"
    bands = _bands_of(dataset)
    if len(bands) == n_channels:
        return f"{bands[k][0]:g}-{bands[k][1]:g} cm$^{{-1}}$"
    return "map" if n_channels == 1 else f"channel {k} of {n_channels}"


def _band(dataset: Dataset, sample: dict[str, Any], shift_cm1: float) -> tuple[str, NDArray[Any]]:
    """Return the map at a Raman shift: of a cube its nearest channel, of maps their band.

    Raises
    ------
    ConfigError
        If no channel is there.
    """
    if "cube" in sample:
        points = dataset.axes["shift_channel"].points()
        step = abs(points[1] - points[0]) if len(points) > 1 else np.inf
        k = int(np.abs(points - shift_cm1).argmin())
        if abs(points[k] - shift_cm1) <= step:
            return f"{points[k]:.0f} cm$^{{-1}}$", sample["cube"][:, :, k]
        raise ConfigError(
            f"{dataset.path}: expected a Raman shift from {points[0]:g} to {points[-1]:g} cm^-1, "
            f"got {shift_cm1:g}"
        )
    bands = _bands_of(dataset)
    for k, (low, high) in enumerate(bands):
        if "maps" in sample and low <= shift_cm1 < high:
            return _channel_title(dataset, k, len(bands)), sample["maps"][k]
    got = ", ".join(f"{low:g}-{high:g}" for low, high in bands) or "maps without Raman shifts"
    raise ConfigError(f"{dataset.path}: expected maps of a band at {shift_cm1:g} cm^-1, got {got}")


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
    for axes, row in zip(panels, rows, strict=False):
        sample = dataset.sample(row)
        if not wants_map:
            draw_spectrum(axes, dataset, sample, options._replace(labels=False))
            legend = axes.get_legend()
            if legend is not None and axes is not panels[0]:
                legend.remove()
        else:
            image = _images(dataset, sample, options)[0]
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
        figure.supxlabel(SHIFT, fontsize=8)
        figure.supylabel(INTENSITY, fontsize=8)
    return figure
