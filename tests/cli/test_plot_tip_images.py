"""Images of modes, as ``tersgen library image`` computes them."""

import numpy as np
import pytest

from tersgen.library.builtin import load_builtin
from tersgen.library.libraryfile import library_json
from tersgen.library.responding import tip_grid
from tersgen.plotting.tip_images import tip_images
from tersgen.schema.library import Library


def with_images(tips):
    """Return water under tips, whose image of mode m is m + 1 times the squared normal part of B.

    B is r r^T of the tip's position r from the centre, so that n^T B n is its squared height.
    """
    water = load_builtin("water")
    centre = np.mean([atom.position for atom in water.atoms], axis=0)
    r = tips - centre
    forms = np.stack(
        [r[:, i] * r[:, j] for i, j in ((0, 0), (1, 1), (2, 2), (0, 1), (0, 2), (1, 2))], axis=1
    )
    modes = [
        mode.model_copy(update={"image": tuple(map(tuple, ((m + 1) * forms).tolist()))})
        for m, mode in enumerate(water.modes)
    ]
    update = {"image_tips": tuple(map(tuple, tips.tolist())), "modes": tuple(modes)}
    return water.model_copy(update=update)


def test_the_lowest_grid_is_drawn(good, tmp_path):
    water = load_builtin("water")
    tips = tip_grid(water, (5.0, 3.5), 0.5, 1.0)
    species = with_images(tips)
    images = tip_images(species)
    assert images.above == pytest.approx(3.5, abs=1e-4)
    assert images.values.shape == (3, len(images.x), len(images.y))
    assert len(images.x) * len(images.y) * 2 == len(tips)
    height = images.above + images.atoms[:, 2].max()
    expected = np.arange(1, 4)[:, None, None] * np.full(images.values.shape, height**2)
    np.testing.assert_allclose(images.values, expected, rtol=1e-6)
    (tmp_path / "water.json").write_bytes(library_json(Library([species])))
    good("plot", "water.json", "-o", "water.png", cwd=tmp_path)
    good("library", "show", "water.json", "--plot", "same.png", cwd=tmp_path)
    assert (tmp_path / "water.png").read_bytes() == (tmp_path / "same.png").read_bytes()
    good("plot", "builtin:water", "-o", "spectrum.png", cwd=tmp_path)
    assert (tmp_path / "spectrum.png").read_bytes() != (tmp_path / "same.png").read_bytes()


def test_tips_on_no_grid_are_not_drawn_as_one():
    water = load_builtin("water")
    tips = tip_grid(water, (3.5,), 0.5, 1.0)
    assert tip_images(with_images(tips[1:])) is None
    assert tip_images(water) is None
