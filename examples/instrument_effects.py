"""Draw the same samples ideal and as an instrument records them: docs/pictures/instrument.png.

python examples/instrument_effects.py instrument.png
"""

import sys

import matplotlib as mpl
import numpy as np

import tersgen
from tersgen.schema.loading import validate
from tersgen.schema.presets import PRESETS, merged

mpl.use("Agg")
from matplotlib import pyplot as plt

COMMON = {"seed": 4, "library": ["sites:benzene", "sites:pyridine", "sites:methanethiol"]}
ROWS = (3, 8, 13)
SIDES = {"ideal": ("ideal", "nearfield"), "recorded": ("realistic", "nearfield")}
"""Presets that are merged for each side."""


def samples(side: str) -> tuple[dict[str, np.ndarray], tersgen.Recipe]:
    """Return rows of one side and their recipe."""
    below, above = (PRESETS[name] for name in SIDES[side])
    table = merged(merged(below, above), COMMON)
    recipe = tersgen.resolve(validate(tersgen.Recipe, table, side))
    return tersgen.generate(recipe, 0, max(ROWS) + 1), recipe


def main(output: str) -> None:
    """Draw spectra and maps side by side."""
    figure, axes = plt.subplots(
        len(ROWS), 4, figsize=(13, 7), width_ratios=(2.2, 2.2, 1, 1), layout="constrained"
    )
    for side, preset in enumerate(SIDES):
        arrays, recipe = samples(preset)
        for line, row in enumerate(ROWS):
            name = recipe.class_names[arrays["label"][row]]
            axes[line, side].plot(recipe.grid.points(), arrays["spectra"][row], linewidth=0.7)
            axes[line, side].set_title(f"{name}, {side}", fontsize="small")
            image = arrays["maps"][row, 0].astype(np.float32)
            axes[line, 2 + side].imshow(image, cmap="inferno")
            axes[line, 2 + side].set_title(preset, fontsize="small")
            axes[line, 2 + side].set_axis_off()
    for panel in axes[-1, :2]:
        panel.set_xlabel("Raman shift / cm$^{-1}$")
    figure.savefig(output, dpi=110)


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "instrument.png")
