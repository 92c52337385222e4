"""
Ideal and recorded spectra
==========================

The same three samples without noise, and as an instrument records them: fluorescence, noise, cosmic
rays, an uneven response, a limited range (``--preset realistic``).
"""

import tersgen
from tersgen.plotting.lines import plot_line, repeated_ends
from tersgen.plotting.style import COLOURS, DOUBLE_IN, INTENSITY, SHIFT, new_figure
from tersgen.schema.presets import PRESETS, merged

SPECIES = ("builtin:benzene", "builtin:pyridine", "builtin:thiophenol")
LOOK = {"seed": 4, "library": SPECIES}

shift = tersgen.Recipe().grid.points()
figure = new_figure(DOUBLE_IN, 3.6)
panels = figure.subplots(3, 2, sharex=True, sharey=True)
for column, preset in enumerate(("ideal", "realistic")):
    block = tersgen.generate(merged(PRESETS[preset], LOOK), 0, 12)
    for axes, row in zip(panels[:, column], (2, 3, 4), strict=True):
        name = SPECIES[block["label"][row]].partition(":")[2]
        values = block["spectra"][row]
        left, right = repeated_ends(values) if column else (0, 0)
        measured = slice(left, len(values) - right)
        plot_line(axes, shift[measured], values[measured], color=COLOURS[column])
        axes.set_title(f"{name}, {preset}")
panels[1, 0].set_ylabel(INTENSITY)
figure.supxlabel(SHIFT, fontsize=8)
