"""Put the kernels' machine code into a wheel, where Numba can be imported while it is built.

Release wheels are built so: ``pip wheel --no-deps --no-build-isolation .``, in an environment with
the versions of Numba, NumPy and Python that they are for. ``pip install .`` builds in an empty
environment; its wheel brings no machine code, and kernels are compiled at first use.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

try:
    from hatchling.builders.hooks.plugin.interface import BuildHookInterface
except ImportError:  # where the file is run to compile
    BuildHookInterface = object

_ROOT = Path(__file__).parent
_RECIPES = (
    "",
    "--preset canonical",
    "--preset canonical --precision float32",
    "--preset canonical --precision uint12",
    "--preset canonical --library random:3 --library crystals",
    "--config examples/canonical.toml",
    "--config examples/mixed.toml",
    "--preset ideal",
    "--preset realistic",
    "--preset realistic --precision float32",
    "--preset mixture",
    "--preset mixture --preset realistic",
    "--preset nearfield --precision float16",
    "--preset nearfield --set fields.cube=true --set map.height=16 --set map.width=16",
    "--preset realistic --preset nearfield",
    "--preset structure",
    "--preset scene",
    "--config examples/structure.toml",
    "--preset canonical --format hdf5",
)
"""Options of ``tersgen build``: what its presets and examples run is in the wheel."""


class ShippedKernels(BuildHookInterface):  # type: ignore[misc]
    """Compiles the kernels for classes of processors that this one belongs to."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Add machine code to a wheel; to an editable install, nothing."""
        if version == "editable":
            return
        self.scratch = tempfile.TemporaryDirectory()
        try:
            kernels = compile_apart(Path(self.scratch.name), _RECIPES)
        except (ModuleNotFoundError, NotImplementedError) as error:
            if (getattr(error, "name", None) or "").partition(".")[0] == "tersgen":
                raise
            self.app.display_info(f"{error}: this wheel brings no machine code")
            return
        build_data["force_include"][str(kernels)] = "tersgen/machine_code"
        build_data.update(pure_python=False, infer_tag=True)

    def finalize(self, *_: Any) -> None:
        """Remove what was compiled; the wheel holds it."""
        if hasattr(self, "scratch"):
            self.scratch.cleanup()


def compile_apart(folder: Path, recipes: Sequence[str], root: Path = _ROOT) -> Path:
    """Compile kernels in processes of their own and return the folder of their machine code.

    Parameters
    ----------
    folder
        An empty folder.
    recipes
        Options of ``tersgen build``, of each recipe that kernels are compiled for.
    root
        The source tree.

    Raises
    ------
    ModuleNotFoundError
        If Numba, or anything that tersgen needs to build, is not installed.
    NotImplementedError
        If this processor belongs to no class that machine code is made for.
    subprocess.CalledProcessError
        If it fails.
    """
    sys.path.insert(0, str(root))
    try:
        import tersgen.jobs.run  # noqa: F401
        from tersgen.numeric._shipped import targets, write_index
    finally:
        sys.path.remove(str(root))
    kernels = folder / "machine_code"
    kernels.mkdir()
    for cpu, features in targets().items():
        made = folder / cpu
        made.mkdir(mode=0o700)
        own = {"NUMBA_CPU_NAME": cpu, "NUMBA_CPU_FEATURES": features, "PYTHONPATH": str(root)}
        subprocess.run(
            [sys.executable, __file__, *recipes],
            env={**os.environ, **own, "NUMBA_CACHE_DIR": str(made)},
            stdout=subprocess.DEVNULL,
            cwd=root,
            check=True,
        )
        shutil.move(made / "kernels", kernels / cpu)
    write_index(kernels, targets())
    return kernels


def _use(recipes: Sequence[str], folder: Path) -> None:
    """Build, verify, split and plot a dataset of each recipe."""
    from tersgen.cli import main

    for k, options in enumerate(recipes):
        out = str(folder / f"{k}.data")
        for command in (
            f"build --n 200 --out {out} {options}",
            f"verify {out}",
            f"split {out}",
            f"plot {out} --index 7 -o {out}.png",
        ):
            main(command.split(), standalone_mode=False)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as scratch:
        _use(sys.argv[1:], Path(scratch))
