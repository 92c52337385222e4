"""Statistics and cost of the normal deviates that all noise is made of.

``python benchmarks/normals.py`` draws arrays of 4096, as a map has, over many indices, and prints
each statistic in standard errors, so that most lie within 2 and none beyond 5. ``--words`` writes
the uniform words to standard output instead, for a battery of tests:
``python benchmarks/normals.py --words | dieharder -a -g 200``.
"""

import argparse
import sys
import time
from math import erfc, sqrt
from pathlib import Path

import numba
import numpy as np
from machine import describe, write_json
from numpy.typing import NDArray
from scipy.stats import chi2, norm

from tersgen.random.normal import fill_normals
from tersgen.random.words import fill_words

F64 = NDArray[np.float64]
_N = 4096
_STREAM = 16
_EDGES = (3.0, 4.0, 4.5, 5.0, 5.5, 6.0)
_BINS, _WIDTH, _LOWEST = 12000, 0.001, -6.0


@numba.njit(nogil=True)
def tally(
    arrays: int, seed: int, histogram: NDArray[np.int64], moments: F64, lags: F64, energy: F64
) -> None:
    """Add up the powers, the products at lags and the energies of arrays of normals."""
    drawn, before = np.empty(_N, np.float32), np.zeros(_N)
    for index in range(arrays):
        fill_normals(drawn, index, 0, seed, _STREAM)
        x = drawn.astype(np.float64)
        square, squares = 0.0, x * x
        for k in range(_N):
            square += squares[k]
            power = 1.0
            for p in range(moments.shape[0]):
                power *= x[k]
                moments[p] += power
            histogram[min(max(int((x[k] - _LOWEST) / _WIDTH), 0), _BINS - 1)] += 1
        for q in range(lags.shape[1] - 1):
            for k in range(_N - (1 << q)):
                other = k + (1 << q)
                lags[0, q] += x[k] * x[other]
                lags[1, q] += (squares[k] - 1.0) * (squares[other] - 1.0)
        for k in range(_N):
            lags[0, -1] += x[k] * before[k]
            lags[1, -1] += (squares[k] - 1.0) * (before[k] * before[k] - 1.0)
            before[k] = x[k]
        energy[0] += square
        energy[1] += square * square


def statistics(arrays: int, seed: int) -> dict[str, object]:
    """Return the statistics of normals of one seed, in standard errors where not said otherwise."""
    histogram, moments = np.zeros(_BINS, np.int64), np.zeros(6)
    lags, energy = np.zeros((2, 13)), np.zeros(2)
    tally(arrays, seed, histogram, moments, lags, energy)
    n = arrays * _N
    mean = moments / n
    expected = (0.0, 1.0, 0.0, 3.0, 0.0, 15.0)
    spread = (1.0, 2.0, 15.0, 96.0, 945.0, 10170.0)
    edges = _LOWEST + _WIDTH * np.arange(1, _BINS)
    shares = np.diff(np.concatenate([[0.0], norm.cdf(edges), [1.0]]))
    distance = np.abs(np.cumsum(histogram)[:-1] / n - norm.cdf(edges)).max()
    enough = shares * n > 50
    chi = np.sum((histogram - shares * n)[enough] ** 2 / (shares * n)[enough])
    tails = {}
    for edge in _EDGES:
        k = round((edge - _LOWEST) / _WIDTH)
        found = int(histogram[k:].sum() + histogram[: _BINS - k].sum())
        wanted = n * erfc(edge / sqrt(2.0))
        tails[str(edge)] = round((found - wanted) / sqrt(wanted), 2)
    pairs = np.array([arrays * (_N - (1 << q)) for q in range(12)] + [(arrays - 1) * _N])
    variance = energy[1] / arrays - (energy[0] / arrays) ** 2
    return {
        "seed": seed,
        "normals": n,
        "moments": [
            round(float((found - one) * sqrt(n / by)), 2)
            for found, one, by in zip(mean, expected, spread, strict=True)
        ],
        "kolmogorov_smirnov_times_root_n": round(float(distance * sqrt(n)), 2),
        "chi_square_p": round(float(chi2.sf(chi, enough.sum())), 3),
        "beyond": tails,
        "lags": np.round(lags[0] / np.sqrt(pairs), 2).tolist(),
        "squares_at_lags": np.round(lags[1] / np.sqrt(4.0 * pairs), 2).tolist(),
        "variance_of_energy": round(float((variance / (2 * _N) - 1.0) / sqrt(2.0 / arrays)), 2),
    }


def cost() -> dict[str, float]:
    """Return nanoseconds of thread time for a word and for a normal."""
    words, normals = np.empty(_N, np.uint32), np.empty(_N, np.float32)
    best = {"word": 1e9, "normal": 1e9}
    for _ in range(100):
        for name, draw in (
            ("word", lambda: fill_words(words, 0, 5, 0, 1, _STREAM)),
            ("normal", lambda: fill_normals(normals, 5, 0, 1, _STREAM)),
        ):
            begun = time.thread_time_ns()
            for _ in range(100):
                draw()
            best[name] = min(best[name], (time.thread_time_ns() - begun) / 100 / _N)
    return {name: round(value, 3) for name, value in best.items()}


def write_words() -> None:
    """Write words without end, 4096 of each index in turn, for a battery of tests."""
    words, index = np.empty((64, _N), np.uint32), 0
    try:
        while True:
            for row in words:
                fill_words(row, 0, index, 0, 1, _STREAM)
                index += 1
            sys.stdout.buffer.write(words.tobytes())
    except BrokenPipeError:
        sys.stderr.close()


def main() -> int:
    """Draw, print, and write down."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--arrays", type=int, default=262_144, help="arrays of 4096, of each seed")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 77])
    parser.add_argument("--json", type=Path)
    parser.add_argument("--words", action="store_true", help="write the words to standard output")
    options = parser.parse_args()
    if options.words:
        write_words()
        return 0
    found = [statistics(options.arrays, seed) for seed in options.seeds]
    result = {"machine": describe(), "nanoseconds": cost(), "statistics": found}
    for one in (result["nanoseconds"], *found):
        print(one)
    if options.json:
        write_json(options.json, result)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
