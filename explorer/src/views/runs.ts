/** Training runs: scores, and a confusion matrix whose cells lead to samples. */

import { api } from "../api.js";
import { colours } from "../colour.js";
import { context, dataLink } from "../context.js";
import { button, grouped, h, labelled, select, table, written } from "../dom.js";
import { saveCsv, saveJson } from "../download.js";
import { SpectrumPlot } from "../spectrum.js";
import { fetchJson } from "../store.js";
import { go, link, read, type State } from "../state.js";

interface Run {
  name: string;
  scores: Record<string, unknown>;
  classes: string[];
  /** True classes down, predicted ones across. */
  confusion: number[][] | null;
  /** Misread rows, the most certain of each pair of classes. */
  examples: { row: number; label: number; predicted: number; probability?: number }[];
  /** The dataset, where this server has it. */
  dataset: string | null;
}

interface Entry {
  step: number;
  part: string;
  [name: string]: unknown;
}

export async function runs(main: HTMLElement, state: State, signal: AbortSignal): Promise<void> {
  if (state.run) return one(main, state, signal);
  main.append(h("h1", {}, "Training runs"));
  if (context.isServed) {
    const all: any[] = await api("runs", { signal });
    main.append(h("section", { class: "card" }, all.length
      ? table(["run", "last entry of its log"], all.map((run) => [
          h("a", { href: link("runs", { run: run.name, data: read().data }) }, run.name),
          Object.entries(run.last ?? {}).map(([name, value]) =>
            `${name} ${typeof value === "number" ? written(value) : String(value)}`).join(", "),
        ]), {}, "Training runs of this server")
      : h("p", { class: "hint" }, "No run yet: ters-train fit --out makes one.")));
    return;
  }
  const address = h("input", { type: "text", class: "wide-input", placeholder: "runs/cnn", required: true });
  main.append(h("section", { class: "card" }, h("form", { class: "controls", onsubmit: (event: Event) => {
    event.preventDefault();
    go("runs", { run: address.value.trim(), data: read().data });
  } }, labelled("address of a run's folder", address), h("button", {}, "Open")),
  h("p", { class: "hint" }, "A folder that ters-train fit or evaluate wrote, with scores.json.")));
}

function runOf(name: string, scores: any, confusion: any, misread: any, dataset: string | null): Run {
  return {
    name, scores, classes: scores?.classes ?? [], confusion: confusion?.confusion ?? null,
    examples: misread?.rows ?? [], dataset,
  };
}

/** Return the evaluations of a run by name, and its log. */
async function load(name: string, signal: AbortSignal): Promise<[Map<string, Run>, Entry[]]> {
  if (context.isServed && !name.includes("/")) {
    const [run, datasets]: [any, any[]] = await Promise.all([
      api(`runs/${encodeURIComponent(name)}`, { signal }), api("datasets", { signal }),
    ]);
    const found = Object.entries<any>(run.evaluations ?? {}).map(([key, { scores, confusion, misread }]): [string, Run] => {
      const dataset = datasets.find((one) => one.digest === scores?.digest)?.name ?? null;
      return [key, runOf(name, scores, confusion, misread, dataset)];
    });
    return [new Map(found), run.log ?? []];
  }
  const base = new URL(name.endsWith("/") ? name : `${name}/`, document.baseURI);
  if (!/^https?:$/.test(base.protocol)) throw new Error(`expected an address with http or https, got ${name}`);
  const scores = await fetchJson(`${base.href}scores.json`, signal);
  const confusion = scores.classes ? await fetchJson(`${base.href}confusion.json`, signal) : null;
  // runs without a calibration error are older than misread.json
  const misread = scores.ece === undefined ? null : await fetchJson(`${base.href}misread.json`, signal);
  return [new Map([["run", runOf(name, scores, confusion, misread, null)]]), []];
}

async function one(main: HTMLElement, state: State, signal: AbortSignal): Promise<void> {
  const [evaluations, log] = await load(state.run, signal);
  const chosen = evaluations.has(state.of ?? "") ? state.of : [...evaluations.keys()][0];
  const names = [...evaluations.keys()].map((key): [string, string] => [key, key === "run" ? "at the end of training" : key]);
  main.append(h("h1", {}, state.run), names.length > 1 && h("div", { class: "controls" }, labelled("scores", select(names, chosen, (of) => {
    const { view, ...rest } = read();
    go(view, { ...rest, of });
  }))) || "");
  const run = evaluations.get(chosen);
  if (run) main.append(...scoresOf(run));
  else main.append(h("p", { class: "hint" }, "This run has no scores yet."));
  if (log.length) main.append(curves(log));
  if (run) main.append(h("div", { class: "toolbar" }, button("Scores (JSON)", () => saveJson("scores.json", run.scores))));
}

function scoresOf(run: Run): HTMLElement[] {
  const numbers = Object.entries(run.scores).filter(([, value]) => typeof value === "number") as [string, number][];
  const texts = Object.entries(run.scores).filter(([, value]) => typeof value === "string") as [string, string][];
  const lists = Object.entries(run.scores).filter(([, value]) =>
    Array.isArray(value) && value.length === run.classes.length && typeof value[0] === "number") as [string, number[]][];
  return [
    h("dl", { class: "tiles" }, numbers.slice(0, 8).map(([name, value]) =>
      h("div", {}, h("dt", {}, name.replace(/_/g, " ")), h("dd", {}, written(value))))),
    h("dl", { class: "facts" }, texts.map(([name, value]) => [h("dt", {}, name), h("dd", {}, h("code", {}, value))]).flat()),
    ...(run.confusion ? [confusionCard(run)] : []),
    ...(lists.length ? [h("section", { class: "card" }, h("h2", {}, "By species"), table(
      ["species", ...lists.map(([name]) => name.replace(/_/g, " "))],
      run.classes.map((name, k) => [name, ...lists.map(([, values]) => written(values[k]))]), {}, "Scores by species"))] : []),
  ];
}

/** Return the loss of each part as training went on. */
function curves(log: Entry[]): HTMLElement {
  const losses = log.filter((entry) => typeof entry.loss === "number");
  const steps = [...new Set(losses.map((entry) => entry.step))].sort((a, b) => a - b);
  const lines = [...new Set(losses.map((entry) => entry.part))].map((part) => {
    const of = new Map(losses.filter((entry) => entry.part === part).map((entry) => [entry.step, entry.loss as number]));
    return { label: part, values: steps.map((step) => of.get(step) ?? null) as number[], joined: true };
  });
  const plot = new SpectrumPlot({ label: "Loss by step", x: steps, xLabel: "step", yLabel: "loss", lines, height: 240 });
  return h("section", { class: "card" }, h("h2", {}, "Training"), plot.element);
}

const MOST_CLASSES = 60;

/** Return a matrix of buttons: colour by the share of the true class, a number in every cell. */
function confusionCard(run: Run): HTMLElement {
  const { classes, confusion } = run;
  if (classes.length > MOST_CLASSES) return confusionList(run);
  const palette = colours("cividis");
  const examples = h("div", { "aria-live": "polite" });
  const cells = confusion!.map((row, truth) => {
    const sum = row.reduce((a, b) => a + b, 0) || 1;
    return h("tr", {}, h("th", { scope: "row" }, classes[truth]), row.map((count, predicted) => {
      const share = count / sum;
      const [red, green, blue] = palette[Math.round(255 * share)];
      const cell = h("button", { type: "button", class: "cell",
        "aria-label": `${classes[truth]} read as ${classes[predicted]}: ${count}`,
        onclick: () => examples.replaceChildren(examplesOf(run, truth, predicted, count)) }, count ? grouped(count) : "·");
      cell.style.background = count ? `rgb(${red} ${green} ${blue})` : "transparent";
      // black and white stand out equally against a luminance of 0.18; cividis is even in it
      cell.style.color = count ? (share > 0.42 ? "#000" : "#fff") : "inherit";
      return h("td", {}, cell);
    }));
  });
  return h("section", { class: "card" }, h("h2", {}, "Confusion matrix"),
    h("p", { class: "hint" }, "True species down, predicted species across; choose a cell to see samples."),
    h("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": "Confusion matrix" },
      h("table", { class: "confusion" }, h("caption", { class: "unseen" }, "Confusion matrix: true species down, predicted species across"),
        h("thead", {}, h("tr", {}, h("td", {}), classes.map((name) => h("th", { scope: "col" }, h("span", {}, name))))),
        h("tbody", {}, cells))),
    examples,
    h("div", { class: "toolbar" }, button("CSV", () => saveCsv("confusion.csv", [["true", classes],
      ...classes.map((name, k): [string, number[]] => [name, confusion!.map((row) => row[k])])]), { "aria-label": "Confusion matrix as CSV" })));
}

/** Return the most frequent confusions, of a run with too many classes for a matrix on the screen. */
function confusionList(run: Run): HTMLElement {
  const cells = run.confusion!.flatMap((row, truth) => row.map((count, predicted) => ({ truth, predicted, count })));
  const most = cells.filter((one) => one.truth !== one.predicted && one.count).sort((a, b) => b.count - a.count).slice(0, 200);
  const examples = h("div", { "aria-live": "polite" });
  return h("section", { class: "card" }, h("h2", {}, "Most frequent confusions"),
    table(["true", "predicted", "samples", ""], most.map(({ truth, predicted, count }) => [
      run.classes[truth], run.classes[predicted], grouped(count),
      button("Show", () => examples.replaceChildren(examplesOf(run, truth, predicted, count)),
        { "aria-label": `${run.classes[truth]} read as ${run.classes[predicted]}: ${count}` }),
    ]), {}, "Most frequent confusions"), examples);
}

function examplesOf(run: Run, truth: number, predicted: number, count: number): HTMLElement {
  const rows = run.examples.filter((one) => one.label === truth && one.predicted === predicted);
  const data = run.dataset ?? read().data ?? context.data;
  const to = (view: string, values: Record<string, string | number>) =>
    run.dataset ? link(view, { data, ...values }) : dataLink(view, values);
  const [a, b] = [run.classes[truth], run.classes[predicted]];
  return h("div", { class: "examples" }, h("h3", {}, `${a} read as ${b}: ${count}`),
    rows.length
      ? h("ul", {}, rows.map(({ row, probability }) => h("li", {}, h("a", { href: to("sample", { row }) }, `sample ${grouped(row)}`),
          probability === undefined ? "" : `, probability ${written(probability)}`)))
      : data
        ? h("p", {}, truth === predicted ? "Samples of " : "This run does not list these rows. Samples of ",
            h("a", { href: to("gallery", { species: a }) }, a), truth === predicted ? "" : " and of ",
            truth === predicted ? "" : h("a", { href: to("gallery", { species: b }) }, b), ".")
        : h("p", { class: "hint" }, "Open the dataset, too, to see samples."));
}
