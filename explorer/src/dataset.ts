/** A dataset: fields of rows, whether they lie behind a URL, in this file, or in an answer. */

import * as zarr from "zarrita";
import { BloscCodec } from "./blosc.js";
import { Crc32cCodec } from "./crc32c.js";
import { fromHalf } from "./half.js";
import { context } from "./state.js";
import { DatasetStore, fetchJson, fetchRange, FileError } from "./store.js";

zarr.registry.set("blosc", () => BloscCodec as any);
zarr.registry.set("crc32c", () => Crc32cCodec as any);

export type Values = Float32Array | Float64Array | Int32Array | Uint8Array | Uint16Array;

export interface FieldSpec {
  name: string;
  dims: string[];
  shape: number[];
  dtype: string;
  unit: string;
  description: string;
  span: [number, number] | null;
}

export interface Axis {
  name: string;
  unit: string;
  description: string;
  start: number;
  stop: number;
  n: number;
}

/** Values along a dimension that are not evenly spaced, such as the limits of bands. */
export interface Coordinate {
  name: string;
  dim: string;
  unit: string;
  description: string;
  values: number[];
}

export interface Split {
  name: string;
  digest: string;
  rule: { names: string[] };
  counts: number[][];
}

export interface Manifest {
  version: string;
  digest: string;
  created?: string;
  change?: string;
  parent?: string | null;
  format: string;
  n_samples: number;
  generator: number;
  seed: number;
  bytes_stored?: number;
  fields: FieldSpec[];
  axes: Axis[];
  /** Absent from manifests of earlier versions. */
  coordinates?: Coordinate[];
  classes: string[];
  class_counts: number[];
  splits?: Split[];
  recipe_digest: string;
}

/** Where values come from: rows ``start`` to ``stop`` of a field, one after the other. */
export interface Source {
  read(field: FieldSpec, start: number, stop: number, signal?: AbortSignal): Promise<Values>;
}

export function points(axis: Axis): Float64Array {
  const step = axis.n > 1 ? (axis.stop - axis.start) / (axis.n - 1) : 0;
  return Float64Array.from({ length: axis.n }, (_, k) => axis.start + k * step);
}

export const size = (shape: number[]): number => shape.reduce((a, b) => a * b, 1);

export class Dataset {
  readonly fields: Map<string, FieldSpec>;
  readonly axes: Map<string, Axis>;

  constructor(
    readonly name: string,
    /** Address of its folder, with a slash at its end; null for rows in this file. */
    readonly base: string | null,
    readonly manifest: Manifest,
    readonly recipe: any,
    private readonly source: Source,
    /** Number in the whole dataset of each row that is here; all of them if null. */
    readonly numbers: number[] | null = null,
  ) {
    this.fields = new Map(manifest.fields.map((field) => [field.name, field]));
    this.axes = new Map(manifest.axes.map((axis) => [axis.name, axis]));
  }

  /** Rows that can be shown. */
  get length(): number {
    return this.numbers ? this.numbers.length : this.manifest.n_samples;
  }

  get classes(): string[] {
    return this.manifest.classes;
  }

  /** Number of a row in the whole dataset. */
  number(row: number): number {
    return this.numbers ? this.numbers[row] : row;
  }

  has(name: string): boolean {
    return this.fields.has(name);
  }

  axis(name: string): Float64Array | null {
    const axis = this.axes.get(name);
    return axis ? points(axis) : null;
  }

  /** Lowest and highest Raman shift of the band of each channel of maps, in cm^-1; null if unknown. */
  get bands(): [number, number][] | null {
    const limits = (end: string) => this.manifest.coordinates?.find(({ name }) => name === `band_${end}`)?.values;
    const [low, high] = [limits("low"), limits("high")];
    if (low && high) return low.map((one, k): [number, number] => [one, high[k]]);
    return this.manifest.coordinates ? null : (this.recipe?.nearfield?.bands ?? null); // of an earlier version
  }

  async rows(name: string, start: number, stop: number, signal?: AbortSignal): Promise<Values> {
    const field = this.fields.get(name);
    if (!field) throw new Error(`expected a field of the dataset, got ${name}`);
    if (!(start >= 0 && start <= stop && stop <= this.length)) {
      throw new Error(`expected rows from 0 to ${this.length - 1}, got ${start} to ${stop - 1}`);
    }
    return this.source.read(field, start, stop, signal);
  }

  row(name: string, row: number, signal?: AbortSignal): Promise<Values> {
    return this.rows(name, row, row + 1, signal);
  }

  /** Fields of one number a row: what can be filtered by. */
  get scalars(): FieldSpec[] {
    return this.manifest.fields.filter((field) => field.shape.length === 0);
  }

  species(label: number): string {
    return this.classes[label] ?? `label ${label}, which no species has`;
  }
}

const CACHED_BYTES = 96 * 2 ** 20;

/** Chunks of a stored dataset, decoded and checked; the last ones stay. */
class ZarrSource implements Source {
  private readonly arrays = new Map<string, Promise<any>>();
  private readonly chunks = new Map<string, { bytes: number; values: Promise<Values> }>();
  private readonly root: zarr.Location<DatasetStore>;

  constructor(store: DatasetStore) {
    this.root = zarr.root(store);
  }

  async read(field: FieldSpec, start: number, stop: number): Promise<Values> {
    let opened = this.arrays.get(field.name);
    if (!opened) {
      opened = zarr.open.v3(this.root.resolve(field.name), { kind: "array" });
      this.arrays.set(field.name, opened);
    }
    const array = await opened;
    const width = size(field.shape);
    if (size(array.shape.slice(1)) !== width) {
      throw new Error(`${field.name}: the manifest and zarr.json contradict each other`);
    }
    const perChunk: number = array.chunks[0];
    const first = Math.floor(start / perChunk);
    const count = Math.max(0, Math.ceil(stop / perChunk) - first);
    const chunks = await Promise.all(
      Array.from({ length: count }, (_, k) => this.chunk(field, array, first + k)),
    );
    if (count === 1) {
      const offset = first * perChunk;
      return chunks[0].subarray((start - offset) * width, (stop - offset) * width) as Values;
    }
    const kind = (chunks[0] ?? new Float32Array()).constructor as any;
    const values = new kind((stop - start) * width);
    chunks.forEach((chunk, k) => {
      const offset = (first + k) * perChunk;
      const from = Math.max(start, offset);
      const to = Math.min(stop, offset + perChunk);
      values.set(
        chunk.subarray((from - offset) * width, (to - offset) * width), (from - start) * width,
      );
    });
    return values;
  }

  private chunk(field: FieldSpec, array: any, number: number): Promise<Values> {
    const key = `${field.name}/${number}`;
    const there = this.chunks.get(key);
    if (there) {
      this.chunks.delete(key);
      this.chunks.set(key, there);
      return there.values;
    }
    const values: Promise<Values> = array
      .getChunk([number, ...field.shape.map(() => 0)])
      .then((chunk: any) => decoded(field, array.attrs, chunk.data))
      .catch((error: Error) => {
        const reason = error.cause instanceof Error ? error.cause : error;
        throw new Error(`${field.name}: ${reason.message}`);
      });
    values.catch(() => this.chunks.delete(key));
    this.chunks.set(key, { bytes: 4 * size(array.chunks), values });
    let total = 0;
    for (const one of this.chunks.values()) total += one.bytes;
    for (const [oldest, one] of this.chunks) {
      if (total <= CACHED_BYTES || oldest === key) break;
      this.chunks.delete(oldest);
      total -= one.bytes;
    }
    return values;
  }
}

/** Return values as they are meant: half precision, and fixed point by the CF conventions. */
export function decoded(field: FieldSpec, attributes: any, stored: Values): Values {
  const plain = field.dtype === "float16" && stored instanceof Uint16Array ? fromHalf(stored) : stored;
  const { scale_factor: scale, add_offset: offset, _FillValue: fill } = attributes ?? {};
  if (scale === undefined && offset === undefined) return plain;
  const values = new Float32Array(plain.length);
  for (let k = 0; k < plain.length; k++) {
    values[k] = plain[k] === fill ? NaN : plain[k] * (scale ?? 1) + (offset ?? 0);
  }
  return values;
}

/** Return the address of a dataset's folder: of a name, where the server has it. */
export function folderOf(reference: string): string {
  const isName = context.isServed && !reference.includes("/");
  const path = isName ? `data/${encodeURIComponent(reference)}` : reference;
  const url = new URL(path.endsWith("/") ? path : `${path}/`, document.baseURI);
  if (!/^https?:$/.test(url.protocol)) {
    throw new Error(`expected an address with http or https, got ${reference}`);
  }
  return url.href;
}

const opened = new Map<string, Promise<Dataset>>();

/** Open a dataset, by its name on this server or its URL; ``@ID`` at the end is a version of it. */
export function openDataset(reference: string): Promise<Dataset> {
  let dataset = opened.get(reference);
  if (!dataset) {
    dataset = open(reference);
    dataset.catch(() => opened.delete(reference));
    opened.set(reference, dataset);
  }
  return dataset;
}

/** Make a dataset known under a name, as a report does with the rows that it contains. */
export function provide(name: string, dataset: Dataset): void {
  opened.set(name, Promise.resolve(dataset));
}

async function open(reference: string): Promise<Dataset> {
  const [, path, version] = /^(.*?)(?:@([0-9a-f]{64}))?$/.exec(reference)!;
  const base = folderOf(path);
  const file = version ? `versions/${version}.json` : "manifest.json";
  const [manifest, described, recipe]: [Manifest, any, any] = await Promise.all([
    fetchJson(base + file).catch((error) => {
      if (!(error instanceof FileError) || error.status !== 404) throw error;
      throw new Error(`${base}: expected a complete dataset, got no ${file}`);
    }),
    fetchJson(`${base}zarr.json`),
    fetchJson(`${base}recipe.json`),
  ]);
  if ((manifest as any).format_version !== 4) {
    throw new Error(`${base}: expected format 4, got ${(manifest as any).format_version}`);
  }
  if (manifest.format !== "zarr") {
    throw new Error(`${base}: expected a Zarr dataset, got ${manifest.format}; tersgen convert makes one`);
  }
  const arrays = described.consolidated_metadata?.metadata;
  if (!arrays) throw new Error(`${base}zarr.json: expected consolidated metadata, got none`);
  const name = decodeURIComponent(path.replace(/\/+$/, "").split("/").pop() ?? path);
  return new Dataset(name, base, manifest, recipe, new ZarrSource(new DatasetStore(base, arrays)));
}

/** Return the part of a split of rows ``start`` to ``stop``: numbers in its ``rule.names``. */
export async function parts(
  dataset: Dataset, split: Split, start: number, stop: number,
): Promise<Uint8Array> {
  if (!dataset.base) return (await dataset.rows(`split/${split.name}`, start, stop)) as Uint8Array;
  const url = `${dataset.base}splits/${split.name}-${split.digest.slice(0, 16)}.npy`;
  return fetchRange(url, { offset: 128 + start, length: stop - start });
}
