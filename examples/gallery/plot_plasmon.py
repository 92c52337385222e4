"""
The gain of a plasmon
=====================

4-mercaptopyridine, excited at 633 nm: the plasmon's gain at the scattered wavelength changes the
ratio of low to high bands.
"""

import tersgen
from tersgen.plotting.spectra import Line, draw_lines

lines = []
for centre in (None, 600.0, 680.0, 750.0):
    recipe = {
        "library": ["builtin:4-mercaptopyridine"],
        "geometry": {"orientation": "averaged"},
        "noise": {"spectrum": [0.0, 0.0]},
        "fields": {"maps": False, "precision": "float32"},
    }
    if centre:
        recipe["plasmon"] = {"centre_nm": [centre, centre], "fwhm_nm": [60.0, 60.0]}
    spectrum = tersgen.generate(recipe, 0, 1)["spectra"][0]
    name = f"plasmon at {centre:.0f} nm" if centre else "without plasmon"
    lines.append(Line(name, tersgen.Recipe().grid.points(), spectrum))
figure = draw_lines(lines, "4-mercaptopyridine", (200, 3400))
