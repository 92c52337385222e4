"""Compare responses of molecules to a tip with ab-initio images: atoms, sites, levels of theory.

python benchmarks/tip_oracle.py --json results/tip_oracle.json --folder parts [molecule ...]
python benchmarks/tip_oracle.py --convergence 'hf/6-31g*,hf/aug-cc-pvdz' --folder parts --json
    results/tip_levels.json ethylene
python benchmarks/tip_oracle.py --picture nearfield_oracle.png --folder parts pyridine

Tips are dipoles at random positions over each molecule, none of which was used to fit a model;
those of "tilted" stand above it in a random direction. The amplitude error of a mode is the norm of
model minus image over that of the image, over all positions of one height. Modes are those of the
built-in molecules at all levels. Finished displacements are kept in the folder. Needs pip install
'tersgen[qm]'.
"""

import argparse
import json
from pathlib import Path

import numpy as np
from machine import describe, write_json

from tersgen.library import responding
from tersgen.library.builtin import load_builtin
from tersgen.library.displacing import Finished, ResponseLevel
from tersgen.library.forces import force_field
from tersgen.library.geometry import atomic_number
from tersgen.library.harmonic import normal_modes
from tersgen.library.nearfield import atom_positions, centred, principal_axes
from tersgen.units import BOHR_ANGSTROM

MOLECULES = (
    "ethylene", "formaldehyde", "hydrogen_sulfide", "methanethiol", "benzene", "pyridine",
    "thiophenol",
)  # fmt: skip
FLAT, TILTED = (3.5, 5.0), (3.5, 5.0)
POSITIONS = 24
WIDTHS = (3.0, 4.0, 5.0, 6.0, 8.0)
"""Of gaussian_z and radial fields, Angstrom."""
GRID_HEIGHT, GRID_STEP = 3.5, 0.75
UNIQUE = ((0, 0), (1, 1), (2, 2), (0, 1), (0, 2), (1, 2))


def random_tips(atoms, seed=1):
    """Return tips, shape (T, 3), their dipoles' directions, and a label of each."""
    generator = np.random.default_rng(seed)
    tips, directions, labels = [], [], []
    for tilted, heights in ((False, FLAT), (True, TILTED)):
        for height in heights:
            for _ in range(POSITIONS):
                up = generator.normal(size=3) if tilted else np.array([0.0, 0.0, 1.0])
                up /= np.linalg.norm(up)
                one = np.cross(up, [0.36, 0.48, 0.8] if tilted else [0.0, 1.0, 0.0])
                one /= np.linalg.norm(one)
                other = np.cross(up, one)
                place = up * ((atoms @ up).max() + height)
                for axis in (one, other):
                    half = np.ptp(atoms @ axis) / 2 + 2.0
                    place = place + generator.uniform(-half, half) * axis
                tips.append(place)
                directions.append(up)
                labels.append(f"{'tilted' if tilted else 'flat'} {height:g}")
    return np.array(tips), np.array(directions), np.array(labels)


def grid_axes(atoms):
    """Return the positions of tips along both axes of a grid over a flat molecule, Angstrom."""
    axes = []
    for low, high in zip(atoms.min(axis=0)[:2], atoms.max(axis=0)[:2], strict=True):
        half = int(np.ceil(((high - low) / 2 + 3.0) / GRID_STEP))
        axes.append((low + high) / 2 + GRID_STEP * np.arange(-half, half + 1))
    return axes


def grid_tips(atoms):
    """Return tips on a grid over a flat molecule, with directions and labels."""
    x, y = np.meshgrid(*grid_axes(atoms), indexing="ij")
    grid = np.stack([x, y, np.full_like(x, atoms[:, 2].max() + GRID_HEIGHT)], axis=-1)
    grid = grid.reshape(-1, 3)
    return grid, np.tile([0.0, 0.0, 1.0], (len(grid), 1)), np.full(len(grid), "grid")


def dipole_field(points, tips, directions):
    """Return the field of a dipole at each tip at points, shape (tips, points, 3), Angstrom^-3."""
    away = points - tips[:, None]
    size = np.linalg.norm(away, axis=2)[..., None]
    along = np.einsum("tpa,ta->tp", away, directions)[..., None]
    return 3 * away * along / size**5 - directions[:, None] / size**3


class Molecule:
    """Derivatives of the response of one molecule, and amplitudes of models."""

    def __init__(self, name, level, tips_of, folder):
        species = load_builtin(name)
        atoms = atom_positions(species)
        turn = principal_axes(atoms)
        self.atoms = centred(atoms) @ turn.T
        self.tips, self.directions, self.labels = tips_of(self.atoms)
        numbers = np.array([atomic_number(atom.symbol) for atom in species.atoms])
        molecule = responding.Geometry(numbers, self.atoms / BOHR_ANGSTROM)
        made = responding.derive(
            molecule,
            level,
            self.tips,
            Finished(folder),
            report=lambda line: print(name, line, flush=True),
        )
        self.sites = made.sites
        field = force_field(species)
        own = normal_modes(field.hessian, field.masses, field.coordinates)
        self.frequencies = own.frequencies_cm1
        self.modes = own.displacements @ turn.T

        def of_modes(values):
            return np.tensordot(self.modes, values, axes=([1, 2], [0, 1]))

        self.response = of_modes(made.matrices) * BOHR_ANGSTROM**2
        self.image = of_modes(made.images) / BOHR_ANGSTROM**4
        far = made.far_field() * BOHR_ANGSTROM**2
        self.shares = np.einsum("mic,icab->miab", self.modes, far)

    def amplitudes(self):
        """Return amplitudes by model, shape (tips, modes)."""
        d = self.directions
        pairs = np.stack([d[:, a] * d[:, b] * (1 + (a != b)) for a, b in UNIQUE], axis=1)
        sites = dipole_field(self.sites, self.tips, d).reshape(len(d), -1)
        atoms = dipole_field(self.atoms, self.tips, d)
        return {
            "ab initio": np.einsum("mtk,tk->tm", self.image, pairs),
            "sites": np.einsum("tp,mpq,tq->tm", sites, self.response, sites, optimize=True),
            "atoms": np.einsum("tia,miab,tib->tm", atoms, self.shares, atoms, optimize=True),
        }


def compare(model, image):
    """Return relative errors and cosines of each mode."""
    sizes = np.linalg.norm(image, axis=0)
    error = np.linalg.norm(model - image, axis=0) / sizes
    return error, (model * image).sum(axis=0) / np.linalg.norm(model, axis=0) / sizes


def summary(model, image):
    """Return the entries of a table for one model at one height."""
    error, cosine = compare(model, image)
    return {
        "median_error": round(float(np.median(error)), 4),
        "largest_error": round(float(error.max()), 4),
        "share_of_modes_with_cosine_above_0.9": round(float((cosine > 0.9).mean()), 3),
        "least_cosine": round(float(cosine.min()), 4),
    }


def model_errors(molecule, made):
    """Return the errors of models by height, at the level of theory of the images."""
    rows = {"modes": len(molecule.frequencies)}
    for model in ("sites", "atoms"):
        for label in dict.fromkeys(molecule.labels.tolist()):
            here = molecule.labels == label
            rows.setdefault(model, {})[label] = summary(made[model][here], made["ab initio"][here])
    return rows


def other_fields(molecule, made):
    """Return the median cosine of images with other fields than a dipole's, by response."""
    flat = molecule.labels == "flat 3.5"
    tips = molecule.tips[flat]
    image = made["ab initio"][flat]
    out = {}

    def median(field):
        at_sites = field(molecule.sites).reshape(len(tips), -1)
        at_atoms = field(molecule.atoms)
        models = {
            "sites": np.einsum(
                "tp,mpq,tq->tm", at_sites, molecule.response, at_sites, optimize=True
            ),
            "atoms": np.einsum(
                "tia,miab,tib->tm", at_atoms, molecule.shares, at_atoms, optimize=True
            ),
        }
        return {
            name: round(float(np.median(np.nan_to_num(compare(model, image)[1]))), 3)
            for name, model in models.items()
        }

    def gaussian_z(points, width):
        away = points - tips[:, None]
        size = np.exp(-4 * np.log(2) * (away[..., :2] ** 2).sum(axis=-1) / width**2)
        return size[..., None] * np.array([0.0, 0.0, 1.0])

    def radial(points, width):
        away = points - tips[:, None]
        squared = (away**2).sum(axis=-1)
        return (np.exp(-4 * np.log(2) * squared / width**2) / np.sqrt(squared))[..., None] * away

    directions = molecule.directions[flat]
    out["dipole"] = median(lambda points: dipole_field(points, tips, directions))
    for field in (gaussian_z, radial):
        for width in WIDTHS:
            out[f"{field.__name__} {width:g}"] = median(
                lambda points, field=field, width=width: field(points, width)
            )
    return out


def table(names, level, folder):
    """Return errors by molecule, model and height."""
    out = {}
    for name in names:
        molecule = Molecule(name, level, random_tips, folder / name)
        made = molecule.amplitudes()
        out[name] = {
            **model_errors(molecule, made),
            "median_cosine_by_field": other_fields(molecule, made),
        }
        print(name, json.dumps(out[name]), flush=True)
    return out


def errors_markdown(rows):
    """Return the table of errors of docs/nearfield.md."""
    labels = [f"{kind} {height:g}" for kind in ("flat", "tilted") for height in FLAT]
    lines = [
        "| molecule | modes | response | " + " | ".join(f"{one} Angstrom" for one in labels) + " |",
        "|---" * (3 + len(labels)) + "|",
    ]
    for name, one in rows.items():
        for model in ("sites", "atoms"):
            cells = [
                f"{here['median_error']:.3f}, {here['largest_error']:.2f}, "
                f"{100 * here['share_of_modes_with_cosine_above_0.9']:.0f} %"
                for here in (one[model][label] for label in labels)
            ]
            words = [name.replace("_", " "), str(one["modes"]), model]
            lines.append("| " + " | ".join(words + cells) + " |")
    return "\n".join(lines)


def fields_markdown(rows):
    """Return the table of fields of docs/nearfield.md."""
    lines = ["| molecule | response | dipole | radial | gaussian_z |", "|---|---|---|---|---|"]
    for name, one in rows.items():
        cosines = one["median_cosine_by_field"]
        for model in ("sites", "atoms"):
            cells = [f"{cosines['dipole'][model]:.3f}"]
            for field in ("radial", "gaussian_z"):
                best = max((cosines[f"{field} {width:g}"][model], width) for width in WIDTHS)
                cells.append(f"{best[0]:.3f} ({best[1]:g} Angstrom)")
            lines.append("| " + " | ".join([name.replace("_", " "), model, *cells]) + " |")
    return "\n".join(lines)


def parse_levels(text):
    """Return levels of theory from text such as hf/6-31g*,hf/aug-cc-pvdz/1.0 (smeared)."""
    return [
        ResponseLevel(
            **dict(zip(("functional", "basis", "smearing"), one.split("/"), strict=False))
        )
        for one in text.split(",")
    ]


def convergence(name, levels, folder):
    """Return the errors of images at other levels relative to the last, and of models at it."""
    *others, best = levels
    reference = Molecule(name, best, random_tips, folder / name)
    own = reference.amplitudes()
    image = own["ab initio"]
    out = {}
    for level in others:
        other = Molecule(name, level, random_tips, folder / name)
        made = other.amplitudes()
        smeared = f", smeared by {level.smearing:g} bohr" if level.smearing else ""
        rows = out[level.describe() + smeared] = {}
        for label in ("flat 3.5", "flat 5"):
            here = reference.labels == label
            rows[label] = {
                **summary(made["ab initio"][here], image[here]),
                "median_of_sizes": round(
                    float(
                        np.median(
                            np.linalg.norm(made["ab initio"][here], axis=0)
                            / np.linalg.norm(image[here], axis=0)
                        )
                    ),
                    3,
                ),
                "error_of_sites": summary(made["sites"][here], made["ab initio"][here])[
                    "median_error"
                ],
            }
        print(level.describe() + smeared, json.dumps(rows), flush=True)
    errors = model_errors(reference, own)
    return {"molecule": name, "of": best.describe(), "rows": out, **errors}


def levels_markdown(found):
    """Return the table of levels of docs/nearfield.md."""
    lines = [
        "| molecule | level | compared with | 3.5 Angstrom | 5 Angstrom | error of sites |",
        "|---|---|---|---|---|---|",
    ]
    for one in found:
        for level, rows in one["rows"].items():
            cells = [
                f"{row['median_error']:.2f}, {row['largest_error']:.2f}, {row['least_cosine']:.2f}"
                for row in rows.values()
            ]
            errors = ", ".join(
                f"{row['error_of_sites']:.3f}" for row in rows.values() if "error_of_sites" in row
            )
            words = [one["molecule"].replace("_", " "), level, one["of"], *cells, errors]
            lines.append("| " + " | ".join(words) + " |")
    return "\n".join(lines)


def joined(earlier, found):
    """Return comparisons of this run and earlier ones."""
    known = {}
    for one in [*earlier, *found]:
        before = known.get((one["molecule"], one["of"]), {"rows": {}})
        known[one["molecule"], one["of"]] = {**one, "rows": {**before["rows"], **one["rows"]}}
    return list(known.values())


def draw(name, level, folder, path, n_modes=6):
    """Draw images of the strongest modes: ab initio, sites, atoms."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    molecule = Molecule(name, level, grid_tips, folder / f"{name}-grid")
    shape = [len(axis) for axis in grid_axes(molecule.atoms)]
    made = molecule.amplitudes()
    strongest = np.argsort(-np.abs(made["ab initio"]).max(axis=0))[:n_modes]
    order = strongest[np.argsort(molecule.frequencies[strongest])]
    names = ("ab initio", "sites", "atoms")
    figure, axes = plt.subplots(
        3, n_modes, figsize=(1.5 * n_modes, 3.9), layout="constrained", squeeze=False
    )
    for column, mode in enumerate(order):
        most = np.abs(made["ab initio"][:, mode]).max()
        for row, model in enumerate(names):
            axis = axes[row, column]
            image = made[model][:, mode].reshape(shape)
            axis.imshow(image.T, origin="lower", cmap="RdBu_r", vmin=-most, vmax=most)
            axis.set_xticks([])
            axis.set_yticks([])
            if row == 0:
                axis.set_title(f"{molecule.frequencies[mode]:.0f} cm$^{{-1}}$", fontsize=8)
            if column == 0:
                axis.set_ylabel(model)
    figure.savefig(path, dpi=110)


def main():
    """Compute, print and write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("molecules", nargs="*", default=[])
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--functional", default="hf")
    parser.add_argument("--basis", default="6-31g*")
    parser.add_argument("--smearing", type=float, default=0.0)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--picture", type=Path)
    parser.add_argument(
        "--convergence",
        metavar="LEVELS",
        help="compare levels with the last: hf/6-31g*,b3lyp/6-31g*,hf/aug-cc-pvdz",
    )
    options = parser.parse_args()
    level = ResponseLevel(
        functional=options.functional, basis=options.basis, smearing=options.smearing
    )
    names = options.molecules or MOLECULES
    if options.picture:
        draw(names[0], level, options.folder, options.picture)
        return
    if options.convergence:
        levels = parse_levels(options.convergence)
        found = [convergence(name, levels, options.folder) for name in names]
        print(errors_markdown({one["molecule"]: one for one in found}), end="\n\n")
        if options.json and options.json.exists():
            found = joined(json.loads(options.json.read_text())["convergence"], found)
        print(levels_markdown(found))
        write_json(options.json, {"machine": describe(), "convergence": found})
        return
    rows = table(names, level, options.folder)
    print(f"{errors_markdown(rows)}\n\n{fields_markdown(rows)}")
    write_json(
        options.json,
        {"machine": describe(), "level": level.describe(), "positions": POSITIONS, "rows": rows},
    )


if __name__ == "__main__":
    main()
