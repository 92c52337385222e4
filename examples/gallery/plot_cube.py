"""
A recorded hyperspectral cube
=============================

A sample of ``--preset realistic_cube``: a counted spectrum at each of 32 x 32 pixels; its mean
spectrum and four of its channels, with blinks, dead pixels and cosmic rays.
"""

import tempfile
from pathlib import Path

import tersgen
from tersgen.plotting.sample_images import DrawOptions
from tersgen.plotting.samples import draw_sample

with tempfile.TemporaryDirectory() as folder:
    dataset = tersgen.build("realistic_cube", 16, Path(folder) / "cube.zarr")
    figure = draw_sample(dataset, 6, DrawOptions(channels=(10, 38, 40, 143), labels=False))
