"""Atoms found in masks, and scores, against what was drawn and against plain loops."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import tersgen
from ters_train.tasks.structure import StructureOptions
from ters_train.tasks.structure.counting import StructureCount
from ters_train.tasks.structure.positions import find_atoms, matched
from tersgen.schema.elements import SYMBOLS

FRAME = (9.0, 12.0)
FEW = settings(max_examples=8, deadline=None)


def recipe_of(shape):
    return tersgen.resolve(
        tersgen.Recipe(
            seed=3,
            library=("builtin:pyridine", "builtin:formic_acid", "builtin:ethylene"),
            map={"height": 36, "width": 60},
            nearfield={"apex_angstrom": 0.5, "frame_angstrom": FRAME},
            structure={"shape": shape, "radius_angstrom": 0.5},
            fields={"spectra": False, "sticks": False, "tensors": False},
        )
    )


def targets_of(recipe):
    return StructureOptions(
        elements=recipe.structure.elements,
        shape=recipe.structure.shape,
        radius_angstrom=recipe.structure.radius_angstrom,
        bonds=True,
        frame_angstrom=FRAME,
        pixels=(recipe.map.height, recipe.map.width),
    )


@pytest.fixture(scope="module", params=["disc", "gaussian"])
def drawn(request):
    """Return targets and sixty rows of them, as tensors."""
    recipe = recipe_of(request.param)
    block = tersgen.generate(recipe, 0, 60)
    return targets_of(recipe), {name: torch.from_numpy(value) for name, value in block.items()}


def perfect(batch):
    """Return logits that say what the targets are."""
    return {
        "masks": torch.logit(batch["structure/masks"].float(), eps=1e-6),
        "bonds": torch.logit(batch["structure/bonds"].float(), eps=1e-6),
    }


def test_drawn_atoms_are_found_where_they_are(drawn):
    targets, batch = drawn
    where, places = find_atoms(batch["structure/masks"], targets)
    assert len(where) == int(batch["structure/count"].sum())
    errors = []
    for row in range(60):
        for element, symbol in enumerate(targets.elements):
            n = batch["structure/count"][row]
            mine = batch["structure/elements"][row, :n] == SYMBOLS.index(symbol)
            true = batch["structure/positions"][row, :n][mine][:, :2]
            found = places[(where == torch.tensor([row, element])).all(dim=1)]
            distances = matched(found.tolist(), true.tolist())
            assert len(distances) == len(true) == len(found)
            errors += distances
    assert np.mean(errors) < 0.05  # a fifth of a pixel
    assert max(errors) < 0.15


def test_a_perfect_prediction_scores_one(drawn):
    targets, batch = drawn
    count = StructureCount(targets)
    count.count(perfect(batch), batch, torch.tensor(0.25))
    scores = count.compute()
    assert scores.dice == scores.iou == scores.bond_dice == scores.bond_iou == 1
    assert scores.position_precision == pytest.approx(1)
    assert scores.position_recall == pytest.approx(1)
    assert 0 < scores.position_error_angstrom < 0.05
    assert scores.loss == 0.25
    assert scores.n_samples == 60
    assert sum(scores.support) == int(batch["structure/count"].sum())
    assert type(scores).model_validate_json(scores.model_dump_json()) == scores


@given(st.integers(0, 10**6), st.integers(1, 59))
@FEW
def test_scores_are_those_of_plain_loops_however_rows_are_cut(seed, cut):
    recipe = recipe_of("disc")
    targets = targets_of(recipe)
    block = tersgen.generate(recipe, 0, 60)
    batch = {name: torch.from_numpy(value) for name, value in block.items()}
    generator = torch.Generator().manual_seed(seed)
    outputs = {
        name: value + 8 * torch.randn(value.shape, generator=generator)
        for name, value in perfect(batch).items()
    }
    count = StructureCount(targets)
    for part in (slice(0, cut), slice(cut, 60)):
        some = {name: value[part] for name, value in outputs.items()}
        count.count(some, {n: v[part] for n, v in batch.items()}, torch.tensor(1.0))
    scores = count.compute()
    p = (outputs["masks"] >= 0).numpy()
    t = block["structure/masks"] >= 0.5
    for k in range(len(targets.elements)):
        both, union = (p[:, k] & t[:, k]).sum(), (p[:, k] | t[:, k]).sum()
        assert scores.iou_of[k] == pytest.approx(both / union)
        assert scores.dice_of[k] == pytest.approx(2 * both / (p[:, k].sum() + t[:, k].sum()))
    assert scores.dice == pytest.approx(np.mean(scores.dice_of))
    whole = StructureCount(targets)
    whole.count(outputs, batch, torch.tensor(1.0))
    again = whole.compute()
    assert again.iou == scores.iou
    assert again.position_recall == scores.position_recall
    assert again.position_error_angstrom == pytest.approx(scores.position_error_angstrom)


def test_nothing_predicted_and_nothing_there(drawn):
    targets, batch = drawn
    none = {name: torch.full_like(value, -9.0) for name, value in perfect(batch).items()}
    count = StructureCount(targets)
    count.count(none, batch, torch.tensor(1.0))
    scores = count.compute()
    assert (scores.dice, scores.iou, scores.position_recall) == (0, 0, 0)
    assert scores.position_error_angstrom is None
    assert "no atom found" in scores.headline
    assert StructureCount(targets).compute().n_samples == 0
    odd = targets.model_copy(update={"elements": ("S", *targets.elements[1:])})
    other = StructureCount(odd)
    empty = {**batch, "structure/masks": batch["structure/masks"].clone()}
    empty["structure/masks"][:, 0] = 0
    other.count(perfect(empty), empty, torch.tensor(1.0))
    assert other.compute().dice_of[0] is None
    assert other.compute().dice == 1
    assert other.compute().details(())[0] == "S: none in these samples"


def test_each_atom_is_matched_once_and_the_nearest_first():
    assert matched([[0.0, 0.0], [0.1, 0.0]], [[0.1, 0.0]]) == [0.0]
    assert matched([[0.0, 0.0]], [[0.0, 0.51]]) == []
    assert matched([], [[0.0, 0.0]]) == []
