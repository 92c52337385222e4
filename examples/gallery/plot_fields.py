r"""
Fields of the tip
=================

The ring stretch of pyridine at 1590 cm\ :sup:`-1`, flat on the surface, in four fields, each
scaled to its largest value.
"""

import numpy as np

import tersgen
from tersgen.plotting.images import Frame, Image, plot_image
from tersgen.plotting.style import DOUBLE_IN, new_figure

FIELDS = {
    "along z": {"tip_field": "gaussian_z"},
    "away from the tip": {"tip_field": "radial"},
    "of a dipole": {"tip_field": "dipole"},
    "of a tilted dipole": {"tip_field": "dipole", "dipole_tilt_deg": [40, 40]},
}
figure = new_figure(DOUBLE_IN, 1.9)
for axes, (title, field) in zip(figure.subplots(1, 4, sharey=True), FIELDS.items(), strict=True):
    recipe = {
        "library": ["builtin:pyridine"], "noise": {"map": [0, 0]},
        "map": {"height": 64, "width": 64, "background": [0, 0], "amplitude": [1, 1]},
        "nearfield": {**field, "frame_angstrom": [14, 14], "bands": [[1540, 1640]]},
    }  # fmt: skip
    image = np.asarray(tersgen.generate(recipe, 0, 1)["maps"][0, 0])
    plot_image(axes, Image(title, image, (0.0, 1.0)), Frame((-7, 7, 7, -7), "\u00c5"))
    axes.label_outer()
