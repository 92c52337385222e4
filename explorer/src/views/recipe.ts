/** A recipe, changed by sliders or as JSON, and the sample that the server makes of it at once. */

import { api, ApiError, post, preview, type Preview } from "../api.js";
import { button, bytes, fill, grouped, h, labelled, select, unit, written } from "../dom.js";
import { saveJson } from "../download.js";
import { openDataset } from "../dataset.js";
import { MapView } from "../mapview.js";
import { controls, type Schema } from "../settings.js";
import { SpectrumPlot } from "../spectrum.js";
import { go, note, type State } from "../state.js";

const WAIT_MS = 60;

export async function recipe(main: HTMLElement, state: State, signal: AbortSignal): Promise<void> {
  const [schema, known]: [Schema, any[]] = await Promise.all([api("schema", { signal }), api("recipes", { signal })]);
  let name: string = state.from ? "" : state.recipe || known[0]?.name || "";
  let current: any = state.from ? structuredClone((await openDataset(state.from)).recipe) : name ? (await api(`recipes/${encodeURIComponent(name)}`, { signal })).recipe : {};
  let index = Number(state.index ?? 0) || 0;
  let pending = new AbortController();
  let timer = 0;

  const status = h("p", { class: "hint", role: "status" });
  const problem = h("p", { class: "error", role: "alert" });
  const warnings = h("p", { class: "hint", role: "note" });
  const shown = new PreviewCard();
  const text = h("textarea", { class: "code", rows: 18, spellcheck: "false", "aria-label": "Recipe as JSON" });
  const form = h("div", { class: "settings" });

  const generate = async () => {
    pending.abort();
    pending = new AbortController();
    const own = AbortSignal.any([pending.signal, signal]);
    const began = performance.now();
    try {
      const answer = await preview({ recipe: current, index }, own);
      shown.show(answer);
      warnings.textContent = answer.warnings.join("; ");
      problem.textContent = "";
      status.textContent = `sample ${grouped(index)}: ${answer.species}, in ${Math.round(performance.now() - began)} ms`;
    } catch (error) {
      if (own.aborted) return;
      const field = error instanceof ApiError && error.field ? `${error.field}: ` : "";
      const message = (error as Error).message;
      problem.textContent = message.startsWith(field) ? message : field + message;
    }
  };
  const soon = () => {
    clearTimeout(timer);
    timer = window.setTimeout(generate, WAIT_MS);
  };
  signal.addEventListener("abort", () => clearTimeout(timer));
  const write = () => (text.value = JSON.stringify(current, null, 1));
  const sliders = () => fill(form, controls(schema, current, () => {
    write();
    soon();
  }, () => sliders()));
  text.addEventListener("input", () => {
    try {
      const parsed = JSON.parse(text.value);
      if (typeof parsed !== "object" || parsed === null || Array.isArray(parsed)) throw new Error("expected an object");
      current = parsed;
    } catch (error) {
      problem.textContent = `JSON: ${(error as Error).message}`;
      return;
    }
    sliders();
    soon();
  });
  const choose = async (other: string) => {
    name = other;
    note({ recipe: name, from: null });
    current = (await api(`recipes/${encodeURIComponent(name)}`, { signal })).recipe;
    write();
    sliders();
    await generate();
  };
  main.append(h("h1", {}, "Recipe"),
    h("div", { class: "controls" },
      labelled("start from", select([...(state.from ? [["", `${state.from} (dataset)`] as [string, string]] : []), ...known.map((one): [string, string] => [one.name, `${one.name} (${one.origin})`])], name,
        (other) => other && void choose(other).catch((error) => (problem.textContent = error.message)))),
      labelled("sample", h("input", { type: "number", min: 0, step: 1, value: index, class: "short", oninput: (event: Event) => {
        index = Math.max(0, Math.trunc(Number((event.target as HTMLInputElement).value)) || 0);
        note({ index });
        soon();
      } })),
      status),
    problem, warnings,
    h("div", { class: "editor" }, h("section", { class: "card" }, h("h2", {}, "Settings"), form), h("div", { class: "stack" }, shown.element,
      buildCard(() => current, () => name),
      h("section", { class: "card" }, h("details", {}, h("summary", {}, "The whole recipe, as JSON"), text),
        h("div", { class: "toolbar" }, button("Save (JSON)", () => saveJson(`${name || "recipe"}.json`, current)))))));
  write();
  sliders();
  await generate();
}

/** Spectrum and map of the sample that was generated last. */
class PreviewCard {
  readonly element = h("section", { class: "card" }, h("h2", {}, "Preview"));
  private plot: SpectrumPlot | null = null;
  private map: MapView | null = null;

  show({ fields, axes, coordinates, species }: Preview): void {
    const { spectra, maps } = fields;
    const axis = axes.raman_shift?.values;
    if (spectra && axis) {
      const lines = [{ label: species, values: spectra.values }];
      if (!this.plot) {
        this.plot = new SpectrumPlot({ label: "Spectrum of the preview", x: axis, xLabel: "Raman shift / cm⁻¹", yLabel: "intensity / arb. units", lines, height: 260 });
        this.element.append(this.plot.element);
      }
      this.plot.element.hidden = false;
      this.plot.update({ x: axis, lines });
    } else if (this.plot) this.plot.element.hidden = true;
    if (maps) {
      const [, rows, columns] = maps.shape.slice(-3);
      const ofAxis = (name: string) => (axes[name] ? Float64Array.from(axes[name].values) : null);
      const [low, high] = [coordinates.band_low?.values[0], coordinates.band_high?.values[0]];
      const band = low === undefined ? "first channel" : `${low} to ${high} ${unit(coordinates.band_low.unit)}`;
      const options = {
        label: `Map of the preview, ${band}`, values: maps.values.subarray(0, rows * columns), rows, columns,
        rowAxis: ofAxis("row"), columnAxis: ofAxis("column"), lengthUnit: unit(axes.row?.unit ?? "1"), valueLabel: "intensity / arb. units", colourMap: "viridis", tallest: 300,
      };
      if (!this.map) this.element.append((this.map = new MapView(options)).element);
      this.map.element.hidden = false;
      this.map.update(options);
    } else if (this.map) this.map.element.hidden = true;
  }
}

/** Return what estimates and submits a build of the recipe. */
function buildCard(recipe: () => any, start: () => string): HTMLElement {
  const count = h("input", { type: "text", value: "1e5", class: "short", inputmode: "numeric" });
  const name = h("input", { type: "text", value: `${start() || "data"}.zarr` });
  const said = h("p", { class: "hint", role: "status" });
  const asked = async (act: () => Promise<void>) => {
    said.className = "hint";
    try {
      await act();
    } catch (error) {
      said.className = "error";
      said.textContent = (error as Error).message;
    }
  };
  return h("section", { class: "card" }, h("h2", {}, "Build"),
    h("div", { class: "controls" }, labelled("samples", count), labelled("name", name),
      button("Estimate", () => asked(async () => {
        const answer = await post("estimate", { recipe: recipe(), n: Number(count.value) });
        said.textContent = `${grouped(answer.n_samples)} rows, ${bytes(answer.bytes_stored)}, about ${written(answer.seconds, 2)} s`;
      })),
      button("Build", () => asked(async () => {
        await post("jobs", { recipe: recipe(), n: Number(count.value), name: name.value });
        go("jobs");
      }), { class: "primary" })),
    said);
}
