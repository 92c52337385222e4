/** The first page: the datasets of the server, or a field for the address of one. */

import { api } from "../api.js";
import { context } from "../context.js";
import { bytes, grouped, h, labelled, table } from "../dom.js";
import { go, link, type State } from "../state.js";

export async function home(main: HTMLElement, _: State, signal: AbortSignal): Promise<void> {
  main.append(h("h1", {}, "Datasets"));
  if (context.isServed) {
    const datasets: any[] = await api("datasets", { signal });
    main.append(h("section", { class: "card" }, datasets.length
      ? table(["dataset", "kind", "samples", "species", "size", "splits", "tags", "digest"], datasets.map((one) => [
          one.format === "hdf5" ? `${one.name} (HDF5: tersgen convert makes it readable here)`
          : h("a", { href: link("overview", { data: one.name }) }, one.name), one.kind ?? "", grouped(one.n_samples),
          grouped(Array.isArray(one.classes) ? one.classes.length : (one.classes ?? 0)),
          one.bytes ? bytes(one.bytes) : "", (one.splits ?? []).join(", ") || "none", (one.tags ?? []).join(", ") || "none",
          h("code", {}, (one.digest ?? "").slice(0, 12)),
        ]), {}, "Datasets of this server")
      : h("p", { class: "hint" }, "No dataset yet. Build one: ", h("a", { href: link("recipe") }, "edit a recipe"), ".")));
  }
  const address = h("input", { type: "text", class: "wide-input", placeholder: "https://bucket.example.org/data.zarr", required: true });
  main.append(h("section", { class: "card" }, h("h2", {}, "Open by address"),
    h("form", { class: "controls", onsubmit: (event: Event) => {
      event.preventDefault();
      go("overview", { data: address.value.trim() });
    } }, labelled("address of a dataset (Zarr, complete)", address), h("button", {}, "Open")),
    h("p", { class: "hint" }, "The browser reads it directly; another host must allow that (CORS), with ranges.")));
}
