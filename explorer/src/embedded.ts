/** Rows that a report carries in the page itself. */

import { numbers } from "./api.js";
import { Dataset, decoded, size, type FieldSpec, type Source, type Values } from "./dataset.js";
import { provideSpecies } from "./library.js";

class EmbeddedSource implements Source {
  private readonly values = new Map<string, Values>();

  constructor(private readonly fields: Record<string, string>) {}

  async read(field: FieldSpec, start: number, stop: number): Promise<Values> {
    let all = this.values.get(field.name);
    if (!all) {
      all = decoded(field, {}, numbers(field.dtype, this.fields[field.name]));
      this.values.set(field.name, all);
    }
    const width = size(field.shape);
    return all.subarray(start * width, stop * width) as Values;
  }
}

/** Return the dataset in this page; null if there is none. */
export async function embeddedDataset(): Promise<Dataset | null> {
  const element = document.getElementById("embedded");
  if (!element) return null;
  const packed = Uint8Array.from(atob(element.textContent!.trim()), (sign) => sign.charCodeAt(0));
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"));
  const content = await new Response(stream).json();
  const { name, manifest, recipe, rows, fields, species } = content;
  const dataset = new Dataset(name, null, manifest, recipe, new EmbeddedSource(fields), rows);
  provideSpecies(dataset, species);
  return dataset;
}
