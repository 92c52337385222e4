"""A calibration as it is stored, beside the checkpoints of its run."""

import math
from pathlib import Path
from typing import Literal

from safetensors import SafetensorError
from safetensors.torch import load, save

from tersgen.dataset.output_file import write_output
from tersgen.errors import ConfigError, DatasetError
from tersgen.files import read_input
from tersgen.plugins import named_errors
from tersgen.schema.base import DIGEST, Frozen, field
from tersgen.schema.loading import load_table, validate

from ..config import PART, PluginConfig
from ..parts import check_plugin, find
from .novelty import GROUP, Novelty

FILE, ARRAYS = "calibration.json", "calibration.safetensors"
COVERAGES = (0.8, 0.9, 0.95, 0.99)
KEPT = 0.95
"""Fraction of known rows below the threshold of novelty."""
_LARGEST = 1 << 28


class Coverage(Frozen):
    """Least probability with which a species is in the set of a row."""

    share: float = field("least fraction of sets that contain the true species", "1", gt=0, lt=1)
    probability: float = field("smallest probability of a species in a set", "1", ge=0, le=1)


class Foreign(Frozen):
    """How well rows of no class were detected."""

    name: str = field("name of the dataset", "1")
    digest: str | None = field("its digest", "1", None, pattern=DIGEST)
    n_rows: int = field("rows of it", "row")
    auroc: float = field(
        "probability that a foreign row has a higher novelty than a known one", "1"
    )
    fpr95: float = field(
        "fraction of foreign rows below the threshold that 95 % of the known ones are below", "1"
    )


class Calibration(Frozen):
    """Calibration of a classifier: temperature, thresholds of sets, scores of novelty."""

    format_version: Literal[1] = field("version of this format", "1", 1)
    checkpoint: str = field("name of the checkpoint", "1", max_length=64)
    weights: str = field("checksum of its weights", "1", pattern=r"^[0-9a-f]{32}$")
    data: str = field("name of the dataset", "1")
    digest: str | None = field("its digest", "1", None, pattern=DIGEST)
    part: str = field("part of its split", "1")
    n_rows: int = field("rows of it", "row", gt=0)
    temperature: float = field("T: what logits are divided by", "1", gt=0)
    ece_before: float = field("expected calibration error on these rows with T = 1", "1")
    ece: float = field("the same with T", "1")
    coverages: tuple[Coverage, ...] = field("thresholds of sets, by fraction", "1", min_length=1)
    novelty: str = field(
        "score of novelty: energy of the logits, Mahalanobis distance of the features to the "
        "nearest class (distance), cosine distance to the nearest known rows (nearest), or one of "
        "a plug-in",
        "1",
        pattern=PART,
    )
    plugin: PluginConfig | None = field(
        "where the score of novelty comes from, if it is one of a plug-in", "1", None
    )
    novelty_quantiles: tuple[float, ...] = field(
        "scores of known rows, at equal steps from the smallest to the largest", "1", min_length=2
    )
    foreign: tuple[Foreign, ...] = field("datasets of foreign rows", "1", ())

    def threshold(self, coverage: float) -> float:
        """Return the least probability of a species in the set of a row.

        Raises
        ------
        ConfigError
            If there is none for this coverage.
        """
        for one in self.coverages:
            if math.isclose(one.share, coverage):
                return one.probability
        shares = ", ".join(f"{one.share:g}" for one in self.coverages)
        raise ConfigError(f"coverage: expected one of {shares}, got {coverage:g}")


def write_calibration(folder: Path, calibration: Calibration, novelty: Novelty) -> None:
    """Write a calibration into the folder of its run, replacing an earlier one.

    Raises
    ------
    OutputError
        If the file system refuses.
    """
    if novelty.arrays:
        tensors = {name: one.contiguous() for name, one in novelty.arrays.items()}
        write_output(folder / ARRAYS, save(tensors))
    write_output(folder / FILE, calibration.model_dump_json(indent=1).encode() + b"\n")
    if not novelty.arrays:
        (folder / ARRAYS).unlink(missing_ok=True)  # of an earlier score


def read_calibration(folder: Path) -> tuple[Calibration, Novelty] | None:
    """Return the calibration of a run, or None if it has none.

    Raises
    ------
    ConfigError, DatasetError
        If its files are damaged, or its score of novelty comes from a plug-in that is not there.
    """
    path = folder / FILE
    if not path.is_file():
        return None
    calibration = validate(Calibration, load_table(path), str(path))
    name = calibration.novelty
    check_plugin(GROUP, name, calibration.plugin, path, set())
    part: type[Novelty] = find(GROUP, name)
    try:
        stored = (folder / ARRAYS).is_file()
        arrays = load(read_input(folder / ARRAYS, _LARGEST)) if stored else {}
        with named_errors("score of novelty", name, part, DatasetError):
            return calibration, part(arrays)
    except DatasetError:
        raise
    except (SafetensorError, TypeError, ValueError) as error:
        raise DatasetError(
            f"{folder / ARRAYS}: expected reference features, got a file that fails: {error}; "
            "calibrate again"
        ) from None
