/** Rows that fit what a person asks for, found block by block: no whole column is needed. */

import { parts, size, type Dataset, type Values } from "./dataset.js";
import type { State } from "./state.js";

export interface Filter {
  species: number | null;
  /** Split and part, such as ["default", "train"]. */
  part: [string, string] | null;
  field: string | null;
  low: number;
  high: number;
  snr: number;
}

export function filterOf(dataset: Dataset, state: State): Filter {
  const label = dataset.classes.indexOf(state.species ?? "");
  const [split, part] = (state.part ?? "").split(":");
  const limit = (text: string | undefined, usual: number) => (text ? Number(text) : usual);
  return {
    species: label >= 0 ? label : null,
    part: part && dataset.manifest.splits?.some((one) => one.name === split) ? [split, part] : null,
    field: state.by && dataset.has(state.by) ? state.by : null,
    low: limit(state.low, -Infinity),
    high: limit(state.high, Infinity),
    snr: dataset.has("spectra") ? limit(state.snr, -Infinity) : -Infinity,
  };
}

const BLOCK_ROWS = 4096;
const BLOCK_BYTES = 4 * 2 ** 20;
const MOST_BLOCKS = 16;

export interface Found {
  rows: number[];
  /** Row to go on from; null at the end. */
  next: number | null;
  seen: number;
}

/** Return the next rows that pass, ``most`` at most; it stops after some blocks, found or not. */
export async function findRows(
  dataset: Dataset, filter: Filter, start: number, most: number, signal: AbortSignal,
): Promise<Found> {
  const rows: number[] = [];
  const isAll = filter.species === null && !filter.part && !filter.field && filter.snr === -Infinity;
  const width = filter.snr > -Infinity ? 4 * size(dataset.fields.get("spectra")!.shape) : 4;
  const step = isAll ? most : Math.min(BLOCK_ROWS, Math.max(64, Math.floor(BLOCK_BYTES / width)));
  let at = start;
  for (let block = 0; block < MOST_BLOCKS && at < dataset.length && rows.length < most; block++) {
    signal.throwIfAborted();
    const stop = Math.min(at + step, dataset.length);
    const passes = await passing(dataset, filter, at, stop);
    for (; at < stop && rows.length < most; at++) if (passes(at)) rows.push(at);
  }
  return { rows, next: at < dataset.length ? at : null, seen: at - start };
}

async function passing(
  dataset: Dataset, filter: Filter, start: number, stop: number,
): Promise<(row: number) => boolean> {
  const split = filter.part && dataset.manifest.splits!.find((one) => one.name === filter.part![0])!;
  const [labels, part, values, spectra] = await Promise.all([
    filter.species === null ? null : dataset.rows("label", start, stop),
    split ? parts(dataset, split, start, stop) : null,
    filter.field ? dataset.rows(filter.field, start, stop) : null,
    filter.snr > -Infinity ? dataset.rows("spectra", start, stop) : null,
  ]);
  const wanted = split ? split.rule.names.indexOf(filter.part![1]) : -1;
  const length = spectra ? spectra.length / (stop - start) : 0;
  return (row) => {
    const k = row - start;
    if (labels && labels[k] !== filter.species) return false;
    if (part && part[k] !== wanted) return false;
    if (values && !(values[k] >= filter.low && values[k] <= filter.high)) return false;
    return !spectra || signalToNoise(spectra.subarray(k * length, (k + 1) * length) as Values) >= filter.snr;
  };
}

/**
 * Return the signal-to-noise ratio of a spectrum: its height over the noise, which is estimated from
 * second differences (DER_SNR; F. Stoehr et al., ASP Conf. Ser. 394, 505 (2008)).
 */
export function signalToNoise(values: Values): number {
  const finite = Array.from(values as Float32Array).filter(Number.isFinite);
  if (finite.length < 5) return NaN;
  const differences = finite.slice(2, -2).map((value, k) => Math.abs(2 * value - finite[k] - finite[k + 4]));
  const noise = (1.482602 / Math.sqrt(6)) * median(differences);
  const height = finite.reduce((a, b) => Math.max(a, b), -Infinity) - median(finite);
  return noise > 0 ? height / noise : Infinity;
}

function median(values: number[]): number {
  const sorted = Float64Array.from(values).sort();
  const middle = sorted.length >> 1;
  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}
