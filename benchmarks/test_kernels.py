"""Times of single kernels: ``pytest benchmarks --benchmark-only``."""

from typing import Any

import numpy as np
import pytest
from numpy_generator import CANONICAL

from tersgen.dataset.recipes import load_recipe
from tersgen.effects.hotspots.kernels import add_hotspots, fill_profile
from tersgen.generator import Buffer, Generator
from tersgen.numeric.lineshape import GAUSSIAN, add_sticks
from tersgen.random import streams
from tersgen.random.normal import fill_normals
from tersgen.resolution import resolve
from tersgen.store.digest import leaf_digests
from tersgen.store.encode import encode_chunk

_ROWS = 256


@pytest.fixture(scope="module")
def generator() -> Generator:
    """Return the generator of the canonical sample."""
    return Generator(resolve(load_recipe(CANONICAL)))


@pytest.fixture(scope="module")
def block(generator: Generator) -> Buffer:
    """Return one chunk of rows."""
    buffer = generator.buffer(_ROWS)
    generator.fill(0, buffer)
    return buffer


def test_fill_normals(benchmark: Any) -> None:
    out = np.empty(4096, np.float32)
    fill_normals(out, 0, 0, 0, streams.MAP_NOISE)
    benchmark(fill_normals, out, 1, 0, 0, streams.MAP_NOISE)
    assert abs(out.std() - 1) < 0.1


def test_add_sticks(benchmark: Any) -> None:
    spectrum = np.zeros(1024, np.float32)
    positions = np.linspace(200.0, 3800.0, 24)
    areas, fwhms = np.ones(24), np.full(24, 15.0)
    arguments = (spectrum, 100.0, 3900.0 / 1023, positions, areas, fwhms, GAUSSIAN, 0.5)
    add_sticks(*arguments)
    benchmark(add_sticks, *arguments)
    assert spectrum.max() > 0


def test_add_hotspots(benchmark: Any) -> None:
    rows, columns = np.zeros((8, 64), np.float32), np.zeros((8, 64), np.float32)
    for j in range(5):
        fill_profile(rows[j], 10.0 * j + 12.0, 4.0)
        fill_profile(columns[j], 50.0 - 10.0 * j, 4.0)
    amplitudes = np.array([1.0] * 5 + [0.0] * 3, np.float32)
    image = np.zeros((64, 64), np.float32)
    add_hotspots(image, rows, columns, amplitudes)
    benchmark(add_hotspots, image, rows, columns, amplitudes)
    assert image.max() > 0


def test_fill_chunk(benchmark: Any, generator: Generator, block: Buffer) -> None:
    benchmark(generator.fill, 0, block)
    assert np.isfinite(block.arrays["spectra"]).all()


@pytest.mark.parametrize("name", ["spectra", "maps", "tensors", "sticks/position", "label"])
def test_encode_chunk(benchmark: Any, generator: Generator, block: Buffer, name: str) -> None:
    spec = next(spec for spec in generator.table if spec.name == name)
    chunk = benchmark(encode_chunk, block.arrays[name], spec)
    assert chunk.size > 4


def test_leaf_digests_of_maps(benchmark: Any, block: Buffer) -> None:
    leaves = benchmark(leaf_digests, block.arrays["maps"], _ROWS)
    assert len(leaves) == 1
