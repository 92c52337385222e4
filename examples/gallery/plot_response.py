"""
Sum over atoms, and ab initio
=============================

Ethylene, C=C stretch and C-H stretches: the default response and the ab-initio response at sites,
which agrees with Hartree-Fock images within a few percent (``docs/nearfield.md``).
"""

import numpy as np

import tersgen
from tersgen.plotting.images import Frame, Image, plot_image
from tersgen.plotting.style import new_figure

BANDS = {"C=C stretch": [1600, 1750], "C-H stretches": [2900, 3300]}
RESPONSES = {"atoms": "builtin:ethylene", "sites": "sites:ethylene"}

figure = new_figure(4.2, 3.9)
panels = figure.subplots(2, 2, sharex=True, sharey=True)
for line, (response, species) in zip(panels, RESPONSES.items(), strict=True):
    recipe = {
        "library": [species], "noise": {"map": [0, 0]},
        "map": {"height": 64, "width": 64, "background": [0, 0], "amplitude": [1, 1]},
        "nearfield": {"response": response, "bands": list(BANDS.values()), "tip_field": "dipole"},
    }  # fmt: skip
    maps = np.asarray(tersgen.generate(recipe, 0, 1)["maps"][0])
    for axes, name, image in zip(line, BANDS, maps, strict=True):
        plot_image(axes, Image(f"{name}, {response}", image), Frame((-9, 9, 9, -9), "\u00c5"))
        axes.label_outer()
