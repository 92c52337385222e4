"""
Maps of one molecule
====================

Benzene under a tip in four bands, 12 x 12 Angstrom: modes that are dark in the far field appear
(``--preset nearfield``).
"""

import tempfile
from pathlib import Path

import tersgen
from tersgen.plotting.sample_images import DrawOptions
from tersgen.plotting.samples import draw_sample

recipe = {
    "library": ["builtin:benzene"],
    "lineshape": {"profile": "lorentzian"},
    "map": {"height": 64, "width": 64, "background": [0.0, 0.0], "amplitude": [1.0, 1.0]},
    "noise": {"map": [0.0, 0.0]},
    "fields": {"spectra": False, "sticks": False, "precision": "float32"},
    "nearfield": {
        "width_angstrom": [3.5, 3.5], "height_angstrom": [2.5, 2.5], "frame_angstrom": [12, 12],
        "bands": [[950, 1030], [1422, 1502], [1542, 1622], [3040, 3120]],
    },
}  # fmt: skip
with tempfile.TemporaryDirectory() as folder:
    dataset = tersgen.build(recipe, 8, Path(folder) / "benzene.zarr")
    figure = draw_sample(dataset, 0, DrawOptions())
