/** A dataset at a glance: what it holds, how much, of what, and where it comes from. */

import { context, dataLink, datasetOf, referenceOf } from "../context.js";
import type { Dataset } from "../dataset.js";
import { bytes, grouped, h, table, unit } from "../dom.js";
import { copyButton, quoted, saveJson } from "../download.js";
import { fetchJson } from "../store.js";
import { link, type State } from "../state.js";
import { button } from "../dom.js";

export async function overview(main: HTMLElement, state: State): Promise<void> {
  const dataset = await datasetOf(state);
  const { manifest } = dataset;
  const facts: [string, string | Node][] = [
    ["samples", grouped(manifest.n_samples)],
    ["species", grouped(manifest.classes.length)],
    ["arrays", grouped(manifest.fields.length)],
    ["on disk", manifest.bytes_stored ? bytes(manifest.bytes_stored) : "unknown"],
  ];
  main.append(
    h("h1", {}, dataset.name),
    dataset.numbers && h("p", { class: "hint" },
      `This file contains ${grouped(dataset.length)} of ${grouped(manifest.n_samples)} samples.`) || "",
    h("dl", { class: "tiles" }, facts.map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", {}, value)))),
    h("div", { class: "columns" },
      h("section", { class: "card wide" }, h("h2", {}, "Arrays"), arrays(dataset)),
      h("section", { class: "card" }, h("h2", {}, "Class balance"), balance(dataset)),
      h("section", { class: "card" }, h("h2", {}, "Splits"), splits(dataset)),
      h("section", { class: "card" }, h("h2", {}, "Identity"), identity(dataset), tools(dataset, state)),
      h("section", { class: "card" }, h("h2", {}, "Versions"), versions(dataset, state)),
      h("section", { class: "card wide" }, h("h2", {}, "Recipe"),
        h("details", {}, h("summary", {}, "Settings that differ from the defaults"),
          h("pre", { tabindex: 0 }, JSON.stringify(dataset.recipe, null, 1))),
        context.isServed && dataset.recipe?.generator
          ? h("div", { class: "toolbar" }, h("a", { class: "button", href: link("recipe", { data: state.data, from: state.data }) }, "Edit a copy")) : ""),
    ),
  );
}

const MOST_CLASSES = 500;

function arrays(dataset: Dataset): HTMLElement {
  const rows = dataset.manifest.fields.filter((field) => !/^(ideal|split)\//.test(field.name)).map((field) => [
    h("code", {}, field.name),
    field.dims.map((dim, k) => `${dim} ${grouped(field.shape[k])}`).join(" × ") || "one number",
    field.dtype,
    unit(field.unit) || "1",
    field.description,
  ]);
  return table(["array", "a row is", "type", "unit", "meaning"], rows, { class: "arrays" }, "Arrays");
}

function balance(dataset: Dataset): HTMLElement {
  const { classes, class_counts: counts } = dataset.manifest;
  const most = Math.max(...counts, 1);
  const rows = classes.slice(0, MOST_CLASSES).map((name, k) => [
    h("a", { href: dataLink("gallery", { species: name }) }, name),
    grouped(counts[k]),
    h("meter", { min: 0, max: most, value: counts[k], "aria-label": `share of ${name}` }),
  ]);
  const rest = classes.length - rows.length;
  return h("div", {}, table(["species", "samples", "share"], rows, { class: "balance" }, "Samples of each species"),
    rest > 0 && h("p", { class: "hint" }, `and ${grouped(rest)} more`));
}

function splits(dataset: Dataset): HTMLElement {
  const all = dataset.manifest.splits ?? [];
  if (!all.length) return h("p", { class: "hint" }, "none; tersgen split makes one");
  return h("div", {}, all.map((split) => {
    const sums = split.rule.names.map((_, k) => split.counts.reduce((sum, row) => sum + row[k], 0));
    return h("div", {}, h("h3", {}, split.name), table(["part", "samples"], split.rule.names.map((name, k) => [
      h("a", { href: dataLink("gallery", { part: `${split.name}:${name}` }) }, name), grouped(sums[k]),
    ]), {}, `Parts of the split ${split.name}`));
  }));
}

function identity(dataset: Dataset): HTMLElement {
  const { manifest } = dataset;
  const rows: [string, string][] = [
    ["digest", manifest.digest],
    ["version", manifest.version],
    ["recipe", manifest.recipe_digest],
    ["generator", String(manifest.generator)],
    ["seed", String(manifest.seed)],
    ["created", (manifest.created ?? "").replace("T", " ").replace("+00:00", " UTC")],
  ];
  return h("dl", { class: "facts" }, rows.map(([name, value]) => [h("dt", {}, name), h("dd", {}, h("code", {}, value))]).flat());
}

function tools(dataset: Dataset, state: State): HTMLElement {
  return h("div", { class: "toolbar" },
    copyButton("Copy as Python", "Python", () =>
      `import tersgen\n\nds = tersgen.open(${quoted(referenceOf(state))})\nassert ds.digest == ${quoted(dataset.manifest.digest)}\n`),
    button("Manifest (JSON)", () => saveJson(`${dataset.name}.manifest.json`, dataset.manifest)),
  );
}

/** Return a table of this version and those it came from. */
function versions(dataset: Dataset, state: State): HTMLElement {
  const box = h("div", {});
  const rows: (string | Node)[][] = [];
  const show = () => box.replaceChildren(table(["version", "change", "samples", "splits", "compare"], rows, {}, "Versions"));
  const data = (state.data || context.data || "").replace(/@[0-9a-f]{64}$/, "");
  const add = (manifest: any) => {
    const other = `${data}@${manifest.version}`;
    rows.push([
      h("a", { href: link("overview", { data: other }) }, manifest.version.slice(0, 8)),
      manifest.change ?? "",
      grouped(manifest.n_samples),
      (manifest.splits ?? []).map((split: any) => split.name).join(", ") || "none",
      manifest.version === dataset.manifest.version
        ? "shown"
        : h("a", { href: dataLink("compare", { row: 0, other, otherRow: 0 }) }, "rows beside these"),
    ]);
    show();
  };
  add(dataset.manifest);
  const older = async () => {
    let parent = dataset.manifest.parent;
    for (let k = 0; parent && dataset.base && k < 20; k++) {
      const manifest: any = await fetchJson(`${dataset.base}versions/${parent}.json`);
      add(manifest);
      parent = manifest.parent;
    }
  };
  older().catch((error) => box.append(h("p", { class: "error" }, error.message)));
  return box;
}
