/** The dataset that the address names. */

import { openDataset, type Dataset } from "./dataset.js";
import { context, link, read, type State } from "./state.js";

export { context };

type Values = Record<string, string | number | null | undefined>;

/** Return the address of a view of the same dataset. */
export function dataLink(view: string, values: Values = {}): string {
  const data = read().data;
  return link(view, { data: data === context.data ? null : data, ...values });
}

export function datasetOf(state: State): Promise<Dataset> {
  const reference = state.data || context.data;
  if (!reference) throw new Error("expected a dataset; choose one on the first page");
  return openDataset(reference);
}

/** Return what opens the dataset elsewhere. */
export function referenceOf(state: State): string {
  const reference = state.data || context.data || "";
  return context.isServed && !reference.includes("/")
    ? new URL(`data/${encodeURIComponent(reference)}`, document.baseURI).href
    : reference;
}
