r"""
From a pixel to its spectrum
============================

The map of a cube of pyridine at 970 cm\ :sup:`-1`, and the spectra at three of its pixels.
"""

import numpy as np

import tersgen
from tersgen.plotting.images import Frame, Image, plot_image
from tersgen.plotting.style import COLOURS, DOUBLE_IN, INTENSITY, SHIFT, new_figure
from tersgen.schema.presets import PRESETS, merged

change = {
    "library": ["sites:pyridine"], "noise": {"map": [0.004, 0.004]},
    "map": {"height": 48, "width": 48, "background": [0, 0]}, "fields": {"cube": True},
}  # fmt: skip
cube = np.asarray(tersgen.generate(merged(PRESETS["nearfield"], change), 0, 1)["cube"][0])
shift = 60.0 + 20.0 * np.arange(cube.shape[2])
figure = new_figure(DOUBLE_IN, 2.2)
left, right = figure.subplots(1, 2, width_ratios=(1, 2))
image = Image("970 cm$^{-1}$", cube[:, :, np.argmin(abs(shift - 970))])
plot_image(left, image, Frame((-6, 6, 6, -6), "\u00c5"))
for k, (row, column) in enumerate(((24, 24), (27, 15), (12, 29))):
    x, y = (12 * (np.array([column, row]) + 0.5) / 48 - 6).tolist()
    left.plot(x, y, "os^"[k], color=COLOURS[k + 1], markeredgecolor="white", markersize=5)
    right.plot(shift, cube[row, column] / cube[row, column].max() + 1.1 * k, color=COLOURS[k + 1])
right.set(xlabel=SHIFT, ylabel=f"{INTENSITY}, scaled", xlim=(200, 3300))
