"""
Crystals
========

The built-in crystals: activities from observed areas, or computed (anatase).
"""

import numpy as np

from tersgen.library.builtin import crystal_names, load_builtin
from tersgen.plotting.spectra import Line, draw_lines, species_line

shift = np.linspace(100, 1700, 4096)
lines = []
for name in crystal_names():
    line = species_line(load_builtin(name))
    lines.append(Line(name, shift, np.interp(shift, line.shift_cm1, line.intensity, right=0)))
figure = draw_lines(lines, "crystals")
