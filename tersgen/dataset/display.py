"""A dataset as a notebook shows it: its arrays, classes, and a few rows as small pictures."""

import base64
import struct
import zlib
from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..errors import TersError
from ..text import counted, printable

if TYPE_CHECKING:
    from .dataset import Dataset

_ROWS = 3
_MOST_CLASSES = 24
_WIDTH, _HEIGHT = 220, 60
_MOST_POINTS = 440


def _shown(text: object) -> str:
    return escape(printable(str(text)))


def to_html(dataset: "Dataset") -> str:
    """Return a dataset as HTML; all that it names is escaped."""
    n_samples = counted(dataset._n_whole, "sample")
    n_samples = f"{dataset.n_samples} of {n_samples}" if dataset.is_view else n_samples
    origin = f"digest {dataset.manifest.digest[:12]}" if dataset.manifest else "generated when read"
    rows = "".join(
        f"<tr><td style='text-align:left'>{_shown(name)}</td><td>{field.dtype}</td>"
        f"<td>{_shown(' x '.join(map(str, field.spec.shape)) or '-')}</td>"
        f"<td>{_shown(field.spec.unit)}</td>"
        f"<td style='text-align:left'>{_shown(field.spec.description)}</td></tr>"
        for name, field in dataset.fields.items()
    )
    names = [*map(_shown, dataset.classes[:_MOST_CLASSES])]
    if len(dataset.classes) > _MOST_CLASSES:
        names.append(f"and {len(dataset.classes) - _MOST_CLASSES} more")
    return (
        f"<div><b>{_shown(dataset.path)}</b>: {n_samples} of "
        f"{counted(len(dataset.classes), 'class')}, {origin}"
        "<table><thead><tr><th style='text-align:left'>field</th><th>type</th><th>shape of a row"
        f"</th><th>unit</th><th style='text-align:left'>meaning</th></tr></thead><tbody>{rows}"
        f"</tbody></table>{_pictures(dataset)}"
        f"<details><summary>classes</summary>{', '.join(names)}</details></div>"
    )


def _pictures(dataset: "Dataset") -> str:
    """Return the spectra and maps of the first rows; of what cannot be read, the reason."""
    some = slice(0, min(_ROWS, len(dataset)))
    try:
        names = [name for name in ("spectra", "maps") if name in dataset.fields]
        values = {name: dataset[name][some].astype(np.float64) for name in names}
        labels = dataset["label"][some].tolist()
    except TersError as error:
        return f"<p>{_shown(error)}</p>"
    figures = []
    for row, label in enumerate(labels):
        drawn = ""
        if "spectra" in values:
            drawn += _line(values["spectra"][row])
        if "maps" in values:
            channels = dataset["maps"].spec.dims.index("channel")
            drawn += _image(np.moveaxis(values["maps"][row], channels, 0))
        title = dataset.classes[label] if 0 <= label < len(dataset.classes) else f"label {label}"
        if drawn:
            figures.append(
                "<figure style='display:inline-block;margin:4px'>"
                f"{drawn}<figcaption>{row}: {_shown(title)}</figcaption></figure>"
            )
    return f"<div>{''.join(figures)}</div>"


def _unit(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return values scaled to [0, 1]; what is not finite is 0."""
    values = np.nan_to_num(values, nan=0.0, posinf=0.0, neginf=0.0)
    low, high = values.min(initial=0.0), values.max(initial=0.0)
    scaled: NDArray[np.float64] = (values - low) / (high - low if high > low else 1.0)
    return scaled


def _line(spectrum: NDArray[np.float64]) -> str:
    """Return a spectrum as SVG."""
    if len(spectrum) > _MOST_POINTS:  # the largest of each run, so that no band is lost
        edges = np.linspace(0, len(spectrum), _MOST_POINTS + 1).astype(int)[:-1]
        spectrum = np.maximum.reduceat(spectrum, edges)
    heights = _HEIGHT - 1 - (_HEIGHT - 2) * _unit(spectrum)
    across = np.linspace(0, _WIDTH, len(heights))
    points = " ".join(f"{x:.1f},{y:.1f}" for x, y in zip(across, heights, strict=True))
    return (
        f"<svg width='{_WIDTH}' height='{_HEIGHT}' role='img' aria-label='spectrum'>"
        f"<polyline points='{points}' fill='none' stroke='currentColor'/></svg>"
    )


def _image(channels: NDArray[np.float64]) -> str:
    """Return the channel of a map, shape (C, H, W), with the largest values as a picture."""
    plane = channels[int(np.argmax([_peak(one) for one in channels]))]
    grey = (255 * _unit(plane)).astype(np.uint8)
    data = base64.b64encode(_png(grey)).decode()
    return (
        f"<img alt='map' style='height:{_HEIGHT}px;image-rendering:pixelated' "
        f"src='data:image/png;base64,{data}'>"
    )


def _peak(plane: NDArray[np.float64]) -> float:
    return float(np.nan_to_num(plane).max(initial=0.0))


def _png(grey: NDArray[Any]) -> bytes:
    """Return 8-bit greys, shape (H, W), as PNG."""

    def block(name: bytes, content: bytes) -> bytes:
        check = struct.pack(">I", zlib.crc32(name + content))
        return struct.pack(">I", len(content)) + name + content + check

    height, width = grey.shape
    lines = b"".join(b"\0" + line.tobytes() for line in grey)
    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + block(b"IHDR", head)
        + block(b"IDAT", zlib.compress(lines))
        + block(b"IEND", b"")
    )
