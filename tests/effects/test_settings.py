"""Settings of effects are read without the kernels of the effects."""

import subprocess
import sys
from pathlib import Path

GOLDEN = Path(__file__).parents[1] / "golden" / "v4.zarr"

READ = """
import sys
import tersgen
tersgen.Recipe(nearfield={}, structure={}, instrument={})
dataset = tersgen.open(sys.argv[1])
dataset.sample(0), dataset.recipe.sections
print("numba" in sys.modules)
"""


def test_recipes_and_datasets_are_read_without_numba():
    command = [sys.executable, "-c", READ, GOLDEN]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout == "False\n"
