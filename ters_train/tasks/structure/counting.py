"""Sums over predicted structures, by batch, by process and on the device: Eqs. (9.5)-(9.7)."""

import torch
from torch import Tensor
from torchmetrics import Metric

from tersgen.schema.elements import SYMBOLS

from ...data.fields import COUNT, ELEMENTS, POSITIONS
from .losses import joined_outputs, joined_targets
from .options import StructureOptions
from .positions import find_atoms, matched
from .scores import StructureScores, Sums, score_structures


class StructureCount(Metric):
    """Counts pixels and atoms, batch by batch; scores them when asked.

    Processes talk only in ``compute``, as those of the confusion matrix do.

    Parameters
    ----------
    targets
        Elements, what an atom looks like, and the frame.
    """

    full_state_update = False

    def __init__(self, targets: StructureOptions) -> None:
        super().__init__()
        self.targets = targets
        n = len(targets.elements)
        for name, size in (("both", n + targets.bonds), ("predicted", n + targets.bonds),
                           ("true", n + targets.bonds), ("n_found", n), ("n_true", n),
                           ("n_matched", n), ("n_samples", 1)):  # fmt: skip
            self.add_state(name, torch.zeros(size, dtype=torch.int64), dist_reduce_fx="sum")
        self.add_state("distance", torch.zeros(n, dtype=torch.float64), dist_reduce_fx="sum")
        self.add_state("loss_sum", torch.zeros(1, dtype=torch.float64), dist_reduce_fx="sum")
        self.both: Tensor
        self.predicted: Tensor
        self.true: Tensor
        self.n_found: Tensor
        self.n_true: Tensor
        self.n_matched: Tensor
        self.n_samples: Tensor
        self.distance: Tensor
        self.loss_sum: Tensor

    @property
    def update_called(self) -> bool:
        """Whether there is something to score: always, as nothing counted is a count too."""
        return True

    def update(self, outputs: dict[str, Tensor], batch: dict[str, Tensor], loss: Tensor) -> None:
        """Count a batch.

        Parameters
        ----------
        outputs
            Of the model: logits ``"masks"``, shape (B, E, H, W), and maybe ``"bonds"``, (B, H, W).
        batch
            Structure targets as the dataset has them.
        loss
            Mean loss of the batch.
        """
        shares = joined_outputs(outputs).sigmoid()
        predicted = shares >= 0.5
        true = joined_targets(batch, "bonds" in outputs) >= 0.5
        self.both += (predicted & true).sum(dim=(0, 2, 3))
        self.predicted += predicted.sum(dim=(0, 2, 3))
        self.true += true.sum(dim=(0, 2, 3))
        self.n_samples += len(shares)
        self.loss_sum += loss.detach().double() * len(shares)
        self._count_atoms(shares[:, : len(self.targets.elements)], batch)

    def count(self, outputs: dict[str, Tensor], batch: dict[str, Tensor], loss: Tensor) -> None:
        """Count a batch; the same as ``update``, under a name that all counts share."""
        self.update(outputs, batch, loss)

    def _count_atoms(self, shares: Tensor, batch: dict[str, Tensor]) -> None:
        n_elements = shares.shape[1]
        where, places = find_atoms(shares, self.targets)
        found: dict[tuple[int, int], list[list[float]]] = {}
        for (row, element), place in zip(where.tolist(), places.tolist(), strict=True):
            found.setdefault((row, element), []).append(place)
        true = self._true_atoms(batch)
        n = torch.zeros(3, n_elements, dtype=torch.int64)
        distance = torch.zeros(n_elements, dtype=torch.float64)
        for key in found.keys() | true.keys():
            pairs = matched(found.get(key, []), true.get(key, []))
            element = key[1]
            n[0, element] += len(found.get(key, []))
            n[1, element] += len(true.get(key, []))
            n[2, element] += len(pairs)
            distance[element] += sum(pairs)
        device = self.n_found.device
        self.n_found += n[0].to(device)
        self.n_true += n[1].to(device)
        self.n_matched += n[2].to(device)
        self.distance += distance.to(device)

    def _true_atoms(self, batch: dict[str, Tensor]) -> dict[tuple[int, int], list[list[float]]]:
        """Return the places of the atoms within the frame, by row and element."""
        channels = {SYMBOLS.index(name): k for k, name in enumerate(self.targets.elements)}
        half = [0.5 * extent for extent in self.targets.frame_angstrom]
        atoms: dict[tuple[int, int], list[list[float]]] = {}
        rows = zip(
            batch[POSITIONS].tolist(), batch[ELEMENTS].tolist(), batch[COUNT].tolist(), strict=True
        )
        for row, (places, numbers, n_atoms) in enumerate(rows):
            for (x, y, _), number in zip(places[:n_atoms], numbers[:n_atoms], strict=True):
                if number in channels and abs(x) <= half[0] and abs(y) <= half[1]:
                    atoms.setdefault((row, channels[number]), []).append([x, y])
        return atoms

    def compute(self) -> StructureScores:
        """Return the scores of what all processes have counted."""
        n_samples = int(self.n_samples)
        loss = float(self.loss_sum) / n_samples if n_samples else None
        sums = Sums(
            *(
                getattr(self, name).tolist()
                for name in (
                    *("both", "predicted", "true"),
                    *("n_found", "n_true", "n_matched", "distance"),
                )
            )
        )
        return score_structures(self.targets.elements, sums, n_samples, loss)
