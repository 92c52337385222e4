"""A benchmark with known arrays and known scores: 500 classes of patterns of at most ten peaks.

"Validating neural networks for spectroscopic classification on a universal synthetic dataset",
npj Comput. Mater. 9, 100 (2023). The arrays are made as there, and their sums must be those known;
then they are rows as if they had been measured:

    python examples/universal_benchmark.py universal.npz
    tersgen ingest universal.npz --out universal.zarr
    ters-train fit --data universal.zarr --config examples/runs/universal.toml --out runs/universal
    ters-train evaluate runs/universal --data universal.zarr

docs/outside_checks.md has the published scores, and ours.
"""

import sys

import numpy as np
from scipy.ndimage import gaussian_filter1d

N_CLASSES, N_POINTS = 500, 5000
SUMS = {"train": 55926.34486537, "val": 11180.38198828, "test": 10072.416}
SHIFT_17, HEIGHT_025 = (8, 318), (164, 281, 219, 347)
"""Classes that would be mixed up if they moved as far as the others in the test."""


def make_classes() -> list[tuple[np.ndarray, np.ndarray]]:
    """Return positions (point) and heights of the peaks of each class, by position."""
    rng = np.random.default_rng(2022)
    classes = []
    for _ in range(N_CLASSES):
        n = round(rng.gamma(1.2, 1.2) + 2)
        positions = rng.integers(100, 4900, n)[:10]
        heights = rng.integers(1, 100, n, endpoint=True)[:10]
        heights = np.round(heights / heights.max(), 3)
        order = np.argsort(positions)
        classes.append((positions[order], heights[order]))
    return classes


def scan(positions: np.ndarray, heights: np.ndarray, sigma: float) -> np.ndarray:
    """Return a pattern of 5000 points: peaks of width sigma (point) at their positions."""
    line = np.zeros(N_POINTS)
    line[positions] = heights
    return gaussian_filter1d(line, sigma, mode="constant")


def make_samples(
    classes: list[tuple[np.ndarray, np.ndarray]], counts: tuple[int, ...]
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return patterns and labels of each part: so many of each class, randomly changed."""
    rng = np.random.default_rng(2022)
    parts: list[list[np.ndarray]] = [[] for _ in counts]
    for positions, heights in classes:
        for part, count in zip(parts, counts, strict=True):
            for _ in range(count):
                moved = rng.integers(positions - 50, positions + 50)
                changed = rng.uniform(heights - 0.05, heights + 0.05)
                sigma = rng.uniform(2, 5)
                part.append(scan(np.clip(moved, 0, N_POINTS - 1), np.clip(changed, 0, 2), sigma))
    labels = [np.repeat(np.arange(N_CLASSES), count) for count in counts]
    return [(np.array(part), label) for part, label in zip(parts, labels, strict=True)]


def make_test(classes: list[tuple[np.ndarray, np.ndarray]]) -> tuple[np.ndarray, np.ndarray]:
    """Return the nine patterns of each class that are scored: moved and changed by fixed steps."""
    patterns = []
    for label, (positions, heights) in enumerate(classes):
        far = 17 if label in SHIFT_17 else 30
        much = 0.025 if label in HEIGHT_025 else 0.04
        for shift in (0, -far, far):
            for change in (0.0, much, -much):
                changed = np.clip(np.where(heights == 1.0, 1.0, heights + change), 0, 2)
                patterns.append(scan(positions + shift, changed, 2.0))
    return np.array(patterns), np.repeat(np.arange(N_CLASSES), 9)


def main(output: str | None) -> None:
    """Check that the sums are those known, and write all parts into one file."""
    classes = make_classes()
    train, val = make_samples(classes, (50, 10))
    parts = {"train": train, "val": val, "test": make_test(classes)}
    for name, (patterns, _) in parts.items():
        print(f"{name}: {len(patterns)} patterns, sum {patterns.sum():.8f}, known {SUMS[name]}")
        if abs(patterns.sum() - SUMS[name]) > 1e-7 * SUMS[name]:
            sys.exit(f"{name}: expected a sum of {SUMS[name]}: these are other arrays")
    if output is None:
        return
    np.savez(
        output,
        spectra=np.concatenate([patterns for patterns, _ in parts.values()]).astype(np.float32),
        shift_cm1=np.arange(N_POINTS, dtype=np.float64),
        label=np.concatenate([labels for _, labels in parts.values()]),
        classes=np.array([f"class {k:03d}" for k in range(N_CLASSES)]),
        part=np.concatenate([np.full(len(labels), name) for name, (_, labels) in parts.items()]),
    )


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else None)
