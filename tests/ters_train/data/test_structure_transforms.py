"""Flips and turns move structure targets with the maps; nothing else touches them."""

import pytest
import torch

import tersgen
from ters_train.config import TransformConfig
from ters_train.data.transforms import Transforms
from ters_train.tasks.structure import StructureOptions
from ters_train.tasks.structure.positions import find_atoms, matched
from tersgen.errors import ConfigError

ALL = {"flip_rows": True, "flip_columns": True, "quarter_turns": True}
SIDE = 10.0


@pytest.fixture(scope="module")
def drawn():
    """Return the recipe's elements and a batch whose maps are its masks."""
    recipe = tersgen.resolve(
        tersgen.Recipe(
            seed=3,
            library=("builtin:pyridine", "builtin:formic_acid"),
            map={"height": 40, "width": 40},
            nearfield={"apex_angstrom": 0.7, "frame_angstrom": (SIDE, SIDE)},
            structure={},
            fields={"spectra": False, "sticks": False, "tensors": False},
        )
    )
    block = tersgen.generate(recipe, 0, 64)
    batch = {name: torch.from_numpy(value) for name, value in block.items()}
    batch["maps"] = batch["structure/masks"]
    batch["row"] = torch.arange(64)
    return recipe.structure.elements, batch


@pytest.mark.parametrize("on", [*({name: True} for name in ALL), ALL], ids=str)
def test_targets_move_with_the_maps(drawn, on):
    elements, batch = drawn
    shape = tuple(batch["maps"].shape[1:])
    transforms = Transforms(TransformConfig(**on, standardise=False), 5, {"maps": shape})
    moved = transforms(batch, 3, train=True)
    assert torch.equal(moved["maps"], moved["structure/masks"].float())
    changed = (moved["structure/masks"] != batch["structure/masks"]).flatten(1).any(dim=1)
    assert 20 < int(changed.sum()) < 64
    assert torch.equal(transforms(batch, 0, train=False)["structure/masks"], batch["maps"])
    targets = StructureOptions(
        elements=elements,
        shape="disc",
        radius_angstrom=0.5,
        bonds=True,
        frame_angstrom=(SIDE, SIDE),
        pixels=shape[1:],
    )
    where, places = find_atoms(moved["structure/masks"], targets)
    for row in range(64):
        n = int(batch["structure/count"][row])
        found = places[where[:, 0] == row]
        positions = moved["structure/positions"][row, :n]
        assert len(matched(found.tolist(), positions[:, :2].tolist())) == len(found) == n
        assert torch.equal(positions[:, 2], batch["structure/positions"][row, :n, 2])
    # an atom's pixel lies on its bonds in the moved images too
    on_bond = (moved["structure/bonds"][:, None] > 0) & (moved["structure/masks"] > 0)
    assert int(on_bond.sum()) > 0.9 * int(
        ((batch["structure/bonds"][:, None] > 0) & (batch["structure/masks"] > 0)).sum()
    )


def test_cubes_move_as_maps_do_and_noise_is_of_the_input_alone(drawn):
    _, batch = drawn
    config = TransformConfig(**ALL, map_noise=0.1, blur_px=1.0)
    shape = tuple(batch["maps"].shape[1:])
    of_maps = Transforms(config, 5, {"maps": shape})(batch, 3, train=True)
    cube = {**batch, "cube": batch["maps"].permute(0, 2, 3, 1)}
    of_cubes = Transforms(config, 5, {"cube": (*shape[1:], shape[0])})(cube, 3, train=True)
    assert torch.equal(of_cubes["cube"].permute(0, 3, 1, 2), of_maps["maps"])
    assert torch.equal(of_cubes["structure/masks"], of_maps["structure/masks"])
    assert set(of_maps["structure/masks"].unique().tolist()) == {0.0, 1.0}


def test_a_cube_that_is_not_square_has_no_quarter_turns():
    with pytest.raises(ConfigError, match="expected square maps, got 8 x 10"):
        Transforms(TransformConfig(quarter_turns=True), 0, {"cube": (8, 10, 4)})
