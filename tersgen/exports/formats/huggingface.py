"""A folder that ``datasets.load_dataset`` of Hugging Face reads, with a dataset card."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from ...plugins import register
from ...schema.base import field
from ...text import counted
from ..about import KEYWORDS, About, coordinate_tables, describe
from ..exporter import Exporter, Report
from ..license import COMMON, license_url
from ..parts import ALL, SHARD_SIZE, Part, write_parts

if TYPE_CHECKING:
    from ...dataset.dataset import Dataset

AXES = "axes.parquet"
_SIZES = ((1e3, "n<1K"), (1e4, "1K<n<10K"), (1e5, "10K<n<100K"), (1e6, "100K<n<1M"),
          (1e7, "1M<n<10M"), (1e8, "10M<n<100M"), (1e9, "100M<n<1B"))  # fmt: skip
_DTYPES = {"float": "float32"}
"""Names of types where those of Arrow are others."""


@register("tersgen.exporters", "huggingface")
class HuggingFace(Exporter):
    """A dataset card, Parquet files for each part of a split, and the axes as a second table."""

    resumes = True
    format = "folder for datasets.load_dataset: card and Parquet files by part"

    class Settings(About):
        """What the card says, and whose parts the files are."""

        split: str = field("split whose parts become files, if there is one", "1", "default")
        shard_mb: float = field(SHARD_SIZE, "MB", 500.0, gt=0)

    def write(
        self, dataset: "Dataset", fields: Sequence[str] | None, out: Path, report: Report
    ) -> None:
        """Write the folder."""
        names = list(dataset.fields) if fields is None else fields
        (out / "data").mkdir(parents=True, exist_ok=True)
        split, shard_mb = self.settings.split, self.settings.shard_mb
        parts = write_parts(dataset, names, split, shard_mb, out / "data", report)
        _write_axes(out / AXES, dataset)
        features = [
            {"name": one.name} | _feature(one.name, one.type, dataset.classes)
            for one in parts[0].schema
        ]
        card = _card(dataset, self.settings, names, features, parts)
        (out / "README.md").write_text(card, "utf-8")


def _feature(name: str, kind: Any, classes: tuple[str, ...]) -> dict[str, Any]:
    """Return how the card describes a column: classes by name, arrays with their shapes."""
    if name == "label":
        return {"dtype": {"class_label": {"names": {str(k): one for k, one in enumerate(classes)}}}}
    shape = []
    while hasattr(kind, "value_type"):
        shape.append(kind.list_size)
        kind = kind.value_type
    dtype = _DTYPES.get(str(kind), str(kind))
    if not shape:
        return {"dtype": dtype}
    if len(shape) == 1:
        return {"list": dtype, "length": shape[0]}
    return {"dtype": {f"array{len(shape)}_d": {"shape": shape, "dtype": dtype}}}


def _write_axes(path: Path, dataset: "Dataset") -> None:
    """Write the positions along dimensions: a row for each axis."""
    import pyarrow
    from pyarrow import parquet

    text, numbers = pyarrow.string(), pyarrow.list_(pyarrow.float64())
    kinds = {"name": text, "dim": text, "unit": text, "description": text, "values": numbers}
    tables = coordinate_tables(dataset)
    parquet.write_table(pyarrow.Table.from_pylist(tables, pyarrow.schema(kinds.items())), path)


def _card(
    dataset: "Dataset",
    about: About,
    names: Sequence[str],
    features: list[dict[str, Any]],
    parts: Sequence[Part],
) -> str:
    """Return the dataset card: YAML front matter, then Markdown."""
    known = describe(dataset, about)
    size = next((name for most, name in _SIZES if len(dataset) < most), "n>1T")
    files = [{"split": one.stem, "path": f"data/{one.stem}-*.parquet"} for one in parts]
    front: dict[str, Any] = {
        "pretty_name": known.title,
        "tags": [*KEYWORDS, "chemistry", "physics"],
        "size_categories": [size],
        "configs": [
            {"config_name": "default", "default": True, "data_files": files},
            {"config_name": "axes", "data_files": AXES},
        ],
        "dataset_info": [{"config_name": "default", "features": features}],
    }
    if about.license:
        common, name = about.license in COMMON, about.license.lower()
        front["license"] = name if common else "other"
        if not common:
            front |= {"license_name": name, "license_link": license_url(about.license)}
    columns = [
        (spec.name, " x ".join(map(str, spec.shape)) or "number", spec.unit, spec.description)
        for spec in (dataset[name].spec for name in names)
    ]
    axes = [
        (one.name, one.dim, f"{one.points()[0]:g} to {one.points()[-1]:g}", one.unit,
         one.description)
        for one in dataset.contents.positions
    ]  # fmt: skip
    shown = [f"{counted(one.n_rows, 'row')} in `{one.stem}`" for one in parts if one.stem != ALL]
    sections = [
        f"# {known.title}",
        known.description + (f" {', '.join(shown)}." if shown else ""),
        _table(("column", "shape", "unit", "meaning"), columns),
        'Positions along dimensions are the table `load_dataset(..., "axes")`:',
        _table(("axis", "dimension", "values", "unit", "meaning"), axes),
    ]
    if about.authors:
        people = "; ".join(one.name for one in about.authors)
        sections.append(f"## Citation\n\n{people} ({known.date[:4]}): {known.title}.")
    text = yaml.safe_dump(front, sort_keys=False, allow_unicode=True, width=100)
    return f"---\n{text}---\n\n" + "\n\n".join(sections) + "\n"


def _table(heads: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    lines = [heads, ("---",) * len(heads), *rows]
    cells = [[cell.replace("|", "\\|") for cell in line] for line in lines]
    return "\n".join(f"| {' | '.join(line)} |" for line in cells)
