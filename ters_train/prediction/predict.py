"""Predictions for the rows of sources, one after the other, in bounded memory."""

import json
from collections.abc import Iterable, Iterator
from itertools import repeat
from typing import Any, NamedTuple

from ..calibration.certainty import NONE
from ..engine.trained import COVERAGE, Trained
from ..tasks.task import Predicted
from .explain import N_BANDS, Explanation, explain
from .sources import InputBatch, Refused, SourceRow


class Prediction(NamedTuple):
    """The prediction for a row."""

    row: SourceRow
    said: Predicted
    why: Explanation | None = None

    @property
    def answer(self) -> str:
        """What to take from it: the fault of the spectrum, none of the species, or the first."""
        if self.row.fault is not None:
            return self.row.fault
        content = self.said.content
        if content.get("known") is False:
            return NONE
        species = content.get("species")
        if isinstance(species, list) and species and "probability" in species[0]:
            return str(species[0]["name"])
        return self.said.text

    @property
    def text(self) -> str:
        """The prediction in a line; after a fault, what it would be."""
        fault = self.row.fault
        if fault is None:
            return self.said.text
        nearest = "" if self.said.text.startswith(NONE) else "nearest: "
        return f"{fault}; {nearest}{self.said.text}"

    def as_dict(self) -> dict[str, Any]:
        """Return it as JSON takes it."""
        place = {"file": self.row.source, "row": self.row.row}
        truth = {} if self.row.truth is None else {"truth": self.row.truth}
        summary = self.row.summary or {}
        measured = {**summary, "extrapolated": self.row.extrapolated} if summary else {}
        content = {**place, **measured, **truth, "answer": self.answer, **self.said.content}
        if self.why is not None:
            content["bands"] = [one._asdict() for one in self.why.bands]
        return content

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
            "answer": self.answer,
        }
        for name, value in self.said.content.items():
            if isinstance(value, list) and value and all(isinstance(one, dict) for one in value):
                for k in range(top):
                    for key in value[0]:
                        inside = value[k][key] if k < len(value) else None
                        record[f"{name if key == 'name' else key}_{k + 1}"] = inside
            else:
                record[name] = value if isinstance(value, int | float | str) else json.dumps(value)
        if self.why is not None:
            for k in range(N_BANDS):
                band = self.why.bands[k] if k < len(self.why.bands) else None
                record[f"band_{k + 1}_cm1"] = None if band is None else band.shift_cm1
                record[f"band_{k + 1}_weight"] = None if band is None else band.weight
        return record


def predict_batches(
    trained: Trained,
    batches: Iterable[InputBatch | Refused],
    top: int = 3,
    coverage: float = COVERAGE,
    explained: bool = False,
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
    explained
        Whether to add the bands that decided (classifiers of spectra).

    Raises
    ------
    ConfigError
        If it was not calibrated for that coverage.
    """
    for batch in batches:
        if isinstance(batch, Refused):
            yield batch
            continue
        said, whys = [], []
        for inputs in trained.batches(batch.arrays):
            said += trained.said(inputs, top, coverage)
            if explained:
                whys += explain(trained, inputs)
        yield [
            Prediction(row, one, why)
            for row, one, why in zip(batch.rows, said, whys or repeat(None, len(said)), strict=True)
        ]
