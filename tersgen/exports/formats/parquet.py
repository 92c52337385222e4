"""An index as a Parquet file: one row a sample, without its spectra and images."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ...plugins import register
from ...schema.base import Frozen, field
from ..exporter import Exporter, Report
from ..tables import RowTable

if TYPE_CHECKING:
    from ...dataset.dataset import Dataset

_LARGEST = 64
"""Values of a field that is in an index by default."""


@register("tersgen.exporters", "parquet")
class Parquet(Exporter):
    """Class, parameters, parts of splits and digest of each row."""

    format = "Parquet index: class, parameters, splits and digest of each row"
    ending = ".parquet"

    class Settings(Frozen):
        """What an index contains beside small fields."""

        preview: int = field("points of a preview of each spectrum; 0 for none", "point", 0, ge=0)

    def write(
        self, dataset: "Dataset", fields: Sequence[str] | None, out: Path, report: Report
    ) -> None:
        """Write a Parquet file."""
        names = small_fields(dataset) if fields is None else fields
        table = RowTable(dataset, names, splits=True, digests=True, preview=self.settings.preview)
        table.write(out, report)


def small_fields(dataset: "Dataset") -> list[str]:
    """Return the names of the numbers and short vectors of a row."""
    specs = [one.spec for one in dataset.fields.values()]
    return [
        spec.name
        for spec in specs
        if len(spec.shape) <= 1 and sum(spec.shape) <= _LARGEST and not spec.is_dense
    ]
