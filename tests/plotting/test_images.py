"""Maps as they are drawn."""

import numpy as np
import pytest

from tersgen.plotting.images import Image, frame_of, plot_image
from tersgen.plotting.sample_images import scene_images
from tersgen.plotting.style import ANGSTROM, new_figure
from tersgen.schema.fields import Axis


@pytest.mark.parametrize(
    ("unit", "across", "down"),
    [
        ("um", "x / \u00b5m", "y / \u00b5m"),
        ("Angstrom", f"y / {ANGSTROM}", f"x / {ANGSTROM}"),
        (None, "column / pixel", "row / pixel"),
    ],
)
def test_axes_are_those_of_the_map(unit, across, down):
    axes = {
        name: Axis(name=name, unit=unit, description=name, start=0.0, stop=1.0, n=n)
        for name, n in (("row", 2), ("column", 3))
        if unit
    }
    figure = new_figure(3.0, 3.0)
    (drawn,) = figure.subplots(1, 1, squeeze=False).flat
    plot_image(drawn, Image("map", np.zeros((2, 3))), frame_of(axes, (2, 3)))
    assert (drawn.get_xlabel(), drawn.get_ylabel()) == (across, down)


def test_a_scene_is_drawn_as_molecules_species_and_light():
    numbers = np.array([[0, 3], [1, 1]])
    sample = {
        "scene/instance": numbers,
        "scene/species": np.array([[0, 5], [2, 2]]),
        "scene/fraction": np.array([[[1, 0], [1, 1]], [[0, 1], [0, 0]]]),
        "mixture/label": np.array([1, 4]),
        "composition": {"benzene": 0.7, "pyridine": 0.3},
    }
    molecules, benzene, pyridine, light = scene_images(sample)
    assert molecules.span == (0.0, 3.0)
    assert benzene.title == "molecules of benzene"
    assert benzene.values.tolist() == [[False, False], [True, True]]
    assert pyridine.values.tolist() == [[False, True], [False, False]]
    assert light.title == "light of benzene"
    assert light.values.tolist() == [[1, 0], [1, 1]]
    covered = scene_images({"scene/instance": numbers, "scene/species": numbers})[1]
    assert covered.values.tolist() == [[False, True], [True, True]]
