"""
A surface with many molecules
=============================

A sample of ``--preset scene``: islands of two species on Ag(111), in two bands, and which species
is where.
"""

import tempfile
from pathlib import Path

import tersgen
from tersgen.plotting.sample_images import DrawOptions
from tersgen.plotting.samples import draw_sample
from tersgen.schema.presets import PRESETS, merged

recipe = merged(
    PRESETS["scene"],
    {
        "seed": 8, "noise": {"map": [0.01, 0.01]},
        "library": ["sites:benzene", "sites:pyridine"],
        "map": {"height": 80, "width": 80},
        "mixture": {"n_species": [2, 2]},
        "scene": {"islands": True, "domains": [3, 3], "superlattice": [[4, 0], [0, 4]]},
        "nearfield": {"bands": [[800, 1050], [2900, 3300]]},
    },
)  # fmt: skip
with tempfile.TemporaryDirectory() as folder:
    dataset = tersgen.build(recipe, 24, Path(folder) / "scene.zarr")
    figure = draw_sample(dataset, 22, DrawOptions())
