"""Draw eight spectra of the preset realistic: docs/pictures/realistic.png.

python examples/realistic_rows.py realistic.png
"""

import sys

import matplotlib as mpl
import numpy as np

import tersgen
from tersgen.effects.instrument.effect import PARAMETERS
from tersgen.effects.optics.effect import PARAMETERS as LIGHT_PATH
from tersgen.schema.loading import validate
from tersgen.schema.presets import PRESETS, merged

mpl.use("Agg")
from matplotlib import pyplot as plt

LIBRARY = ["builtin:benzene", "builtin:adenine", "crystals", "measured"]
N_ROWS = 8


def main(output: str) -> None:
    """Draw the first rows, with what their instrument did."""
    table = merged(PRESETS["realistic"], {"library": LIBRARY})
    recipe = tersgen.resolve(validate(tersgen.Recipe, table, "realistic"))
    rows = tersgen.generate(recipe, 0, N_ROWS)
    names = [one.name for one in PARAMETERS], [one.name for one in LIGHT_PATH]
    shift = recipe.grid.points()
    figure, axes = plt.subplots(N_ROWS // 2, 2, figsize=(12, 10), layout="constrained")
    for row, panel in enumerate(axes.flat):
        detector = dict(zip(names[0], rows["params/instrument"][row], strict=True))
        light = dict(zip(names[1], rows["params/optics"][row], strict=True))
        counts = detector["counts_at_0"] + rows["spectra"][row] * detector["counts_to_1"]
        inside = slice(int(detector["missing_low"]), len(shift) - int(detector["missing_high"]))
        panel.plot(shift[inside], np.asarray(counts, np.float64)[inside], linewidth=0.7)
        panel.set_title(
            f"{recipe.class_names[rows['label'][row]]}, {light['laser']:.0f} nm, strongest band "
            f"{light['band_snr']:.0f} times the noise, {detector['saturated']:.0f} saturated",
            fontsize="small",
        )
        panel.set_xlim(shift[0], shift[-1])
    for panel in axes[-1]:
        panel.set_xlabel("Raman shift / cm$^{-1}$")
    for panel in axes[:, 0]:
        panel.set_ylabel("counts")
    figure.savefig(output, dpi=90)


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "realistic.png")
