r"""
Molecules of the built-in library
=================================

Raman activities of six molecules, each scaled to its largest. Bands are 15 cm\ :sup:`-1` wide.
"""

from tersgen.library.builtin import load_builtin
from tersgen.plotting.spectra import draw_lines, species_line

NAMES = ("pyridine", "4-mercaptopyridine", "thiophenol", "naphthalene", "adenine", "thymine")

lines = [species_line(load_builtin(name)) for name in NAMES]
figure = draw_lines(lines, "molecules of builtin", (400, 1800))
