/** One sample, or two beside each other. */

import { context, dataLink, datasetOf, referenceOf } from "../context.js";
import { openDataset, type Dataset } from "../dataset.js";
import { button, grouped, h, labelled, table, unit, written } from "../dom.js";
import { copyButton, quoted, saveJson } from "../download.js";
import { Figure } from "../figure.js";
import { loadRow, parametersOf, type Row } from "../row.js";
import { go, note, read, type State } from "../state.js";

const clamp = (row: number, dataset: Dataset) =>
  Math.min(Math.max(Number.isFinite(row) ? Math.trunc(row) : 0, 0), dataset.length - 1);

function heading(row: Row): HTMLElement {
  const { dataset, species, name, composition } = row;
  const about = [species?.formula && subscripts(species.formula), species?.point_group && pointGroup(species.point_group)];
  const parts = composition.map(([one, fraction]) => `${one} ${(100 * fraction).toFixed(0)} %`);
  return h("div", { class: "heading" },
    h("h1", {}, parts.length ? parts.join(", ") : name),
    h("p", { class: "hint" }, [`sample ${grouped(dataset.number(row.row))} of ${dataset.name}`, ...about.filter(Boolean)].join(" · ")));
}

const subscripts = (text: string) => text.replace(/\d/g, (digit) => "₀₁₂₃₄₅₆₇₈₉"[Number(digit)]);
const pointGroup = (text: string) => text.replace(/\d/g, (digit) => "₀₁₂₃₄₅₆₇₈₉"[Number(digit)]);

export async function sample(main: HTMLElement, state: State, signal: AbortSignal): Promise<void> {
  const dataset = await datasetOf(state);
  const number = clamp(Number(state.row ?? 0), dataset);
  const row = await loadRow(dataset, number, signal);
  signal.throwIfAborted();
  const kept = () => {
    const { view: _, data: __, row: ___, ...settings } = read();
    return settings;
  };
  const to = (other: number) => go("sample", { ...kept(), data: read().data, row: clamp(other, dataset) });
  document.addEventListener("keydown", (event) => {
    const isFree = event.target === document.body || (event.target as Element).id === "main";
    if (!isFree || event.altKey || event.ctrlKey || event.metaKey) return;
    if (event.key === "ArrowLeft" && number > 0) to(number - 1);
    if (event.key === "ArrowRight" && number < dataset.length - 1) to(number + 1);
  }, { signal });
  const steps = h("div", { class: "steps" },
    button("‹", () => to(number - 1), { "aria-label": "Previous sample", disabled: number === 0 }),
    labelled(dataset.numbers ? "sample of this file" : "sample", h("input", {
      type: "number", min: 0, max: dataset.length - 1, value: number, class: "short",
      onchange: (event: Event) => to(Number((event.target as HTMLInputElement).value)),
    })),
    button("›", () => to(number + 1), { "aria-label": "Next sample", disabled: number === dataset.length - 1 }),
    h("a", { class: "button", href: dataLink("compare", { row: number, otherRow: clamp(number + 1, dataset) }) }, "Compare"));
  main.append(h("div", { class: "head" }, heading(row), steps),
    new Figure(row, state as any, (changes) => note(changes as any), signal, "", details(row, state)).element);
}

/** Return what was drawn for a row, and ways to take the row away. */
function details(row: Row, state: State): HTMLElement {
  const { dataset } = row;
  const number = dataset.number(row.row);
  const rows = parametersOf(row).map(([name, value, of]) => [name, written(value), unit(of)]);
  return h("section", { class: "card aside" }, h("h2", {}, dataset.recipe?.generator ? "As drawn for this sample" : "Of this sample"),
    rows.length ? h("div", { class: "parameters" }, table(["parameter", "value", "unit"], rows, {}, "Parameters of the sample"))
      : h("p", { class: "hint" }, "This dataset has no parameters."),
    h("div", { class: "toolbar" },
      copyButton("Copy as Python", "Python", () =>
        `import tersgen\n\nds = tersgen.open(${quoted(referenceOf(state))})\nsample = ds[${number}]  # every field of this row, by name\n` +
        (dataset.recipe?.generator ? `block = tersgen.generate(ds.recipe, ${number}, ${number + 1})  # the same, made again\n` : "")),
      button("Row (JSON)", () => saveJson(`${dataset.name}-${number}.json`, {
        dataset: dataset.name, digest: dataset.manifest.digest, row: number, species: row.name,
        fields: Object.fromEntries([...row.values].map(([name, values]) => {
          const { shape, unit: of } = dataset.fields.get(name)!;
          return [name, { shape, unit: of, values: Array.from(values) }];
        })),
      })),
      h("a", { class: "button", href: location.hash, onclick: () => void navigator.clipboard?.writeText(location.href).catch(() => undefined) }, "Link to this view"),
    ));
}

export async function compare(main: HTMLElement, state: State, signal: AbortSignal): Promise<void> {
  const left = await datasetOf(state);
  const right = state.other ? await openDataset(state.other) : left;
  const numbers = [clamp(Number(state.row ?? 0), left), clamp(Number(state.otherRow ?? 1), right)];
  const rows = await Promise.all([loadRow(left, numbers[0], signal), loadRow(right, numbers[1], signal)]);
  signal.throwIfAborted();
  const other = (changes: Record<string, string | number>) => {
    const { view, ...rest } = read();
    go(view, { ...rest, ...changes });
  };
  const picker = (k: number, name: string, dataset: Dataset) => labelled(`row ${k + 1}`, h("input", {
    type: "number", min: 0, max: dataset.length - 1, value: numbers[k], class: "short",
    onchange: (event: Event) => other({ [name]: clamp(Number((event.target as HTMLInputElement).value), dataset) }),
  }));
  main.append(h("h1", {}, "Two samples"),
    h("div", { class: "controls" }, picker(0, "row", left), picker(1, "otherRow", right),
      labelled("second dataset", h("input", {
        value: state.other ?? "", placeholder: "this one", class: "wide-input",
        onchange: (event: Event) => other({ other: (event.target as HTMLInputElement).value.trim() }),
      }), { title: context.isServed ? "a name, or an address" : "an address; NAME@VERSION is a version of it" })),
    h("div", { class: "pair" }, rows.map((row, k) => h("div", {}, heading(row),
      new Figure(row, state as any, (changes) => note(changes as any), signal, k ? "second-" : "").element))),
    differences(rows));
}

/** Return the parameters of two rows beside each other. */
function differences(rows: Row[]): HTMLElement {
  const [left, right] = rows.map((row) => new Map(parametersOf(row).map(([name, value, of]) => [name, { value, of }])));
  const names = [...new Set([...left.keys(), ...right.keys()])];
  const cell = (map: typeof left, name: string) => (map.has(name) ? written(map.get(name)!.value) : "none");
  return h("section", { class: "card" }, h("h2", {}, "As drawn"), h("div", { class: "parameters" },
    table(["parameter", "first", "second", "unit"],
      names.map((name) => [name, cell(left, name), cell(right, name), unit((left.get(name) ?? right.get(name))!.of)]),
      {}, "Parameters of both samples")));
}
