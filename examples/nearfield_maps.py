"""Maps of benzene under a tip, in three fields and four bands: writes nearfield.png.

Run: python examples/nearfield_maps.py
"""

import matplotlib.pyplot as plt

import tersgen

BANDS = {
    990: "ring breathing",
    1462: "E1u, dark far away",
    1582: "ring stretch",
    3080: "C-H stretch",
}
FIELDS = {"gaussian_z": "along z", "radial": "away from the tip", "dipole": "of a dipole"}

recipe = tersgen.Recipe(
    seed=3,
    library=("builtin:benzene",),
    geometry={"detection": "power"},
    map={"height": 96, "width": 96, "background": (0.0, 0.0), "amplitude": (1.0, 1.0)},
    noise={"map": (0.0, 0.0)},
    nearfield={
        "width_angstrom": (3.5, 3.5),
        "height_angstrom": (2.5, 2.5),
        "frame_angstrom": (12.0, 12.0),
        "bands": tuple((shift - 40.0, shift + 40.0) for shift in BANDS),
    },
    fields={"spectra": False, "precision": "float32"},
)

figure, axes = plt.subplots(len(FIELDS), len(BANDS), figsize=(8, 6.2), layout="constrained")
for row, (tip_field, text) in enumerate(FIELDS.items()):
    change = {"tip_field": tip_field}
    if tip_field == "dipole":
        change["apex_radius_angstrom"] = (1.0, 1.0)
    near = recipe.nearfield.model_copy(update=change)
    block = tersgen.generate(recipe.model_copy(update={"nearfield": near}), 0, 1)
    for axis, image, (shift, name) in zip(axes[row], block["maps"][0], BANDS.items(), strict=True):
        axis.imshow(image, cmap="magma", origin="lower", extent=(-6, 6, -6, 6))
        axis.set_xticks([-5, 0, 5])
        axis.set_yticks([-5, 0, 5])
        if row == 0:
            axis.set_title(f"{name}, {shift} cm$^{{-1}}$", fontsize=9)
    axes[row][0].set_ylabel(f"field {text}\nx (Angstrom)", fontsize=9)
figure.savefig("nearfield.png", dpi=100)
print("wrote nearfield.png")
