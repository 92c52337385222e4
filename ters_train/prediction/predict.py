"""Predictions for the rows of sources, one after the other, in bounded memory."""

import json
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from ..engine.trained import COVERAGE, Trained
from ..tasks.task import Predicted
from .sources import InputBatch, Refused, SourceRow


class Prediction(NamedTuple):
    """The prediction for a row."""

    row: SourceRow
    said: Predicted

    def as_dict(self) -> dict[str, Any]:
        """Return it as JSON takes it."""
        place = {"file": self.row.source, "row": self.row.row}
        truth = {} if self.row.truth is None else {"truth": self.row.truth}
        summary = self.row.summary or {}
        measured = {**summary, "extrapolated": self.row.extrapolated} if summary else {}
        return {**place, **measured, **truth, **self.said.content}

    def as_record(self, top: int) -> dict[str, Any]:
        """Return it as a row of a table: texts and numbers, or None, by the names of columns.

        The k-th species, k up to ``top``, is in ``species_k``, beside its ``probability_k`` or
        ``fraction_k``. The columns are the same for every row of a model.
        """
        record: dict[str, Any] = {
            "file": self.row.source,
            "row": self.row.row,
            "truth": self.row.truth,
            "extrapolated": self.row.extrapolated,
        }
        for name, value in self.said.content.items():
            if isinstance(value, list) and value and all(isinstance(one, dict) for one in value):
                for k in range(top):
                    for key in value[0]:
                        inside = value[k][key] if k < len(value) else None
                        record[f"{name if key == 'name' else key}_{k + 1}"] = inside
            else:
                record[name] = value if isinstance(value, int | float | str) else json.dumps(value)
        return record


def predict_batches(
    trained: Trained,
    batches: Iterable[InputBatch | Refused],
    top: int = 3,
    coverage: float = COVERAGE,
) -> Iterator[list[Prediction] | Refused]:
    """Yield the predictions of each batch; what is refused is handed on.

    Those of a calibrated model have the set of possible species, and whether a row is of any class.

    Parameters
    ----------
    trained
        The model.
    batches
        What ``read_sources`` yields.
    top
        How many species to name.
    coverage
        Fraction of sets that contain the true species (calibrated models).

    Raises
    ------
    ConfigError
        If it was not calibrated for that coverage.
    """
    for batch in batches:
        if isinstance(batch, Refused):
            yield batch
            continue
        said = [
            one
            for inputs in trained.batches(batch.arrays)
            for one in trained.said(inputs, top, coverage)
        ]
        yield [Prediction(row, one) for row, one in zip(batch.rows, said, strict=True)]
