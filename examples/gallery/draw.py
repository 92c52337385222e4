"""Draw a script of the gallery to a file: python examples/gallery/draw.py SCRIPT FILE."""

import runpy
import sys
from pathlib import Path

from tersgen.plotting.style import save, styled

script, output = map(Path, sys.argv[1:])
with styled():
    path = script if script.exists() else Path(__file__).with_name(script.name)
    save(runpy.run_path(str(path))["figure"], output)
