"""Maps of planar molecules beside their atoms and bonds: writes structure.png.

Run: python examples/structure_targets.py
"""

import matplotlib.pyplot as plt
import numpy as np

import tersgen

BANDS = {(600.0, 1050.0): "600-1050", (1450.0, 1700.0): "1450-1700", (2900.0, 3300.0): "2900-3300"}
COLOURS = {"H": "0.8", "C": "0.35", "N": "tab:blue", "O": "tab:red", "S": "gold"}

recipe = tersgen.Recipe(
    seed=2,
    library=("builtin:pyridine", "builtin:4-mercaptopyridine", "builtin:formic_acid"),
    map={"height": 96, "width": 96, "background": (0.0, 0.0), "amplitude": (1.0, 1.0)},
    noise={"map": (0.0, 0.0)},
    nearfield={
        "width_angstrom": (2.5, 2.5),
        "height_angstrom": (2.0, 2.0),
        "frame_angstrom": (12.0, 12.0),
        "bands": tuple(BANDS),
    },
    structure={"radius_angstrom": 0.45, "bond_width_angstrom": 0.25},
    fields={"spectra": False, "precision": "float32"},
)
resolved = tersgen.resolve(recipe)
block = tersgen.generate(resolved, 0, 3)

figure, axes = plt.subplots(3, len(BANDS) + 1, figsize=(8, 6.2), layout="constrained")
for sample, line in enumerate(axes):
    for axis, image, name in zip(line, block["maps"][sample], BANDS.values(), strict=False):
        axis.imshow(image, cmap="magma", origin="lower", extent=(-6, 6, -6, 6))
        axis.set_title(f"{name} cm$^{{-1}}$", fontsize=9)
    picture = np.ones((96, 96, 3))
    picture[block["structure/bonds"][sample] > 0.5] = 0.0
    masks = block["structure/masks"][sample]
    for symbol, mask in zip(resolved.structure.elements, masks, strict=True):
        picture[mask > 0.5] = plt.matplotlib.colors.to_rgb(COLOURS[symbol])
    line[-1].imshow(picture, origin="lower", extent=(-6, 6, -6, 6))
    line[-1].set_title("atoms and bonds", fontsize=9)
    line[0].set_ylabel(f"{resolved.species[block['label'][sample]].name}\nx (Angstrom)", fontsize=9)
figure.savefig("structure.png", dpi=80)
print("wrote structure.png")
