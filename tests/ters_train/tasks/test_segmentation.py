"""The species at each pixel: loss and scores against NumPy, and other orders of classes."""

import numpy as np
import pytest
import torch
from scipy import ndimage

from ters_train.data.symmetry import flip_and_turn, move_targets
from ters_train.engine.sums import SumCount
from ters_train.tasks.segmentation import Segmentation, SegmentationOptions
from ters_train.tasks.segmentation.instances import connected_regions

TASK = Segmentation(SegmentationOptions(n_classes=3, pixels=(5, 4)))


def numbers_of(truth):
    """Return molecules that share pixels of a species with others, as touching ones do."""
    halves = torch.arange(4) // 2 + 1
    return ((2 * truth + halves) * (truth > 0)).int()


def rows(n):
    generator = torch.Generator().manual_seed(2)
    truth = torch.randint(0, 3, (n, 5, 4), generator=generator, dtype=torch.int32)  # no class 3
    logits = torch.randn(n, 4, 5, 4, generator=generator)
    logits[:, 3] = -9.0
    batch = {
        "scene/species": truth,
        "scene/instance": numbers_of(truth),
        "label": torch.zeros(n, dtype=torch.int32),
    }
    return {"species": logits}, {**batch, "row": torch.arange(n)}


def panoptic(found, batch):
    """Return the panoptic quality as its definition says, one pair after the other."""
    truth, numbers = (batch[f"scene/{name}"].numpy() for name in ("species", "instance"))
    each = []
    for k in (1, 2, 3):
        ious, n_found, n_true = [], 0, 0
        for row in range(len(truth)):
            regions, n_regions = ndimage.label(found[row] == k)
            masks = [(numbers[row] == j) & (truth[row] == k) for j in range(1, 9)]
            masks = [mask for mask in masks if mask.any()]
            n_found, n_true = n_found + n_regions, n_true + len(masks)
            for j in range(1, n_regions + 1):
                shares = [((regions == j) & m).sum() / ((regions == j) | m).sum() for m in masks]
                ious += [share for share in shares if share > 0.5]
        if n_found + n_true:
            each.append(sum(ious) / (0.5 * (n_found + n_true)))
    return np.mean(each)


def test_scores_by_numpy():
    outputs, batch = rows(20)
    count = SumCount(TASK)
    for part in (slice(0, 7), slice(7, 20)):
        given = {"species": outputs["species"][part]}
        inside = {name: values[part] for name, values in batch.items()}
        count.count(given, inside, TASK.terms(given, inside)["cross_entropy"].mean())
    scores = count.compute()
    logits, truth = outputs["species"].double().numpy(), batch["scene/species"].numpy()
    found = logits.argmax(axis=1)
    assert scores.accuracy == pytest.approx((found == truth).mean())
    shares = [((found == k) & (truth == k)).sum() / ((found == k) | (truth == k)).sum()
              for k in range(3)]  # fmt: skip
    assert scores.iou == pytest.approx((*shares, None))
    assert scores.mean_iou == pytest.approx(np.mean(shares))
    log_shares = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
    entropy = -np.take_along_axis(log_shares, truth[:, None].astype(int), 1).mean()
    assert scores.loss == pytest.approx(entropy, rel=1e-5)
    assert scores.panoptic_quality == pytest.approx(panoptic(found, batch))
    assert scores.best_panoptic_quality == pytest.approx(panoptic(truth, batch))
    assert 0 < scores.panoptic_quality < scores.best_panoptic_quality < 1
    assert scores.details(["a", "b", "c"])[0].split(":")[0] in {"bare", "a", "b"}


def test_regions_are_connected_by_edges():
    maze = np.zeros((2, 9, 9), int)
    maze[0, ::2] = 1
    maze[0, 1::4, -1] = maze[0, 3::4, 0] = 1  # one winding path
    maze[1] = np.add.outer(range(9), range(9)) % 2  # corners do not connect
    numbers = connected_regions(torch.tensor(maze)).numpy()
    for row in range(2):
        regions, n_regions = ndimage.label(maze[row])
        pairs = set(zip(regions.flat, numbers[row].flat, strict=True))
        assert len(pairs) == len(np.unique(numbers[row])) == n_regions + 1


def test_classes_of_another_order():
    _, batch = rows(3)
    before = batch["scene/species"].clone()
    TASK.relabel(batch, torch.tensor([2, 0, 1]))
    expected = torch.tensor([0, 3, 1, 2])[before.long()]
    assert torch.equal(batch["scene/species"], expected)


def test_maps_of_species_are_flipped_and_turned_with_maps():
    _, batch = rows(4)
    square = batch["scene/species"][:, :4]
    moves = torch.tensor([[1, 0, 1, 0], [0, 1, 1, 0], [0, 1, 2, 3]])
    moved = move_targets("scene/species", square, *moves)
    assert torch.equal(moved, flip_and_turn(square[:, None], *moves)[:, 0])
    assert not torch.equal(moved[:3], square[:3])


def test_predictions_say_what_covers_the_map():
    outputs, _ = rows(2)
    one, _ = TASK.predicted(outputs, ["a", "b", "c"], 2)
    found = outputs["species"][0].argmax(dim=0)
    assert one.content["map"] == found.tolist()
    best = max(range(1, 4), key=lambda k: int((found == k).sum()))
    assert one.content["species"][0]["name"] == "abc"[best - 1]
    assert one.content["species"][0]["share"] == pytest.approx((found == best).float().mean())
