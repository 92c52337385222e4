"""Reads a dataset again and again while its files are truncated; started by test_mapping.py.

``python read_mapped.py DATASET`` prints "whole" after two rounds without damage, from the second on
out of mapped files, and "damaged" after one with damage; each once, until the other comes. It goes
on until its standard input ends, and then prints how many blocks were good, damaged and wrong.
"""

import json
import sys
import threading

import numpy as np

import tersgen
from tersgen.dataset.sources import Copies, ReadTimes
from tersgen.errors import DamagedDataError
from tersgen.store import bus_errors

CHUNK = 64


def say(line: str) -> None:
    """Print a line at once."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def main() -> None:
    """Read until the other side has seen enough."""
    dataset = tersgen.open(sys.argv[1])
    n = dataset.n_samples
    wanted = {
        name: field[:].reshape(n, -1).view(np.uint8) for name, field in dataset.fields.items()
    }
    names = [name for name, rows in wanted.items() if rows.shape[1] > 128]
    source = dataset.blocks(names)
    out = {name: np.zeros_like(wanted[name][:CHUNK]) for name in names}
    rows = np.arange(CHUNK)
    ended = threading.Event()
    threading.Thread(target=lambda: (sys.stdin.read(), ended.set()), daemon=True).start()
    counts = {"good": 0, "damaged": 0, "wrong": 0}
    last, clean = "", 0
    while not ended.is_set():
        damaged = counts["damaged"]
        for low in range(0, n, CHUNK):
            try:
                source.read_into(low, [Copies(rows, out, rows)], ReadTimes())
            except DamagedDataError:
                counts["damaged"] += 1
                continue
            same = all(np.array_equal(out[name], wanted[name][low : low + CHUNK]) for name in names)
            counts["good" if same else "wrong"] += 1
        clean = clean + 1 if counts["damaged"] == damaged else 0
        state = "damaged" if not clean else "whole" if clean >= 2 else last
        if state != last:
            say(state)
        last = state
    say(json.dumps({**counts, "faults": bus_errors.faults()}))


if __name__ == "__main__":
    main()
