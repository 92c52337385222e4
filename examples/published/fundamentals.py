"""Compare the built-in molecules with published fundamental frequencies: python fundamentals.py.

Published values are in ``fundamentals.toml``. Within a representation both are in rising order;
if fewer are published than computed, the nearest ones are compared. ``--write`` puts the
tables into ``docs/outside_checks.md``, ``--csv`` prints every mode.
"""

import argparse
import tomllib
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

import numpy as np

from tersgen.library.builtin import group_names, load_builtin
from tersgen.library.degeneracy import bands

HERE = Path(__file__).resolve().parent
PAGE = HERE.parents[1] / "docs" / "outside_checks.md"
BEGIN, END = "<!-- fundamentals -->\n", "<!-- end of fundamentals -->\n"

FAMILIES = (
    ("below 700", 0.0, 700.0),
    ("700 to 1500", 700.0, 1500.0),
    ("double bonds and rings, 1500 to 1800", 1500.0, 1800.0),
    ("triple bonds and S-H, 1900 to 2700", 1800.0, 2700.0),
    ("C-H, N-H and O-H stretches, above 2700", 2700.0, np.inf),
)
"""Families of modes by published frequency, cm^-1."""


@dataclass(frozen=True)
class Pair:
    """A published and a computed frequency of one mode, cm^-1; a degenerate set counts once."""

    molecule: str
    irrep: str
    published: float
    computed: float

    @property
    def deviation(self) -> float:
        """Computed minus published, cm^-1."""
        return self.computed - self.published


def read_published() -> dict[str, dict]:
    """Return the document of published values."""
    return tomllib.loads((HERE / "fundamentals.toml").read_text("utf-8"))


def nearest(published: list[float], computed: list[float]) -> tuple[float, ...]:
    """Return the computed frequencies nearest to the published ones, as many and in order."""
    return min(
        combinations(sorted(computed), len(published)),
        key=lambda chosen: sum(abs(a - b) for a, b in zip(chosen, published, strict=True)),
    )


def compare(name: str, published: dict) -> list[Pair]:
    """Return the modes of one molecule that are published."""
    rows = bands(load_builtin(name))
    pairs = []
    for irrep, frequencies in published.items():
        if irrep == "source":
            continue
        computed = [row.frequency_cm1 for row in rows if row.irrep == irrep]
        chosen = nearest(frequencies, computed)
        pairs += [Pair(name, irrep, *two) for two in zip(frequencies, chosen, strict=True)]
    return pairs


def compare_all() -> list[Pair]:
    """Return the modes of all molecules that are published."""
    molecules = read_published()["molecules"]
    return [pair for name in sorted(molecules) for pair in compare(name, molecules[name])]


def common_share(pairs: list[Pair]) -> float:
    """Return the fraction of the variance that the modes of a molecule share.

    It is the intraclass correlation of a one-way analysis of variance, unequal groups: P. E. Shrout
    and J. L. Fleiss, Psychol. Bull. 86, 420 (1979), ICC(1,1).
    """
    molecules = sorted({pair.molecule for pair in pairs})
    groups = [np.array([p.deviation for p in pairs if p.molecule == name]) for name in molecules]
    n, k = len(pairs), len(groups)
    mean = np.concatenate(groups).mean()
    within = sum(((group - group.mean()) ** 2).sum() for group in groups) / (n - k)
    between = sum(len(group) * (group.mean() - mean) ** 2 for group in groups) / (k - 1)
    size = (n - sum(len(group) ** 2 for group in groups) / n) / (k - 1)
    common = max(0.0, (between - within) / size)
    return float(common / (common + within))


def by_molecule(pairs: list[Pair]) -> list[str]:
    """Return the lines of a table with a row for each molecule."""
    published = read_published()["molecules"]
    lines = [
        "| molecule | modes compared | mean | mean of absolute values | largest | source |",
        "|---|---|---|---|---|---|",
    ]
    for name in sorted({pair.molecule for pair in pairs}):
        own = [pair for pair in pairs if pair.molecule == name]
        deviations = np.array([pair.deviation for pair in own])
        worst = max(own, key=lambda pair: abs(pair.deviation))
        lines.append(
            f"| {name} | {len(own)} of {len(bands(load_builtin(name)))} | {deviations.mean():+.0f} "
            f"| {np.abs(deviations).mean():.0f} | {worst.deviation:+.0f} ({worst.irrep}, "
            f"{worst.published:g}) | {published[name]['source']} |"
        )
    return lines


def by_family(pairs: list[Pair]) -> list[str]:
    """Return the lines of a table with a row for each family of modes."""
    lines = [
        "| modes | number | mean | standard deviation | common to a molecule | largest |",
        "|---|---|---|---|---|---|",
    ]
    for title, start, stop in (*FAMILIES, ("all", 0.0, np.inf)):
        own = [pair for pair in pairs if start <= pair.published < stop]
        deviations = np.array([pair.deviation for pair in own])
        lines.append(
            f"| {title} | {len(own)} | {deviations.mean():+.0f} | {deviations.std():.0f} | "
            f"{100 * common_share(own):.0f} % | {deviations[np.abs(deviations).argmax()]:+.0f} |"
        )
    return lines


def tables(pairs: list[Pair]) -> str:
    """Return the lines of the page: tables of both groups of molecules, and the sources."""
    published = read_published()
    names = group_names("builtin")
    dft = [pair for pair in pairs if pair.molecule in names]
    gfn = [pair for pair in pairs if pair.molecule in group_names("gfn")]
    deviations = np.array([pair.deviation for pair in gfn])
    absent = [name for name in names if name not in published["molecules"]]
    return "\n".join(
        [
            *by_molecule(dft), "",
            *by_family(dft), "",
            f"Not entered: {', '.join(absent)}. Assignments that we know of are for liquids, "
            "crystals, matrices or surfaces, and differ.", "",
            "The same for molecules of the group `gfn` (GFN1-xTB):", "",
            *by_molecule(gfn), "",
            f"All {len(gfn)} modes: mean {deviations.mean():+.0f}, standard deviation "
            f"{deviations.std():.0f}, median of absolute values "
            f"{np.median(np.abs(deviations)):.0f} cm^-1.", "",
            *(f"- {key}: {text}." for key, text in published["sources"].items()), "",
        ]
    )  # fmt: skip


def main() -> None:
    """Print or write the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--write", action="store_true", help="into docs/outside_checks.md")
    parser.add_argument("--csv", action="store_true", help="print every mode")
    options = parser.parse_args()
    pairs = compare_all()
    if options.csv:
        print("molecule,irrep,published_cm1,computed_cm1,deviation_cm1")
        for pair in pairs:
            print(
                f"{pair.molecule},{pair.irrep},{pair.published:g},{pair.computed:.1f},"
                f"{pair.deviation:+.1f}"
            )
    elif options.write:
        before, _, rest = PAGE.read_text("utf-8").partition(BEGIN)
        after = rest.partition(END)[2]
        PAGE.write_text(before + BEGIN + tables(pairs) + END + after, "utf-8")
    else:
        print(tables(pairs))


if __name__ == "__main__":
    main()
