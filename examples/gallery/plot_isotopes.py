r"""
Isotopologues
=============

Benzene with H, D and 13C, from the same force constants: deuterium shifts the C-H stretches by
800 cm\ :sup:`-1`, 13C hardly; the ring breathing at 980 cm\ :sup:`-1` shifts with both.
"""

import numpy as np

from tersgen.library.builtin import load_builtin
from tersgen.library.isotopes import substitute
from tersgen.plotting.spectra import Line, draw_lines, species_line

benzene = load_builtin("benzene")
shift = np.linspace(400, 3300, 4096)
lines = []
for name, change in (("benzene", []), ("benzene-d6", ["H=D"]), ("benzene-13C6", ["C=13C"])):
    line = species_line(substitute(benzene, change) if change else benzene)
    lines.append(Line(name, shift, np.interp(shift, line.shift_cm1, line.intensity, right=0)))
figure = draw_lines(lines, "isotopologues of benzene")
