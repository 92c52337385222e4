"""Kill a training with SIGKILL, go on with it, and compare it with one that was never killed.

Run: python examples/resume.py    writes into ./resumed
"""

import signal
import subprocess
import sys
import time
from pathlib import Path

from safetensors.numpy import load_file

DATA, KILLED, WHOLE = (str(Path("resumed") / name) for name in ("data.zarr", "killed", "whole"))
TRAIN = [sys.executable, "-m", "ters_train", "fit"]
OPTIONS = ["--data", DATA, "--epochs", "2", "--batch-size", "64", "--checkpoint-steps", "5"]


def weights(run: str) -> dict:
    """Return the weights of a run at its last checkpoint."""
    folders = sorted((Path(run) / "checkpoints").glob("step-?????????"))
    return load_file(folders[-1] / "model.safetensors")


build = ["build", "--n", "2048", "--set", "grid.n_points=256", "--set", "fields.maps=false"]
subprocess.run([sys.executable, "-m", "tersgen", *build, "--out", DATA], check=True)
split = ["split", DATA, "--ratios", "train=0.8,val=0.1,test=0.1"]
subprocess.run([sys.executable, "-m", "tersgen", *split], check=True)

training = subprocess.Popen([*TRAIN, *OPTIONS, "--out", KILLED])
while training.poll() is None and not [*Path(KILLED).glob("checkpoints/step-?????????")]:
    time.sleep(0.02)
training.kill()  # SIGKILL: nothing can be put in order any more
assert training.wait() == -signal.SIGKILL, "it was quicker than this script"

subprocess.run([*TRAIN, "--resume", KILLED], check=True)
subprocess.run([*TRAIN, *OPTIONS, "--out", WHOLE], check=True)

after, never = weights(KILLED), weights(WHOLE)
assert after.keys() == never.keys()
assert all((after[name] == never[name]).all() for name in never)
print("the same weights, to the bit")
