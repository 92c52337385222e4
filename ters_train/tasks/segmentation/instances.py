"""Molecules in maps of species: connected regions, and how many of them are true molecules.

Panoptic quality: A. Kirillov et al., CVPR 2019 (arXiv 1801.00868), Eq. (1). A region and a molecule
of one species match if their intersection over union is above 1/2; then neither has another match.
"""

import torch
from torch import Tensor
from torch.nn import functional

MATCHED_IOU = 0.5


def connected_regions(species: Tensor) -> Tensor:
    """Return the number of the region of each pixel, from 1 on, unique in the batch; 0 for bare.

    Parameters
    ----------
    species
        Shape (B, H, W), integers, 0 for bare. Pixels with a common edge and the same species are in
        one region.

    Returns
    -------
    Tensor
        Shape (B, H, W), int64: one more than the flat index of one pixel of the region.
    """
    covered = species > 0
    numbers = torch.arange(1, species.numel() + 1, device=species.device).view(species.shape)
    numbers = numbers * covered
    shape = species.shape
    while True:
        before = numbers
        for axis in (1, 2):
            length = shape[axis] - 1
            low, high = numbers.narrow(axis, 0, length), numbers.narrow(axis, 1, length)
            same = species.narrow(axis, 0, length) == species.narrow(axis, 1, length)
            largest = torch.maximum(low, high) * same
            pad = [0, 0] * (2 - axis)
            numbers = torch.maximum(numbers, functional.pad(largest, [*pad, 0, 1]))
            numbers = torch.maximum(numbers, functional.pad(largest, [*pad, 1, 0]))
        # the region of a pixel has that of the pixel it is named after
        flat = functional.pad(numbers.flatten(), (1, 0))
        numbers = torch.maximum(numbers, flat[numbers.flatten()].view(shape))
        if torch.equal(numbers, before):
            return numbers


def match_instances(found: Tensor, truth: Tensor, instances: Tensor, n: int) -> dict[str, Tensor]:
    """Return what panoptic quality follows from, for each of n species, shape (n,), float64.

    Parameters
    ----------
    found, truth
        Predicted and true species of each pixel, from 1 on, 0 for bare, shape (B, H, W).
    instances
        Number of the molecule of each pixel in its row, 0 for none, shape (B, H, W).
    n
        Number of species.

    Returns
    -------
    dict[str, Tensor]
        ``matched``, pairs of a region and a molecule; ``matched_iou``, the sum of their
        intersections over unions; ``regions`` and ``molecules``, their numbers.
    """
    regions = connected_regions(found).flatten()
    most = int(instances.max()) + 1
    row = torch.arange(len(instances), device=instances.device).view(-1, 1, 1)
    molecules = ((instances.long() + row * most) * (instances > 0)).flatten()
    region, region_of, region_size = _distinct(regions)
    molecule, molecule_of, molecule_size = _distinct(molecules)
    pair, _, overlap = _distinct(region_of * len(molecule) + molecule_of)
    one, other = pair // len(molecule), pair % len(molecule)
    iou = overlap / (region_size[one] + molecule_size[other] - overlap)
    kinds, true_kinds = (_of_each(values, number) for values, number in
                         ((found, region_of), (truth, molecule_of)))  # fmt: skip
    good = (iou > MATCHED_IOU) & (region[one] > 0) & (molecule[other] > 0)
    good &= kinds[one] == true_kinds[other]

    def sums(kinds: Tensor, weights: Tensor) -> Tensor:
        out = torch.zeros(n + 1, dtype=torch.float64, device=kinds.device)
        return out.index_add_(0, kinds, weights.double())[1:]

    return {
        "matched": sums(kinds[one], good),
        "matched_iou": sums(kinds[one], iou * good),
        "regions": sums(kinds, region > 0),
        "molecules": sums(true_kinds, molecule > 0),
    }


def _distinct(values: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return distinct values, which of them each value is, and how often each occurs."""
    found: tuple[Tensor, Tensor, Tensor] = torch.unique(
        values, return_inverse=True, return_counts=True
    )
    return found


def _of_each(values: Tensor, numbers: Tensor) -> Tensor:
    """Return the value that all pixels of each number have."""
    out = torch.zeros(int(numbers.max()) + 1, dtype=torch.int64, device=values.device)
    return out.index_put_((numbers,), values.flatten().long())
