/** Rows at a glance, and filters by species, split, a parameter's range and the noise. */

import { lineColour } from "../colour.js";
import { dataLink, datasetOf } from "../context.js";
import { size, type Dataset, type Values } from "../dataset.js";
import { announce, button, fill, grouped, h, labelled, select, unit, written } from "../dom.js";
import { filterOf, findRows, signalToNoise } from "../filters.js";
import { image } from "../mapview.js";
import { note, read, type State } from "../state.js";

const PAGE = 24;

export async function gallery(main: HTMLElement, state: State, signal: AbortSignal): Promise<void> {
  const dataset = await datasetOf(state);
  const cards = h("ul", { class: "cards" });
  const status = h("p", { class: "hint", role: "status" });
  const more = h("div", { class: "toolbar" });
  let running = new AbortController();
  const show = async (start: number, add: boolean) => {
    running.abort();
    running = new AbortController();
    const own = AbortSignal.any([signal, running.signal]);
    status.textContent = "reading …";
    try {
      const found = await findRows(dataset, filterOf(dataset, read()), start, PAGE, own);
      const made = await Promise.all(found.rows.map((row) => card(dataset, row)));
      if (own.aborted) return;
      if (add) cards.append(...made);
      else cards.replaceChildren(...made);
      const seen = start + found.seen;
      status.textContent = found.rows.length
        ? `${grouped(cards.children.length)} samples found in ${grouped(seen)} of ${grouped(dataset.length)}`
        : `none in rows ${grouped(start)} to ${grouped(Math.max(start, seen - 1))}`;
      fill(more, found.next !== null && button(found.rows.length ? "More" : "Search further", () => show(found.next!, true)));
    } catch (error) {
      if (own.aborted) return;
      fill(more);
      status.textContent = (error as Error).message;
      status.className = "error";
    }
    announce(status.textContent ?? "");
  };
  const changed = (values: Record<string, string>) => {
    note(values);
    status.className = "hint";
    void show(0, false);
  };
  main.append(h("h1", {}, "Gallery"), form(dataset, state, changed), status, cards, more);
  await show(0, false);
}

function form(dataset: Dataset, state: State, changed: (values: Record<string, string>) => void): HTMLElement {
  const number = (name: string, label: string) =>
    labelled(label, h("input", {
      type: "number", step: "any", value: state[name] ?? "", class: "short",
      onchange: (event: Event) => changed({ [name]: (event.target as HTMLInputElement).value }),
    }));
  const splits = (dataset.manifest.splits ?? []).flatMap((split) =>
    split.rule.names.map((part): [string, string] => [`${split.name}:${part}`, `${part} (${split.name})`]));
  const scalars = dataset.scalars.filter((field) => !/^(label|split\/.*)$/.test(field.name));
  return h("form", { class: "filters", onsubmit: (event: Event) => event.preventDefault() },
    labelled("species", select([["", "all"], ...dataset.classes.map((name): [string, string] => [name, name])],
      state.species ?? "", (species) => changed({ species }))),
    splits.length > 0 && labelled("split", select([["", "all"], ...splits], state.part ?? "", (part) => changed({ part }))),
    scalars.length > 0 && labelled("parameter", select(
      [["", "any"], ...scalars.map((field): [string, string] =>
        [field.name, `${field.name.replace("params/", "")}${unit(field.unit) ? ` / ${unit(field.unit)}` : ""}`])],
      state.by ?? "", (by) => changed({ by }))),
    scalars.length > 0 && number("low", "from"),
    scalars.length > 0 && number("high", "to"),
    dataset.has("spectra") && number("snr", "SNR at least"),
  );
}

async function card(dataset: Dataset, row: number): Promise<HTMLElement> {
  const has = (name: string) => (dataset.has(name) ? dataset.row(name, row) : null);
  const [label, spectrum, maps] = await Promise.all([has("label"), has("spectra"), has("maps")]);
  const name = label ? dataset.species(label[0]) : "";
  const shape = dataset.fields.get("maps")?.shape;
  const picture = h("canvas", { "aria-hidden": "true", class: "thumb" });
  draw(picture, spectrum, maps && shape ? strongest(maps, size(shape.slice(1))) : null, shape);
  return h("li", {}, h("a", { href: dataLink("sample", { row }), class: "card-link" },
    picture,
    h("span", { class: "card-name" }, name),
    h("span", { class: "hint" }, `${grouped(dataset.number(row))}${spectrum ? ` · SNR ${written(signalToNoise(spectrum), 2)}` : ""}`),
  ));
}

/** Return the channel of a map with the largest value. */
function strongest(maps: Values, count: number): Values {
  let top = 0;
  for (let k = 0; k < maps.length; k++) if (maps[k] > maps[top]) top = k;
  const first = Math.floor(top / count) * count;
  return maps.subarray(first, first + count) as Values;
}

const WIDTH = 240;
const HEIGHT = 96;

function draw(canvas: HTMLCanvasElement, spectrum: Values | null, map: Values | null, shape?: number[]): void {
  const ratio = Math.max(1, devicePixelRatio);
  canvas.width = WIDTH * ratio;
  canvas.height = HEIGHT * ratio;
  const context = canvas.getContext("2d")!;
  context.scale(ratio, ratio);
  let left = 0;
  if (map && shape) {
    const side = spectrum ? HEIGHT : WIDTH;
    context.imageSmoothingEnabled = false;
    const range = [Math.min(...map), Math.max(...map)] as [number, number];
    const scale = Math.min(side / shape[2], HEIGHT / shape[1]);
    const [width, height] = [shape[2] * scale, shape[1] * scale];
    const at = spectrum ? 0 : (WIDTH - width) / 2;
    context.drawImage(image(map, shape[1], shape[2], range, "viridis"), at, (HEIGHT - height) / 2, width, height);
    left = spectrum ? HEIGHT + 8 : 0;
  }
  if (!spectrum) return;
  const finite = Array.from(spectrum as Float32Array).filter(Number.isFinite);
  const [low, high] = [Math.min(...finite), Math.max(...finite)];
  context.strokeStyle = lineColour(0);
  context.lineWidth = 1;
  context.beginPath();
  for (let k = 0; k < spectrum.length; k++) {
    const x = left + ((WIDTH - left) * k) / (spectrum.length - 1);
    context.lineTo(x, HEIGHT - 4 - ((HEIGHT - 8) * (spectrum[k] - low)) / (high - low || 1));
  }
  context.stroke();
}
