/** Parts of what is shown of a row: plots with what can be taken away, and tables. */

import { button, h, table, unit, written } from "./dom.js";
import { saveCsv, savePng } from "./download.js";
import type { Row } from "./row.js";
import { irrep, SpectrumPlot, type Sticks } from "./spectrum.js";

export const SHIFT = "Raman shift / cm⁻¹";
export const INTENSITY = "intensity / arb. units";

/** Return a plot with its title and what can be saved of it. */
export function plotCard(row: Row, title: string, plot: SpectrumPlot, kind: string, hint: string, zooms = false): HTMLElement {
  const file = () => `${row.dataset.name}-${row.dataset.number(row.row)}-${kind}`;
  const zoom = zooms && toggle("zoom by dragging", false, (on) => plot.zoomByDrag(on));
  return h("section", { class: "card" }, h("h2", {}, title), h("div", { class: "controls" }, zoom), plot.element,
    h("p", { class: "hint" }, hint),
    h("div", { class: "toolbar" },
      button("PNG", () => savePng(`${file()}.png`, plot.element.querySelector("canvas")!), { "aria-label": `${title} as PNG` }),
      button("CSV", () => saveCsv(`${file()}.csv`, plot.columns), { "aria-label": `${title} as CSV` })));
}

/** Return the atoms of a row. */
export function atomTable(row: Row): HTMLElement {
  const { atoms, origin } = row.molecule!;
  const drifts = row.dataset.has("params/scan") ? "; the drift of the scan is not in them" : "";
  return h("details", {}, h("summary", {}, "Table of atoms"), h("p", { class: "hint" }, `${origin}${drifts}`), table(
    ["atom", "x / Å", "y / Å", "z / Å"], atoms.map(({ symbol, x, y, z }) => [symbol, ...[x, y, z].map((one) => one.toFixed(3))]), {}, "Atoms"));
}

/** Return the sticks of a species in a row. */
export function stickTable(sticks: Sticks): HTMLElement {
  const rows = sticks.position.map((x, k) =>
    [x.toFixed(1), written(sticks.height[k]), irrep(sticks.names?.[k] ?? "unknown")]);
  return h("details", {}, h("summary", {}, `Table of ${sticks.label}`),
    table(["shift / cm⁻¹", "intensity", "irrep"], rows, {}, sticks.label));
}

/** Return a measured spectrum as the file has it, before it was resampled; null of synthetic rows. */
export function rawCard(row: Row): HTMLElement | null {
  const [x, y, count] = ["raw/shift", "raw/intensity", "raw/count"].map((name) => row.values.get(name));
  if (!x || !y || !count || x.length !== y.length) return null; // of a cube, its pixels have spectra
  const of = row.dataset.fields.get("raw/intensity")!.unit;
  const plot = new SpectrumPlot({
    label: "Spectrum as measured", x: x.subarray(0, count[0]), xLabel: SHIFT, height: 280,
    yLabel: unit(of) ? `intensity / ${unit(of)}` : "intensity as in the file",
    lines: [{ label: "as measured", values: y.subarray(0, count[0]) }],
  });
  return plotCard(row, "As measured", plot, "raw", "The points of the file, before resampling. Drag to zoom, double-click to show all.");
}

export function toggle(text: string, on: boolean, changed: (on: boolean) => void, title?: string): HTMLElement {
  return h("label", { class: "toggle", title }, h("input", {
    type: "checkbox", checked: on, onchange: (event: Event) => changed((event.target as HTMLInputElement).checked),
  }), text);
}
