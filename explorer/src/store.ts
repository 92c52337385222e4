/** Files of a dataset over HTTP: whole ones, and ranges of shards. */

import type { AbsolutePath, AsyncReadable, GetOptions, RangeQuery } from "zarrita";

/** A file that is not there, or a server that refuses it. */
export class FileError extends Error {
  constructor(readonly url: string, readonly status: number) {
    super(
      status === 404 ? `${url}: expected a file of a dataset, got none`
      : status === 401 || status === 403 ? `${url}: the server refuses it (${status}); open the page with its token`
      : `${url}: the server answers ${status}`,
    );
  }
}

async function request(url: string, headers: Record<string, string>, signal?: AbortSignal) {
  let response: Response;
  try {
    response = await fetch(url, { headers, signal: signal ?? null });
  } catch (error) {
    if (signal?.aborted) throw error;
    throw new Error(`${url}: no answer; is the address right, and may this page read it (CORS)?`);
  }
  if (!response.ok) throw new FileError(url, response.status);
  return response;
}

export async function fetchBytes(url: string, signal?: AbortSignal): Promise<Uint8Array> {
  return new Uint8Array(await (await request(url, {}, signal)).arrayBuffer());
}

export async function fetchJson(url: string, signal?: AbortSignal): Promise<any> {
  return (await request(url, {}, signal)).json();
}

/** Files that a server without ranges sent whole, the newest last. */
const whole = new Map<string, Uint8Array>();
const MOST_WHOLE = 4;

function kept(url: string, bytes: Uint8Array): Uint8Array {
  whole.set(url, bytes);
  if (whole.size > MOST_WHOLE) whole.delete(whole.keys().next().value as string);
  return bytes;
}

function cut(bytes: Uint8Array, range: RangeQuery): Uint8Array {
  if ("suffixLength" in range) return bytes.slice(-range.suffixLength);
  return bytes.slice(range.offset, range.offset + range.length);
}

/** Return part of a file. */
export async function fetchRange(
  url: string, range: RangeQuery, signal?: AbortSignal,
): Promise<Uint8Array> {
  const there = whole.get(url);
  if (there) return cut(there, range);
  const header = (query: RangeQuery) =>
    "suffixLength" in query
      ? `bytes=-${query.suffixLength}`
      : `bytes=${query.offset}-${query.offset + query.length - 1}`;
  let response: Response;
  try {
    response = await request(url, { Range: header(range) }, signal);
  } catch (error) {
    const has = error instanceof FileError && [400, 405, 416, 501].includes(error.status);
    if (!has || !("suffixLength" in range)) throw error;
    // some stores know no ranges from the end
    const head = await fetch(url, { method: "HEAD", signal: signal ?? null });
    const length = Number(head.headers.get("Content-Length"));
    const offset = Math.max(0, length - range.suffixLength);
    response = await request(url, { Range: header({ offset, length: length - offset }) }, signal);
  }
  const bytes = new Uint8Array(await response.arrayBuffer());
  return response.status === 206 ? bytes : cut(kept(url, bytes), range);
}

const SMALL_BYTES = 2 ** 18;
const MOST_SMALL = 128;

/**
 * What zarrita reads a dataset through: descriptions of arrays from the consolidated metadata, and
 * shards, of which a missing one is an error. Half-precision numbers are read as their bits.
 */
export class DatasetStore implements AsyncReadable {
  constructor(readonly base: string, private readonly metadata: Record<string, any>) {}

  async get(key: AbsolutePath, options?: GetOptions): Promise<Uint8Array | undefined> {
    const name = key.slice(1);
    if (!name.endsWith("zarr.json")) return fetchBytes(this.base + name, options?.signal);
    const described = this.metadata[name.slice(0, -"/zarr.json".length)];
    if (!described) return undefined;
    const half = described.data_type === "float16";
    const read = half ? { ...described, data_type: "uint16", fill_value: 0x7e00 } : described;
    return new TextEncoder().encode(JSON.stringify(read));
  }

  async getRange(key: AbsolutePath, range: RangeQuery, options?: GetOptions): Promise<Uint8Array> {
    const url = this.base + key.slice(1);
    if (!this.isSmall(key)) return fetchRange(url, range, options?.signal);
    let file = this.small.get(url);
    if (!file) {
      file = fetchBytes(url);
      file.catch(() => this.small.delete(url));
      this.small.set(url, file);
      if (this.small.size > MOST_SMALL) this.small.delete(this.small.keys().next().value as string);
    }
    return cut(await file, range);
  }

  private readonly small = new Map<string, Promise<Uint8Array>>();

  /** Whether the shards of an array are so small that one request gets all of it. */
  private isSmall(key: AbsolutePath): boolean {
    const described = this.metadata[key.slice(1, key.lastIndexOf("/"))];
    const shape: number[] = described?.chunk_grid?.configuration?.chunk_shape ?? [Infinity];
    return 8 * shape.reduce((a, b) => a * b, 1) <= SMALL_BYTES;
  }
}
