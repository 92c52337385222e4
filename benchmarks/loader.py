"""Shuffled epochs of tersgen's stream beside those of other loaders, on the same samples.

Three steps, which may be run apart: ``prepare`` makes the environment and the files of every peer,
``measure`` adds rounds to what was measured before, ``report`` sums all rounds up. In a round every
case runs once, one after the other, each in a process of its own; ratios are taken within a round.
"""

import argparse
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
from loader_stock import ALL_PEERS, Stock, find_python312
from machine import Json, describe, spread, write_json
from peers.common import APART

STEPS = ("prepare", "measure", "report")
PARTS = ("settings", "warm", "cold", "ours", "slow", "memory")


OURS = {
    "tersgen": ("dataset.zarr", "float16"),
    "tersgen, widened": ("dataset.zarr --widen", "float16, handed over as float32"),
    "tersgen, float32": ("float32.zarr", "float32"),
    "tersgen, not compressed": ("plain.zarr", "float16"),
    "tersgen, hdf5": ("dataset.h5", "float16"),
    "tersgen, not compressed, read": ("plain.zarr --reads", "float16, no file mapped"),
    "tersgen, hdf5, read": ("dataset.h5 --reads", "float16, no file mapped"),
}


class Bench:
    """What was measured so far, and what is measured now."""

    def __init__(self, stock: Stock) -> None:
        self.stock, self.n = stock, stock.n
        self.results = stock.data / "rounds.jsonl"

    def add(self, part: str, results: Json) -> None:
        """Remember a round."""
        with self.results.open("a", encoding="utf-8") as file:
            file.write(json.dumps({"part": part, "n": self.n, "results": results}) + "\n")

    def rounds(self, part: str) -> list[Json]:
        """Return all rounds of a part; settings may have been tried with fewer rows."""
        files = [self.results]
        if part == "settings":
            files = sorted(self.stock.data.parent.glob(f"*/{self.results.name}"))
        lines = [
            json.loads(line)
            for file in files
            if file.exists()
            for line in file.read_text(encoding="utf-8").splitlines()
        ]
        return [line["results"] for line in lines if line["part"] == part]

    def best_settings(self) -> dict[str, str]:
        """Return the quickest setting of each peer, of all that were tried."""
        best: dict[str, tuple[int, float, str]] = {}
        for tried in self.rounds("settings"):
            for name, settings in tried.items():
                for setting, result in settings.items():
                    if "seconds" in result:  # a try with more rows counts before one with fewer
                        n = result["samples"]
                        mark = (-n, result["seconds"] / n, setting)
                        case = f"{name}, {APART}" if setting.endswith(APART) else name
                        best[case] = min(best.get(case, mark), mark)
        return {name: setting for name, (_, _, setting) in best.items()}

    def try_settings(self) -> None:
        """Try every setting of each peer once, and check that all read the same samples."""
        expected = self.stock.ours("dataset.zarr --check")["sums"]
        expected.pop("row")
        for peer in self.stock.able():
            folder = str(self.stock.data / peer.name)
            checked = set()  # of packed rows and of fields apart, the first setting
            for setting in json.loads(self.stock.run(peer, "settings")):
                try:
                    if (layout := setting.endswith(APART)) not in checked:
                        checked.add(layout)
                        line = self.stock.run(peer, "read", folder, "--setting", setting, "--check")
                        compare_sums(json.loads(line)["sums"], expected)
                    line = self.stock.run(peer, "read", folder, "--setting", setting)
                    result = json.loads(line)
                    shown = f"{self.rate(result):10.0f} samples/s"
                except (subprocess.SubprocessError, RuntimeError) as error:
                    said = getattr(error, "stderr", None) or str(error)
                    result = {"failed": said.strip().splitlines()[-1]}
                    shown = f"FAILED: {result['failed']}"
                print(f"{peer.name:<12} {setting:<55} {shown}", flush=True)
                self.add("settings", {peer.name: {setting: result}})

    @staticmethod
    def rate(result: Json) -> float:
        """Return samples per second."""
        return result["samples"] / result["seconds"]

    def beside_peers(self, cold: bool) -> None:
        """Run all peers at their best settings, and our own stream."""
        best = self.best_settings()
        extra = ["--cold"] if cold else []
        results: Json = {}
        for name, (arguments, _) in OURS.items():
            results[name] = self.stock.ours(" ".join([arguments, *extra]))
            self.show(name, results[name])
        for peer in self.stock.able():
            for name in (peer.name, f"{peer.name}, {APART}"):
                if name in best:
                    folder, setting = str(self.stock.data / peer.name), best[name]
                    line = self.stock.run(peer, "read", folder, "--setting", setting, *extra)
                    results[name] = json.loads(line)
                    self.show(f"{name} ({setting})", results[name])
        self.add("cold" if cold else "warm", results)
        labels = results["tersgen"]["labels"]
        for name, result in results.items():
            extra_rows = result["samples"] - self.n  # mosaicml-streaming repeats a few, by design
            wrong = (
                result["labels"] != labels if not extra_rows else not 0 < extra_rows < self.n / 50
            )
            if wrong:
                raise RuntimeError(f"{name}: read other samples: {result}")

    def show(self, name: str, result: Json) -> None:
        """Print a rate."""
        print(f"{name:<75} {self.rate(result):>10.0f} samples/s", flush=True)

    def cases(self, cases: dict[str, str], part: str) -> None:
        """Run cases of our own stream."""
        results: Json = {}
        for name, arguments in cases.items():
            results[name] = self.stock.ours(arguments)
            if "seconds" in results[name]:
                self.show(f"{name} ({results[name].get('threads')} threads)", results[name])
            else:
                print(name, results[name])
        self.add(part, results)

    def measure(self, part: str) -> None:
        """Run one round of a part."""
        if part == "settings":
            self.try_settings()
        elif part in ("warm", "cold"):
            self.beside_peers(part == "cold")
        elif part == "ours":
            counts = {f"{k} threads": f"dataset.zarr --threads {k}" for k in (1, 2, 4, 8)}
            self.cases(
                {
                    "threads adapt": "dataset.zarr",
                    **counts,
                    "spectra and label": "dataset.zarr --fields spectra label",
                    "hdf5": "dataset.h5",
                    "recipe": "recipe.toml",
                    "generation in memory": "recipe.toml --generate",
                },
                part,
            )
        elif part == "slow":
            self.cases(
                {
                    f"{1e3 * delay:.0f} ms a read, {threads or 'adapting'} threads": " ".join(
                        ["dataset.zarr", "--delay", str(delay)]
                        + (["--threads", str(threads)] if threads else [])
                    )
                    for delay in (0.001, 0.02)
                    for threads in (None, 16, 64, 128)
                },
                part,
            )
        elif part == "memory":
            self.cases({"ten epochs": "dataset.zarr --memory 10"}, part)

    # summing up

    def over(self, part: str, one: str, other: str, clock: str = "seconds") -> Json | None:
        """Return the ratio of two rates, taken within rounds."""
        both = [found for found in self.rounds(part) if one in found and other in found]
        if not both:
            return None
        return spread(
            [
                found[one]["samples"]
                / found[one][clock]
                / (found[other]["samples"] / found[other][clock])
                for found in both
            ],
            3,
        )

    def ratios(self) -> Json:
        """Return all ratios that were measured."""
        wanted = [
            (part, name, other)
            for part in ("warm", "cold")
            for peer in self.stock.peers
            for other in (peer.name, f"{peer.name}, {APART}")
            for name in OURS
        ]
        wanted += [
            *((part, "tersgen, not compressed", "tersgen") for part in ("warm", "cold")),
            *((part, "tersgen, hdf5", "tersgen, not compressed") for part in ("warm", "cold")),
            ("warm", "tersgen, hdf5", "tersgen"),
            ("cold", "tersgen, hdf5", "tersgen"),
            ("ours", "recipe", "generation in memory"),
            *(("ours", f"{count} threads", "1 threads") for count in (2, 4, 8)),
            ("ours", "spectra and label", "threads adapt"),
        ]
        found = {
            f"{part}: {one} / {other}": self.over(part, one, other) for part, one, other in wanted
        }
        found |= {
            f"warm, processor time: {name} / memmap": self.over(
                "warm", name, "memmap", "cpu_seconds"
            )
            for name in OURS
        }
        return {name: ratio for name, ratio in found.items() if ratio}

    def rates(self) -> Json:
        """Return all rates that were measured."""
        collected: dict[str, list[float]] = {}
        for part in PARTS[1:-1]:
            for found in self.rounds(part):
                for name, result in found.items():
                    collected.setdefault(f"{part}: {name}", []).append(self.rate(result))
        return {name: spread(values) for name, values in collected.items()}

    def report(self) -> Json:
        """Print all rates and ratios, and return them."""
        dtypes = {name: dtype for name, (_, dtype) in OURS.items()}
        for peer in self.stock.peers:
            dtypes |= dict.fromkeys((peer.name, f"{peer.name}, {APART}"), peer.dtype)
        rates, ratios, best = self.rates(), self.ratios(), self.best_settings()
        print(f"\n{'samples per second':<52} {'median':>9} {'min':>9} {'max':>9}")
        for name, value in rates.items():
            case = name.split(": ", 1)[1]
            note = "; ".join(filter(None, (dtypes.get(case), best.get(case))))
            print(f"{name:<52} {value['median']:>9} {value['min']:>9} {value['max']:>9}  {note}")
        print(f"\n{'ratio of rates':<52} {'median':>9} {'min':>9} {'max':>9}")
        for name, value in ratios.items():
            print(f"{name:<52} {value['median']:>9} {value['min']:>9} {value['max']:>9}")
        for name, said in self.stock.failures.items():
            print(f"\n{name} could not be prepared: {said}")
        for found in self.rounds("memory"):
            print("\nmemory over ten epochs:", found["ten epochs"])
        able = list(self.stock.able())
        return {
            "machine": describe(),
            "n": self.n,
            "peers": {
                peer.name: {
                    "dtype": peer.dtype,
                    "setting": best.get(peer.name),
                    f"setting, {APART}": best.get(f"{peer.name}, {APART}"),
                    "versions": self.stock.versions(peer),
                    "bytes": self.stock.bytes_of(peer),
                }
                for peer in able
            },
            "dtypes": {name: dtype for name, (_, dtype) in OURS.items()},
            "failed": self.stock.failures,
            "samples_per_s": rates,
            "ratios": ratios,
            "settings_tried": self.rounds("settings"),
            "memory": self.rounds("memory"),
        }


def compare_sums(found: Json, expected: Json) -> None:
    """Refuse sums of fields that are not those of our own stream, if it is the same rows."""
    extra = found["samples"] - expected["samples"]
    if 0 < extra < expected["samples"] / 50:
        return  # some repeat a few rows, by design, to fill up their windows
    for name, value in expected.items():
        if not np.isclose(found.get(name, np.nan), value, rtol=1e-6, atol=1e-3):
            raise RuntimeError(f"{name}: expected a sum of {value}, got {found.get(name)}")


def main() -> int:
    """Compare shuffled epochs of tersgen's stream with those of other loaders."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("steps", nargs="*", help=f"of {', '.join(STEPS)}; all by default")
    parser.add_argument("--n", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=PARTS, help="what to measure")
    parser.add_argument("--peers", nargs="+", help="some peers only; all by default")
    parser.add_argument("--data", type=Path, required=True, help="folder for files, kept for reuse")
    parser.add_argument("--envs", type=Path, required=True, help="folder for environments, kept")
    parser.add_argument("--python312", help="for peers that want it; found by itself if possible")
    parser.add_argument("--json", type=Path, help="write the result here")
    options = parser.parse_args()
    if unknown := set(options.steps) - set(STEPS):
        parser.error(f"expected steps of {', '.join(STEPS)}, got {', '.join(unknown)}")
    steps = options.steps or STEPS
    names = options.peers or [peer.name for peer in ALL_PEERS]
    if unknown := set(names) - {peer.name for peer in ALL_PEERS}:
        parser.error(f"no such peers: {', '.join(unknown)}")
    peers = [peer for peer in ALL_PEERS if peer.name in names]
    stock = Stock(options.data, options.envs, options.n, peers)
    bench = Bench(stock)
    if "prepare" in steps:
        stock.prepare(find_python312(options.python312))
    if "measure" in steps:
        for part in options.parts:
            for _ in range(1 if part in ("settings", "memory") else options.rounds):
                bench.measure(part)
    if "report" in steps:
        write_json(options.json, bench.report())
    return 0


if __name__ == "__main__":
    sys.exit(main())
