"""
Stored as integers
==================

What ``uint8`` and ``float16`` change in a spectrum, compared with its noise: the default,
``uint8``, is chosen only where the noise is at least one step.
Here the noise has a standard deviation of 10 in the units drawn.
"""

import tersgen
from tersgen.plotting.lines import plot_line, shift_axis
from tersgen.plotting.style import DOUBLE_IN, new_figure

shift = tersgen.Recipe().grid.points()


def spectrum(precision):
    noise, fields = {"spectrum": [0.01, 0.01]}, {"maps": False, "precision": precision}
    recipe = {"library": ["builtin:naphthalene"], "noise": noise, "fields": fields}
    return tersgen.generate(recipe, 0, 1)["spectra"][0]


figure = new_figure(DOUBLE_IN, 3.4)
panels = figure.subplots(3, 1, sharex=True, sharey=True)
exact = spectrum("float32")
for axes, name in zip(panels, ("uint8", "uint12", "float16"), strict=True):
    plot_line(axes, shift, 1e3 * (spectrum(name) - exact), linewidth=0.5)
    axes.set_title(f"{name} $-$ float32")
panels[1].set_ylabel("difference / 10$^{-3}$ of the range")
shift_axis(panels[2], (shift[0], shift[-1]), "")
