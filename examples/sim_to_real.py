"""Train on synthetic spectra alone, and name measured ones.

    python examples/sim_to_real.py --n 100000 --sticks minerals/*.csv --real measured/

Classes are the built-in crystals and tables of sticks (position, intensity, width), one to a
substance. The preset ``realistic`` records them with unknown resolution, calibration, fluorescence
and noise, so that the network has seen worse than the instrument at hand. ``--real`` is a folder of
measured spectra (texts, JCAMP-DX, .wdf), in folders named as their classes.
"""

import argparse
import subprocess
import sys
from pathlib import Path

STICKS = sorted((Path(__file__).parent / "sticks").glob("poly*.csv"))


def call(*arguments: object) -> None:
    """Run a command of tersgen or ters_train, shown first."""
    print("$", *arguments, flush=True)
    done = subprocess.run([sys.executable, "-m", *map(str, arguments)], check=False)
    if done.returncode:
        sys.exit(done.returncode)  # it has said why


def main() -> None:
    """Build, split, train, and predict."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--n", type=int, default=600, help="synthetic spectra")
    parser.add_argument("--epochs", type=int, default=1)
    parser.add_argument("--sticks", type=Path, nargs="*", default=STICKS, help="tables of sticks")
    parser.add_argument("--grid", default="100:3400:2048", help="START:STOP:POINTS, cm^-1")
    parser.add_argument("--real", type=Path, help="folder of measured spectra")
    parser.add_argument("--out", type=Path, default=Path("sim_to_real"))
    options = parser.parse_args()
    start, stop, points = options.grid.split(":")
    data, run = options.out / "synthetic.zarr", options.out / "run"
    library = [text for one in ("crystals", *options.sticks) for text in ("--library", one)]
    call(
        "tersgen", "build", "--preset", "realistic", *library, "--n", options.n, "--out", data,
        "--set", f"grid.start_cm1={start}", "--set", f"grid.stop_cm1={stop}",
        "--set", f"grid.n_points={points}",
        "--set", "fields.tensors=false", "--set", "fields.sticks=false",
    )  # fmt: skip
    call("tersgen", "split", data)
    call(
        "ters_train", "fit", "--data", data, "--out", run, "--epochs", options.epochs,
        "--set", "model.options.features=flat", "--set", "model.options.dropout=0.3",
    )  # fmt: skip
    call("ters_train", "evaluate", run, "--data", data)
    if options.real is None:
        return
    real = options.out / "real.zarr"
    call(
        "tersgen", "ingest", options.real, "--label-from", "folder", "--like", data, "--out", real,
        "--allow-extrapolation", "--skip-bad", "--overwrite",
    )  # fmt: skip
    call("tersgen", "split", real, "--ratios", "test=1.0", "--overwrite")
    call("ters_train", "evaluate", run, "--data", real)


if __name__ == "__main__":
    main()
