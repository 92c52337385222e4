"""
Resolution and height of the tip
================================

C-H stretches of naphthalene under the dipole of a tip at four heights above the molecule, each
scaled to its largest value: a tip farther away resolves less.
"""

import numpy as np

import tersgen
from tersgen.plotting.images import Frame, Image, plot_image
from tersgen.plotting.style import DOUBLE_IN, new_figure

figure = new_figure(DOUBLE_IN, 1.9)
for axes, height in zip(figure.subplots(1, 4, sharey=True), (1.5, 2.5, 4.0, 6.0), strict=True):
    recipe = {
        "library": ["builtin:naphthalene"],
        "map": {"height": 72, "width": 72, "background": [0, 0], "amplitude": [1, 1]},
        "noise": {"map": [0, 0]},
        "nearfield": {
            "tip_field": "dipole", "height_angstrom": [height, height],
            "apex_radius_angstrom": [1, 1], "bands": [[2900, 3300]],
        },
    }  # fmt: skip
    image = np.asarray(tersgen.generate(recipe, 0, 1)["maps"][0, 0])
    plot_image(axes, Image(f"{height} \u00c5", image, (0, 1)), Frame((-9, 9, 9, -9), "\u00c5"))
    axes.label_outer()
