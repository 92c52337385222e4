"""
Both sides of the laser line
============================

Stokes and anti-Stokes bands of silicon at three temperatures; an axis that begins below 0
includes both.
"""

import tersgen
from tersgen.plotting.spectra import Line, draw_lines

grid = tersgen.Recipe(grid={"start_cm1": -1000.0, "stop_cm1": 1000.0, "n_points": 2048}).grid
lines = []
for kelvin in (300.0, 600.0, 1000.0):
    recipe = {
        "library": ["builtin:silicon"],
        "grid": grid.model_dump(),
        "geometry": {"orientation": "averaged", "temperature_k": kelvin},
        "noise": {"spectrum": [0.0, 0.0]},
        "fields": {"maps": False, "precision": "float32"},
    }
    block = tersgen.generate(recipe, 0, 1)
    lines.append(Line(f"{kelvin:.0f} K", grid.points(), block["spectra"][0]))
figure = draw_lines(lines, "silicon")
