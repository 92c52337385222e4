"""A small benchmark that is hard: 27 classes, in nine triplets that differ in one minor detail.

The challenge dataset of the authors of "Validating neural networks for spectroscopic classification
on a universal synthetic dataset", npj Comput. Mater. 9, 100 (2023). Three triplets differ in a peak
of 3.5 % of the largest, three in a position, three in a height; every peak of a training pattern is
moved by up to 50 points, and classes are 70 points apart, so no network can be perfect in training.

    python examples/challenge_benchmark.py challenge.npz
    tersgen ingest challenge.npz --out challenge.zarr
    ters-train fit --data challenge.zarr --config examples/runs/challenge.toml --out runs/challenge
    ters-train evaluate runs/challenge --data challenge.zarr

docs/outside_checks.md has the published scores, and ours.
"""

import sys

import numpy as np
from universal_benchmark import N_POINTS, scan

Peaks = tuple[np.ndarray, np.ndarray]
SHIFT, CHANGE = 50, 0.05
TEST_SHIFT, TEST_CHANGE = 30, 0.03
TRIPLETS = [
    # a minor peak: absent, here or there
    [([700, 3000], [0.7, 1]), ([700, 1800, 3000], [0.7, 0.035, 1]),
     ([700, 3000, 4200], [0.7, 1, 0.035])],
    [([920, 1115], [1, 0.4]), ([923, 1112, 1500], [1, 0.4, 0.035]),
     ([918, 1116, 1630], [1, 0.4, 0.035])],
    [([500, 2100], [0.9, 1]), ([500, 2100, 2260], [0.9, 1, 0.035]),
     ([500, 2100, 2260, 2750], [0.9, 1, 0.035, 0.035])],
    # a position
    [([700, 3000], [1, 0.7]), ([700, 3070], [1, 0.7]), ([700, 3140], [1, 0.7])],
    [([1230, 2103], [0.15, 1]), ([1300, 2101], [0.15, 1]), ([1370, 2098], [0.15, 1])],
    [([1230, 1750, 4700], [0.15, 0.2, 1]), ([1300, 1820, 4700], [0.15, 0.2, 1]),
     ([1370, 1890, 4700], [0.15, 0.2, 1])],
    # a height
    [([920, 1500], [0.08, 1]), ([920, 1500], [0.155, 1]), ([920, 1500], [0.23, 1])],
    [([1147, 2261], [1, 0.2]), ([1151, 2258], [1, 0.275]), ([1153, 2262], [1, 0.35])],
    [([302, 2750, 4198], [0.08, 1, 0.22]), ([300, 2750, 4200], [0.155, 1, 0.21]),
     ([299, 2750, 4202], [0.23, 1, 0.23])],
]  # fmt: skip
"""Positions (point) and heights of the peaks of each class."""
LEFT, STAY, RIGHT = -TEST_SHIFT, 0, TEST_SHIFT
LESS, SAME, MORE = -TEST_CHANGE, 0.0, TEST_CHANGE
ALL = (STAY, LEFT, RIGHT)
TESTED = (
    *3 * (3 * (((SAME, LESS), ALL),),),
    *3 * ((((SAME, MORE, LESS), (STAY, RIGHT)), ((SAME, MORE, LESS), (LEFT, RIGHT)),
           ((SAME, MORE, LESS), (STAY, LEFT))),),
    *3 * ((((SAME, MORE), ALL), ((LESS, MORE), ALL), ((SAME, LESS), ALL)),),
)  # fmt: skip
"""Changes of heights and of positions of each class in the test: none may look like another's."""


def classes() -> list[Peaks]:
    """Return positions and heights of the peaks of each class."""
    return [(np.array(x), np.array(h, float)) for triplet in TRIPLETS for x, h in triplet]


def varied(peaks: Peaks, rng: np.random.Generator) -> np.ndarray:
    """Return a pattern whose peaks are moved, each by itself, and lower or higher but for 1."""
    positions, heights = peaks
    moved = np.array([rng.integers(x - SHIFT, x + SHIFT) for x in positions])
    changed = [h if h == 1 else rng.uniform(h - CHANGE, h + CHANGE) for h in heights]
    line = np.clip(moved, 0, N_POINTS - 1), np.clip(changed, 0, 2)
    return scan(*line, rng.uniform(2, 5))


def tested(peaks: Peaks, changes: tuple[float, ...], shifts: tuple[int, ...]) -> list[np.ndarray]:
    """Return the patterns of a class that are scored: all peaks moved and changed together."""
    positions, heights = peaks
    return [
        scan(positions + shift, np.clip(np.where(heights == 1, 1, heights + change), 0, 2), 2.0)
        for change in changes
        for shift in shifts
    ]


def main(output: str) -> None:
    """Write all parts into one file."""
    rng = np.random.default_rng(2022)
    parts: dict[str, list[np.ndarray]] = {"train": [], "val": [], "test": []}
    test_rules = [rule for triplet in TESTED for rule in triplet]
    for peaks, (changes, shifts) in zip(classes(), test_rules, strict=True):
        parts["train"] += [varied(peaks, rng) for _ in range(50)]
        parts["val"] += [varied(peaks, rng) for _ in range(10)]
        parts["test"] += tested(peaks, changes, shifts)
    n_classes = len(test_rules)
    np.savez(
        output,
        spectra=np.concatenate(list(parts.values())).astype(np.float32),
        shift_cm1=np.arange(N_POINTS, dtype=np.float64),
        label=np.concatenate(
            [np.repeat(np.arange(n_classes), len(rows) // n_classes) for rows in parts.values()]
        ),
        classes=np.array([f"class {k:02d}" for k in range(n_classes)]),
        part=np.concatenate([np.full(len(rows), name) for name, rows in parts.items()]),
    )
    print(", ".join(f"{len(rows)} patterns for {name}" for name, rows in parts.items()))


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "challenge.npz")
