/** The server's answers. */

import type { Values } from "./dataset.js";

/** An answer that says what is wrong, and where. */
export class ApiError extends Error {
  constructor(message: string, readonly status: number, readonly field: string | null = null) {
    super(message);
  }
}

export async function api(path: string, init: RequestInit = {}): Promise<any> {
  const response = await fetch(new URL(`api/v1/${path}`, document.baseURI), init).catch((error) => {
    if (init.signal?.aborted) throw error;
    throw new ApiError("the server does not answer", 0);
  });
  const body = await response.json().catch(() => null);
  if (!response.ok) {
    throw new ApiError(body?.error ?? `the server answers ${response.status}`, response.status, body?.field ?? null);
  }
  return body;
}

export function post(path: string, content: unknown, signal?: AbortSignal): Promise<any> {
  return api(path, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(content),
    signal: signal ?? null,
  });
}

export interface Preview {
  index: number;
  warnings: string[];
  species: string;
  scalars: Record<string, number>;
  axes: Record<string, { values: number[]; unit: string }>;
  /** Values along the dimension ``dim``, such as the limits of bands. */
  coordinates: Record<string, { dim: string; values: number[]; unit: string }>;
  fields: Record<string, { dtype: string; shape: number[]; unit: string; values: Values }>;
}

/** Return one sample of a recipe, or of the recipe of a dataset, generated now. */
export async function preview(asked: object, signal?: AbortSignal): Promise<Preview> {
  const answer = await post("preview", asked, signal);
  for (const field of Object.values<any>(answer.fields)) field.values = numbers(field.dtype, field.data);
  return answer;
}

/** Return numbers that were written in base64. */
export function numbers(dtype: string, text: string): Values {
  const bytes = Uint8Array.from(atob(text), (sign) => sign.charCodeAt(0));
  const kinds: Record<string, any> = {
    float32: Float32Array, float64: Float64Array, int32: Int32Array, uint8: Uint8Array,
    uint16: Uint16Array, float16: Uint16Array,
  };
  const kind = kinds[dtype];
  if (!kind) throw new Error(`expected float32 or int32, got ${dtype}`);
  return new kind(bytes.buffer);
}
