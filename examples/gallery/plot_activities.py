"""
Modes of a molecule
===================

Raman activities of benzene, B3LYP: sticks with their irreducible representations, and broadened.
``tersgen plot mine.tlib --species benzene -o benzene.pdf`` draws the same of your own molecules.
"""

from tersgen.library.builtin import load_builtin
from tersgen.plotting.spectra import draw_species

figure = draw_species(load_builtin("benzene"), span_cm1=(400, 3300))
