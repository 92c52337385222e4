"""Rows as objects of HyperSpy and RamanSPy, and the axes of a field as those know them."""

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ..errors import ConfigError, MissingExtraError
from ..schema.fields import SAMPLE
from .exporter import one_field, plain

if TYPE_CHECKING:
    from ..dataset.dataset import Dataset

_SPECTRAL = ("raman_shift", "shift_channel")
"""Dimensions along which there are spectra."""
_IMAGE = ("row", "column")


class SignalAxis(NamedTuple):
    """An axis of an array as HyperSpy knows it."""

    name: str
    units: str
    size: int
    navigate: bool
    offset: float = 0.0
    scale: float = 1.0
    values: tuple[float, ...] | None = None
    """Positions that are not evenly spaced."""


def signal_axes(dataset: "Dataset", field: str) -> list[SignalAxis]:
    """Return the axes of the rows of a field, in the order of the array.

    Along those of the signal a sample is one spectrum, or one image if it has no spectra; over
    the others one navigates.

    Raises
    ------
    ConfigError
        If the field is neither spectra nor images.
    """
    spec = dataset[field].spec
    signal = [dim for dim in spec.dims if dim in _SPECTRAL] or list(_IMAGE)
    if not {*signal} <= {*spec.dims}:
        raise ConfigError(
            f"{field}: expected an array along Raman shifts, or rows and columns, got one along "
            f"{', '.join(spec.dims) or 'samples alone'}"
        )
    rows = dataset.row_numbers
    steps = np.unique(np.diff(rows))
    if len(rows) == 1 or (len(steps) == 1 and steps[0] > 0):
        step = float(steps[0]) if len(steps) else 1.0
        axes = [SignalAxis(SAMPLE, "", len(rows), True, float(rows[0]), step)]
    elif (np.diff(rows) > 0).all():
        axes = [SignalAxis(SAMPLE, "", len(rows), True, values=tuple(map(float, rows)))]
    else:  # axes must rise
        axes = [SignalAxis(SAMPLE, "", len(rows), True)]
    for dim, size in zip(spec.dims, spec.shape, strict=True):
        navigate, known = dim not in signal, dataset.axes.get(dim)
        if known is None:
            axes.append(SignalAxis(dim, "", size, navigate))
        else:
            step = (known.stop - known.start) / (known.n - 1) if known.n > 1 else 1.0
            axes.append(SignalAxis(dim, known.unit, size, navigate, known.start, step))
    return axes


def to_hyperspy(dataset: "Dataset", field: str | None = None) -> Any:
    """Return rows as a signal of HyperSpy, with axes and units.

    Parameters
    ----------
    dataset
        The rows; :meth:`Dataset.select` chooses some.
    field
        ``spectra`` or ``cube`` (a ``Signal1D``), or ``maps`` (a ``Signal2D``); by default the first
        that there is.

    Raises
    ------
    MissingExtraError
        If HyperSpy is not installed.
    ConfigError
        If the dataset has none of these fields.
    """
    try:
        from hyperspy import api
    except ModuleNotFoundError as error:
        raise _missing("hyperspy") from error
    name = one_field(dataset, None if field is None else [field], ("spectra", "cube", "maps"))
    spec = dataset[name].spec
    axes = signal_axes(dataset, name)
    kinds = {1: api.signals.Signal1D, 2: api.signals.Signal2D}
    n_signal = sum(not axis.navigate for axis in axes)
    described = [
        {"name": a.name, "units": a.units, "navigate": a.navigate}
        | (
            {"size": a.size, "offset": a.offset, "scale": a.scale}
            if a.values is None
            else {"axis": np.array(a.values)}
        )
        for a in axes
    ]
    metadata = {"General": {"title": f"{name} of {dataset.path.name}"}}
    values = plain(spec, dataset[name][:])
    return kinds[n_signal](values, axes=described, metadata=metadata)


def to_ramanspy(dataset: "Dataset", field: str | None = None) -> Any:
    """Return rows as objects of RamanSPy.

    Parameters
    ----------
    dataset
        The rows; :meth:`Dataset.select` chooses some.
    field
        ``spectra`` (a ``SpectralContainer`` of all) or ``cube`` (a list of ``SpectralImage``, one a
        row); by default the first that there is.

    Raises
    ------
    MissingExtraError
        If RamanSPy is not installed.
    ConfigError
        If the dataset has no spectra or cubes, or the field has no axis of Raman shifts.
    """
    try:
        import ramanspy
    except ModuleNotFoundError as error:
        raise _missing("ramanspy") from error
    name = one_field(dataset, None if field is None else [field], ("spectra", "cube"))
    spec = dataset[name].spec
    axis = dataset.axes.get(spec.dims[-1]) if spec.dims else None
    if axis is None or axis.name not in _SPECTRAL:
        raise ConfigError(f"{name}: expected spectra or cubes for RamanSPy, got {spec.dims}")
    values = plain(spec, dataset[name][:])
    if len(spec.dims) == 1:
        return ramanspy.SpectralContainer(values, axis.points())
    return [ramanspy.SpectralImage(one, axis.points()) for one in values]


def _missing(package: str) -> MissingExtraError:
    return MissingExtraError(
        f"expected the package {package}, got no such package; run: pip install {package}"
    )
