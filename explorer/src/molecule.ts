/** Atoms and bonds in the frame of a map. */

import type { Dataset } from "./dataset.js";
import { speciesOf } from "./library.js";

const SYMBOLS = (
  "X H He Li Be B C N O F Ne Na Mg Al Si P S Cl Ar K Ca Sc Ti V Cr Mn Fe Co Ni Cu Zn Ga Ge As Se Br " +
  "Kr Rb Sr Y Zr Nb Mo Tc Ru Rh Pd Ag Cd In Sn Sb Te I Xe Cs Ba La Ce Pr Nd Pm Sm Eu Gd Tb Dy Ho Er " +
  "Tm Yb Lu Hf Ta W Re Os Ir Pt Au Hg Tl Pb Bi Po At Rn Fr Ra Ac Th Pa U Np Pu Am Cm"
).split(" ");

/** Covalent radii in Angstrom, H to Cm: Cordero et al., Dalton Trans. 2008, 2832. */
const RADII = (
  "0.31 0.28 1.28 0.96 0.84 0.76 0.71 0.66 0.57 0.58 1.66 1.41 1.21 1.11 1.07 1.05 1.02 1.06 2.03 1.76 " +
  "1.70 1.60 1.53 1.39 1.39 1.32 1.26 1.24 1.32 1.22 1.22 1.20 1.19 1.20 1.20 1.16 2.20 1.95 1.90 1.75 " +
  "1.64 1.54 1.47 1.46 1.42 1.39 1.45 1.44 1.42 1.39 1.39 1.38 1.39 1.40 2.44 2.15 2.07 2.04 2.03 2.01 " +
  "1.99 1.98 1.98 1.96 1.94 1.92 1.92 1.89 1.90 1.87 1.87 1.75 1.70 1.62 1.51 1.44 1.41 1.36 1.36 1.32 " +
  "1.45 1.46 1.48 1.40 1.50 1.50 2.60 2.21 2.15 2.06 2.00 1.96 1.90 1.87 1.80 1.69"
).split(" ").map(Number);

const TOLERANCE_ANGSTROM = 0.4;

export interface Atom {
  symbol: string;
  /** Angstrom from the frame's centre: along rows, along columns, and height. */
  x: number;
  y: number;
  z: number;
}

export interface Molecule {
  atoms: Atom[];
  bonds: [number, number][];
  /** What the positions are from. */
  origin: string;
}

function withBonds(atoms: Atom[], origin: string): Molecule {
  const bonds: [number, number][] = [];
  const radius = (atom: Atom) => RADII[SYMBOLS.indexOf(atom.symbol) - 1] ?? 0;
  for (let i = 0; i < atoms.length; i++) {
    for (let j = i + 1; j < atoms.length; j++) {
      const [a, b] = [atoms[i], atoms[j]];
      const reach = radius(a) + radius(b) + TOLERANCE_ANGSTROM;
      if (Math.hypot(a.x - b.x, a.y - b.y, a.z - b.z) < reach) bonds.push([i, j]);
    }
  }
  return { atoms, bonds, origin };
}

/** Return the atoms that a map shows, from the row itself or its species; null if not known. */
export async function moleculeOf(dataset: Dataset, row: number): Promise<Molecule | null> {
  if (dataset.has("structure/positions")) {
    const [places, elements, count] = await Promise.all(
      ["structure/positions", "structure/elements", "structure/count"].map((name) => dataset.row(name, row)),
    );
    const atoms = Array.from({ length: count[0] }, (_, k) => ({
      symbol: SYMBOLS[elements[k]] ?? "?", x: places[3 * k], y: places[3 * k + 1], z: places[3 * k + 2],
    }));
    return withBonds(atoms, "positions of the row");
  }
  if (!dataset.has("params/apex") || !dataset.has("params/orientation") || dataset.has("mixture/count")) {
    return null;
  }
  const [label, apex, turn] = await Promise.all(
    ["label", "params/apex", "params/orientation"].map((name) => dataset.row(name, row)),
  );
  const species = await speciesOf(dataset, label[0]);
  if (!species?.symbols || species.position.length !== 3 * species.symbols.length) return null;
  return withBonds(
    placed(species.symbols, species.position, [...turn], [...apex]),
    "geometry of the species, turned as in this row",
  );
}

/** Return atoms turned by a quaternion about their mean, seen from a frame's centre. */
export function placed(
  symbols: string[], position: ArrayLike<number>, [w, x, y, z]: number[], apex: number[],
): Atom[] {
  const mean = [0, 1, 2].map((axis) => {
    let sum = 0;
    for (let k = 0; k < symbols.length; k++) sum += position[3 * k + axis];
    return sum / symbols.length;
  });
  const turn = [
    [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
    [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
    [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
  ];
  const atoms = symbols.map((symbol, k) => {
    const from = mean.map((one, axis) => position[3 * k + axis] - one);
    const [a, b, c] = turn.map((row) => row[0] * from[0] + row[1] * from[1] + row[2] * from[2]);
    return { symbol, x: a - apex[0], y: b - apex[1], z: c };
  });
  const top = Math.max(...atoms.map((atom) => atom.z));
  return atoms.map((atom) => ({ ...atom, z: atom.z - top }));
}
