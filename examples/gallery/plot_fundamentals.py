"""
Computed and published frequencies
==================================

Deviations of the built-in molecules from published fundamentals; ``docs/outside_checks.md`` has
the numbers.
"""

import runpy
from pathlib import Path

import tersgen
from tersgen.plotting.style import DOUBLE_IN, new_figure

root = Path(tersgen.__file__).parents[1]
published = runpy.run_path(str(root / "examples" / "published" / "fundamentals.py"))
dft = published["group_names"]("builtin")
figure = new_figure(DOUBLE_IN, 2.6)
axes = figure.subplots()
axes.axhline(0, color="0.7", linewidth=0.6)
for group, marker, own in (("builtin (DFT)", "o", True), ("gfn (tight binding)", "^", False)):
    pairs = [pair for pair in published["compare_all"]() if (pair.molecule in dft) == own]
    axes.plot(
        [pair.published for pair in pairs], [pair.deviation for pair in pairs],
        marker, markersize=3, fillstyle="none", markeredgewidth=0.8, label=group,
    )  # fmt: skip
axes.set_xlabel("published fundamental / cm$^{-1}$")
axes.set_ylabel("computed $-$ published / cm$^{-1}$")
axes.legend()
