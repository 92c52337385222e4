"""Make the measured substances from tables of bands: python measured.py [FOLDER].

``measured.toml`` has positions and, where the source has them, classes of strength. A class is a
range of observed heights, each about 2.4 times the next lower one; here it becomes one height in
the range, and the heights activities, for the laser of the source. Without classes all bands have
the same activity, which is not in the source: such substances are a separate group, unless they
have one band.
"""

import re
import sys
import tomllib
from pathlib import Path

import numpy as np

from tersgen.library.harmonic import round_to
from tersgen.library.intensities import Observation, to_activities
from tersgen.schema.species import LibraryDocument, Mode, Provenance, Species

HEIGHTS = {"vs": 100.0, "s": 42.0, "m": 17.0, "w": 7.0, "vw": 3.0}
"""Height that stands for each class of strength."""
UNCERTAINTY_CM1 = 1.0
"""Standard deviation of measured positions: the sources state 0.1 to 2 cm^-1, or nothing."""
BAND = re.compile(r"([0-9.]+)(vs|s|m|w|vw)?")


def make_species(name: str, table: dict, sources: dict) -> Species:
    """Return the species of one table of bands."""
    bands = [BAND.fullmatch(text).groups() for text in table["bands"].split()]
    source = sources[table["source"]]
    classes = [strength for _, strength in bands]
    rows = np.array(
        [(float(position), HEIGHTS.get(strength, 1.0), np.nan) for position, strength in bands]
    )
    note = f"{source['text']}; isotropic tensors a * I with 45 a^2 = activity, which is relative"
    if all(classes):
        laser = source["laser_nm"]
        rows = to_activities(rows, Observation("observed height", laser))
        heights = ", ".join(f"{key} {height:g}" for key, height in HEIGHTS.items())
        note += f"; observed heights taken as {heights}, at {laser:g} nm and 298 K, of one width"
        said = {"intensity": "strength class", "laser_nm": laser}
    elif not any(classes):
        note += "; the source has no strengths" if len(bands) > 1 else ""
        said = {"intensity": "positions only" if len(bands) > 1 else None}
    else:
        raise ValueError(f"{name}: expected a class for every band or for none")
    activities = 100.0 * rows[:, 1] / rows[:, 1].max()
    modes = []
    for position, a in zip(rows[:, 0], round_to(np.sqrt(activities / 45.0), 6), strict=True):
        tensor = ((float(a), 0.0, 0.0), (0.0, float(a), 0.0), (0.0, 0.0, float(a)))
        modes.append(Mode(frequency_cm1=float(position), tensor=tensor))
    return Species(
        name=name,
        modes=tuple(modes),
        provenance=Provenance(kind="published", method="measured bands", note=note, **said),
        formula=table.get("formula"),
        frequency_uncertainty_cm1=UNCERTAINTY_CM1,
    )


def make_groups() -> dict[str, list[Species]]:
    """Return the species of both groups, in alphabetical order."""
    document = tomllib.loads(Path(__file__).with_suffix(".toml").read_text("utf-8"))
    groups: dict[str, list[Species]] = {"measured": [], "positions": []}
    for name, table in sorted(document["species"].items()):
        species = make_species(name, table, document["sources"])
        only = species.provenance.intensity == "positions only"
        groups["positions" if only else "measured"].append(species)
    return groups


if __name__ == "__main__":
    out = Path(sys.argv[1] if len(sys.argv) > 1 else "bands")
    out.mkdir(parents=True, exist_ok=True)
    for group, species in make_groups().items():
        document = LibraryDocument(species=tuple(species))
        text = document.model_dump_json(exclude_none=True)
        (out / f"{group}.json").write_text(text + "\n")
        print(f"wrote {out / group}.json: {len(species)} species")
