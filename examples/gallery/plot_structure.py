"""
Maps and the structure behind them
==================================

A sample of ``--preset structure``: four of its bands, the masks of its atoms, and its bonds,
which networks learn.
"""

import tempfile
from pathlib import Path

import tersgen
from tersgen.plotting.sample_images import DrawOptions
from tersgen.plotting.samples import draw_sample
from tersgen.schema.presets import PRESETS, merged

BANDS = [[800, 1050], [1050, 1250], [1450, 1700], [2500, 3900]]

recipe = merged(
    PRESETS["structure"],
    {
        "seed": 5, "noise": {"map": [0.004, 0.004]}, "map": {"height": 96, "width": 96},
        "library": ["sites:pyridine"],
        "nearfield": {"bands": BANDS, "frame_angstrom": [14, 14]},
    },
)  # fmt: skip
with tempfile.TemporaryDirectory() as folder:
    dataset = tersgen.build(recipe, 4, Path(folder) / "structure.zarr")
    figure = draw_sample(dataset, 0, DrawOptions())
