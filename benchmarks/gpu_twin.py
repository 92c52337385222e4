"""Generation on a device, by torch operations, beside the kernels on one thread of the processor.

``python benchmarks/gpu_twin.py --device cuda --json gpu_twin.json``. Every row that is timed is
first compared with that of the kernels, bit for bit: ``different_bytes`` must be 0. Times are of a
warm device, best of ``--repeats``; on a processor they are processor time of one thread.
"""

import argparse
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from machine import describe, write_json

import tersgen
from tersgen.generator import Generator
from tersgen.on_torch import TorchGenerator

RECIPES: dict[str, dict[str, Any]] = {
    "canonical": {},
    "spectra": {"fields": {"maps": False, "tensors": False, "sticks": False, "params": False}},
    "maps": {"fields": {"spectra": False, "tensors": False, "sticks": False, "params": False}},
}


def seconds(work: Any, device: torch.device, repeats: int) -> float:
    """Return the least time that some work takes."""
    best = float("inf")
    clock = time.process_time if device.type == "cpu" else time.perf_counter
    for _ in range(repeats):
        begun = clock()
        work()
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        best = min(best, clock() - begun)
    return best


def measure(settings: dict[str, Any], device: torch.device, n: int, repeats: int) -> dict[str, Any]:
    """Compare and time one recipe."""
    recipe = tersgen.resolve(tersgen.Recipe.model_validate(settings))
    kernels, twin = Generator(recipe), TorchGenerator(recipe, device)
    wanted, made = kernels.block(0, n, 1), twin.block(0, n)
    different = sum(
        int((values.view(np.uint8) != made[name].cpu().numpy().view(np.uint8)).sum())
        for name, values in wanted.items()
    )
    buffer = kernels.buffer(n)
    cpu = torch.device("cpu")
    by_kernels = n / seconds(lambda: kernels.fill(0, buffer), cpu, repeats)
    by_torch = n / seconds(lambda: twin.block(0, n), device, repeats)
    return {
        "rows": n,
        "different_bytes": different,
        "kernels_rows_per_second_and_thread": round(by_kernels),
        "torch_rows_per_second": round(by_torch),
        "ratio": round(by_torch / by_kernels, 4),
    }


def main() -> int:
    """Measure, print, and write down."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--n", type=int, help="rows; by default 65536, on a processor 1024")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    device = torch.device(options.device)
    n = options.n or (1024 if device.type == "cpu" else 65536)
    if device.type == "cpu":
        torch.set_num_threads(1)
    found = {}
    for name, settings in RECIPES.items():
        found[name] = measure(settings, device, n, options.repeats)
        print(name, found[name], flush=True)
    if options.json:
        name = torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu"
        machine = {**describe(), "device": name, "torch": torch.__version__}
        write_json(options.json, {"machine": machine, "recipes": found})
    return int(any(one["different_bytes"] for one in found.values()))


if __name__ == "__main__":
    raise SystemExit(main())
