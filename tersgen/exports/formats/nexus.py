"""NeXus by the application definition NXraman: one entry, an NXdata for each signal."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import h5py

from ...dataset.columns import column_names
from ...errors import ConfigError
from ...plugins import register
from ...recipe import Recipe
from ...schema.base import Frozen, field
from ...schema.fields import SAMPLE
from ..about import TERSGEN_VERSION
from ..exporter import Exporter, Report
from ..hdf5 import Counter, new_file, write_field, write_text

if TYPE_CHECKING:
    from ...dataset.dataset import Dataset

_SIGNALS = ("spectra", "cube", "maps")
_TERS = "tip-enhanced Raman spectroscopy (TERS)"
_DEFINITIONS = "v2026.01"
"""Release of the NeXus definitions that files follow."""
_URL = "https://manual.nexusformat.org/classes/applications/NXraman.html"


@register("tersgen.exporters", "nexus")
class Nexus(Exporter):
    """Spectra, maps and cubes with their axes; labels beside them."""

    format = "NeXus file, NXraman"
    ending = ".nxs"

    class Settings(Frozen):
        """What the definition asks for and a dataset may not know."""

        title: str | None = field("title  [default: name of the dataset]", "1", None)
        laser_nm: float | None = field(
            "laser wavelength of measured rows  [default: that of the dataset]", "nm", None, gt=0
        )
        experiment: str | None = field(
            f"kind of experiment, such as {_TERS}, the default of synthetic data", "1", None
        )
        scattering: str | None = field(
            "scattering configuration in Porto's notation, such as z(xx)z  [default: that of the "
            "dataset]",
            "1",
            None,
        )

    def write(
        self, dataset: "Dataset", fields: Sequence[str] | None, out: Path, report: Report
    ) -> None:
        """Write the file."""
        signals = [name for name in _SIGNALS if name in dataset] if fields is None else list(fields)
        bad = [name for name in signals if name not in _SIGNALS]
        if bad or not signals:
            raise ConfigError(
                f"{dataset.path}: expected fields among {', '.join(_SIGNALS)} for nexus, got "
                f"{', '.join(bad) or 'none of them'}"
            )
        with new_file(out) as file:
            file.attrs.update({"NX_class": "NXroot", "default": "entry", "creator": "tersgen"})
            entry = _group(file, "entry", "NXentry")
            entry.attrs["default"] = signals[0]
            _write_facts(entry, dataset, self.settings)
            count = Counter(len(signals), len(dataset), report)
            for name in signals:
                _write_data(entry, dataset, name, count)


def _group(parent: h5py.Group, name: str, kind: str) -> h5py.Group:
    group = parent.create_group(name)
    group.attrs["NX_class"] = kind
    return group


def _write_facts(entry: h5py.Group, dataset: "Dataset", settings: Any) -> None:
    """Write what NXraman requires of experiment, instrument and sample."""
    laser_nm, experiment, scattering = _experiment(dataset, settings)
    definition = write_text(entry, "definition", "NXraman")
    definition.attrs.update({"version": _DEFINITIONS, "URL": _URL})
    write_text(entry, "title", settings.title or dataset.path.name)
    write_text(entry, "experiment_type", "Raman spectroscopy")
    write_text(entry, "raman_experiment_type", experiment)
    origin = "simulated, not measured" if dataset.kind == "synthetic" else "measured"
    write_text(entry, "experiment_description", f"{origin}; digest {dataset.identity}")
    write_text(entry, "program_name", "tersgen").attrs["version"] = TERSGEN_VERSION
    instrument = _group(entry, "instrument", "NXinstrument")
    write_text(instrument, "scattering_configuration", scattering)
    beam = _group(instrument, "beam_incident", "NXbeam")
    write_text(beam, "parameter_reliability", "nominal")
    for name in ("wavelength", "incident_wavelength"):
        beam.create_dataset(name, data=laser_nm).attrs["units"] = "nm"
    detector = _group(instrument, "detector_spectrometer", "NXdetector")
    write_text(detector, "detector_channel_type", "multichannel")
    sample = _group(entry, "sample", "NXsample")
    write_text(sample, "name", ", ".join(dataset.classes))
    # the definition has no place for these
    ours = _group(entry, "tersgen", "NXcollection")
    ours.create_dataset("row", data=dataset.row_numbers)
    if "label" in dataset:
        ours.create_dataset("label", data=dataset["label"][:])
    write_text(ours, "classes", list(dataset.classes))
    write_text(ours, "recipe", json.dumps(dataset.document.content))


def _experiment(dataset: "Dataset", settings: Any) -> tuple[Any, str, str]:
    """Return laser in nm, kind of experiment and scattering configuration.

    Raises
    ------
    ConfigError
        If neither the dataset nor the user says.
    """
    basis = dataset.basis
    if isinstance(basis, Recipe):
        geometry = basis.geometry
        laser_nm = _laser(dataset, basis)
        if settings.laser_nm is not None:
            raise ConfigError(
                "laser_nm: expected none for synthetic rows, whose recipe has the laser, got "
                f"{settings.laser_nm:g}"
            )
        e_in, e_out = (_letter(one) for one in (geometry.incident, geometry.scattered))
        scattering = f"({e_in} {e_out}); directions of propagation are not part of the model"
        return laser_nm, settings.experiment or _TERS, settings.scattering or scattering
    laser_nm = settings.laser_nm or basis.laser_nm
    if laser_nm is None:
        raise ConfigError(
            "laser_nm: expected the laser of measured rows, got none; --set laser_nm=532"
        )
    if settings.experiment is None:
        raise ConfigError(
            f"experiment: expected a kind of experiment for measured rows, got none; --set "
            f"'experiment={_TERS}'"
        )
    return laser_nm, settings.experiment, settings.scattering or "unknown"


def _laser(dataset: "Dataset", recipe: Recipe) -> Any:
    """Return the laser of a recipe, nm: a number, or an array of those drawn for the rows.

    Raises
    ------
    ConfigError
        If they were drawn, and the dataset does not have them.
    """
    optics = recipe.instrument and recipe.instrument.optics
    if optics and optics.lasers_nm:
        effect, drawn = "optics", set(optics.lasers_nm)
    elif recipe.plasmon and recipe.plasmon.laser_nm:
        effect, drawn = "plasmon", set(recipe.plasmon.laser_nm)
    else:
        return recipe.geometry.laser_nm
    if len(drawn) == 1:
        return drawn.pop()
    name = f"params/{effect}"
    if name not in dataset:
        raise ConfigError(
            f"{dataset.path}: expected the laser of each row in {name}, as the recipe draws it, "
            "got a dataset without; build with fields.params = true"
        )
    return dataset[name][:, column_names(name).index("laser")]


def _letter(vector: tuple[float, float, float]) -> str:
    """Return a polarization along an axis by its letter, and others as numbers."""
    for letter, value in zip("xyz", vector, strict=True):
        if abs(value) == 1.0:  # of a unit vector, and -z is the polarization z
            return letter
    return "[" + ",".join(f"{one:g}" for one in vector) + "]"


def _write_data(entry: h5py.Group, dataset: "Dataset", name: str, count: Counter) -> None:
    """Write a field and its axes as an NXdata."""
    spec = dataset[name].spec
    data = _group(entry, name, "NXdata")
    signal = write_field(data, name, dataset, name, count)
    signal.attrs["long_name"] = spec.description
    axes = [SAMPLE, *spec.dims]
    data.attrs["signal"] = name
    data.attrs["axes"] = [dim if dim in (SAMPLE, *dataset.axes) else "." for dim in axes]
    rows = data.create_dataset(SAMPLE, data=dataset.row_numbers)
    rows.attrs["long_name"] = "number of the row in the dataset"
    for one in dataset.contents.positions:
        if one.dim not in spec.dims:
            continue
        item = data.create_dataset(one.name, data=one.points())
        item.attrs.update({"units": one.unit, "long_name": one.description})
        data.attrs[f"{one.name}_indices"] = axes.index(one.dim)
    data.attrs[f"{SAMPLE}_indices"] = 0
