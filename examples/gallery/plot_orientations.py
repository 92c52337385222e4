"""
Orientation
===========

Spectra of pyridine in four orientations to the tip axis, polarizations along it, above its
average over all orientations: band ratios depend on the orientation.
"""

import numpy as np

import tersgen
from tersgen.plotting.spectra import Line, draw_lines

COMMON = {"library": ["builtin:pyridine"], "noise": {"spectrum": [0, 0]}, "fields": {"maps": False}}
ANGLES = (0, 30, 60, 90)

lines = []
for angle in ANGLES:
    half = np.radians(angle) / 2
    geometry = {"orientation": "fixed", "quaternion": [np.cos(half), np.sin(half), 0.0, 0.0]}
    block = tersgen.generate({**COMMON, "geometry": geometry}, 0, 1)
    lines.append((f"tilted by {angle} degrees", block["spectra"][0]))
average = tersgen.generate({**COMMON, "geometry": {"orientation": "averaged"}}, 0, 1)
lines.append(("average over orientations", average["spectra"][0]))
shift = tersgen.Recipe().grid.points()
figure = draw_lines([Line(name, shift, values) for name, values in lines], "pyridine", (400, 3300))
