/** Species of a dataset, from ranges of its library (schemas/FORMAT.md, section 10). */

import type { Dataset } from "./dataset.js";
import { fetchRange } from "./store.js";

export interface Species {
  name: string;
  formula?: string;
  point_group?: string;
  symbols?: string[];
  irreps?: string[];
  /** cm^-1, one a mode. */
  frequency: Float64Array;
  /** 3 x 3 numbers a mode. */
  tensor: Float64Array;
  /** Angstrom, 3 numbers an atom. */
  position: Float64Array;
}

const MOST_HEADER = 65536;

class LibraryFile {
  private constructor(
    private readonly url: string, private readonly header: any, private readonly begin: number,
  ) {}

  static async open(url: string): Promise<LibraryFile> {
    const head = await fetchRange(url, { offset: 0, length: MOST_HEADER });
    const length = Number(new DataView(head.buffer, head.byteOffset).getBigUint64(0, true));
    if (length > MOST_HEADER - 8) throw new Error(`${url}: expected a header of 64 KiB at most`);
    const header = JSON.parse(new TextDecoder().decode(head.subarray(8, 8 + length)));
    return new LibraryFile(url, header, 8 + length);
  }

  /** Return the bytes of rows of an array; rows from 0 on, of all species. */
  private async part(name: string, first: number, last: number): Promise<Uint8Array> {
    const { shape, data_offsets: [from, to] } = this.header[name];
    const width = shape[0] ? (to - from) / shape[0] : 0;
    if (first === last) return new Uint8Array();
    const offset = this.begin + from + first * width;
    return fetchRange(this.url, { offset, length: (last - first) * width });
  }

  /** Return the rows that a species has in an array. */
  private async own(name: string, label: number): Promise<Uint8Array> {
    if (!this.header[name]) return new Uint8Array();
    const first = Math.max(0, label - 1);
    const ends = new BigInt64Array((await this.part(`${name}.end`, first, label + 1)).slice().buffer);
    return this.part(name, label ? Number(ends[0]) : 0, Number(ends[ends.length - 1]));
  }

  async species(label: number): Promise<Species> {
    const [page, ...numbers] = await Promise.all(
      ["page", "frequency", "tensor", "position"].map((name) => this.own(name, label)),
    );
    const [frequency, tensor, position] = numbers.map((bytes) => new Float64Array(bytes.slice().buffer));
    return { ...JSON.parse(new TextDecoder().decode(page)), frequency, tensor, position };
  }
}

const libraries = new WeakMap<Dataset, Promise<LibraryFile>>();
const known = new WeakMap<Dataset, Map<number, Promise<Species | null>>>();

/** Give a dataset its species, as a report does. */
export function provideSpecies(dataset: Dataset, species: any[]): void {
  known.set(dataset, new Map(species.map((one, label) => [label, Promise.resolve(one && {
    ...one,
    frequency: Float64Array.from(one.frequency),
    tensor: Float64Array.from(one.tensor),
    position: Float64Array.from(one.position),
  })])));
}

/** Return a species by its label; null of measured rows, and where there is no library. */
export function speciesOf(dataset: Dataset, label: number): Promise<Species | null> {
  let all = known.get(dataset);
  if (!all) known.set(dataset, (all = new Map()));
  let one = all.get(label);
  if (!one) {
    const { base, recipe } = dataset;
    one = base && recipe?.library?.digest ? load(dataset, `${base}library.tlib`, label) : Promise.resolve(null);
    all.set(label, one);
  }
  return one;
}

async function load(dataset: Dataset, url: string, label: number): Promise<Species | null> {
  let file = libraries.get(dataset);
  if (!file) libraries.set(dataset, (file = LibraryFile.open(url)));
  return (await file).species(label);
}

/** Raman activity of a mode: 45 a^2 + 7 gamma^2 of its tensor. */
function activity(t: Float64Array): number {
  const mean = (t[0] + t[4] + t[8]) / 3;
  const anisotropy =
    0.5 * ((t[0] - t[4]) ** 2 + (t[4] - t[8]) ** 2 + (t[8] - t[0]) ** 2) +
    0.75 * ((t[1] + t[3]) ** 2 + (t[2] + t[6]) ** 2 + (t[5] + t[7]) ** 2);
  return 45 * mean * mean + 7 * anisotropy;
}

/** Share of the strongest activity above which modes are Raman-active, as in tersgen. */
const ACTIVE_FRACTION = 1e-5;

/**
 * Return the irreducible representation of each stick, or null where that is not certain.
 *
 * Sticks are the modes on the axis by rising frequency: all of them, or those that are Raman-active.
 */
export function irrepsOfSticks(species: Species, low: number, high: number, count: number): string[] | null {
  const { irreps, frequency, tensor } = species;
  if (!irreps || irreps.length !== frequency.length) return null;
  const modes = [...frequency.keys()].filter((k) => frequency[k] >= low && frequency[k] <= high);
  const activities = [...frequency.keys()].map((k) => activity(tensor.subarray(9 * k, 9 * k + 9)));
  const largest = Math.max(...activities);
  const bright = modes.filter((k) => activities[k] > ACTIVE_FRACTION * largest);
  const used = [modes, bright].find((some) => some.length === count);
  return used ? used.sort((a, b) => frequency[a] - frequency[b]).map((k) => irreps[k]) : null;
}
