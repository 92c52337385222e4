"""
Mixtures
========

Six samples of ``--preset mixture``: bands of every species, and the composition as ground truth.
"""

import tempfile
from pathlib import Path

import tersgen
from tersgen.plotting.sample_images import DrawOptions
from tersgen.plotting.samples import draw_rows
from tersgen.schema.presets import PRESETS, merged

species = [f"builtin:{name}" for name in ("benzene", "pyridine", "thiophenol", "thymine")]
recipe = merged(PRESETS["mixture"], {"seed": 2, "library": species})
with tempfile.TemporaryDirectory() as folder:
    dataset = tersgen.build(recipe, 64, Path(folder) / "mixture.zarr")
    figure = draw_rows(dataset, range(6), DrawOptions(span_cm1=(900, 1700)))
