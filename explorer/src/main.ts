/** The page: a head, a way around, and the view that the address names. */

import { context, dataLink } from "./context.js";
import { provide } from "./dataset.js";
import { fill, h } from "./dom.js";
import { embeddedDataset } from "./embedded.js";
import { link, read, type State } from "./state.js";
import { gallery } from "./views/gallery.js";
import { home } from "./views/home.js";
import { jobs } from "./views/jobs.js";
import { overview } from "./views/overview.js";
import { recipe } from "./views/recipe.js";
import { runs } from "./views/runs.js";
import { compare, sample } from "./views/sample.js";

type View = (main: HTMLElement, state: State, signal: AbortSignal) => Promise<void>;

const VIEWS: Record<string, [title: string, view: View]> = {
  home: ["Datasets", home],
  overview: ["Overview", overview],
  gallery: ["Gallery", gallery],
  sample: ["Sample", sample],
  compare: ["Compare", compare],
  runs: ["Runs", runs],
  recipe: ["Recipe", recipe],
  jobs: ["Jobs", jobs],
};
const OF_DATASET = ["overview", "gallery", "sample", "compare"];
const OF_SERVER = ["recipe", "jobs"];

const nav = h("nav", { "aria-label": "Views" });
const main = h("main", { id: "main", tabindex: -1 });
let running = new AbortController();

function drawNav(state: State): void {
  const hasData = Boolean(state.data || context.data);
  const names = [
    ...(context.isReport || (context.data && !context.isServed) ? [] : ["home"]),
    ...(hasData ? OF_DATASET : []),
    ...(context.isReport ? [] : ["runs"]),
    ...(context.isServed ? OF_SERVER : []),
  ];
  const data = state.data === context.data ? null : state.data;
  fill(nav, names.map((name) => h("a", {
    href: OF_DATASET.includes(name) ? dataLink(name) : link(name, { data }),
    "aria-current": name === state.view && "page",
  }, VIEWS[name][0])));
}

async function show(): Promise<void> {
  running.abort();
  const own = (running = new AbortController());
  const state = read();
  if (!VIEWS[state.view]) state.view = state.data || context.data ? "overview" : "home";
  const [title, view] = VIEWS[state.view];
  document.title = `${title} · tersgen explorer`;
  drawNav(state);
  const fresh = h("div", { class: `view ${state.view}` });
  const waiting = setTimeout(() => main.setAttribute("aria-busy", "true"), 200);
  try {
    await view(fresh, state, own.signal);
  } catch (error) {
    if (own.signal.aborted) return;
    fresh.append(h("p", { class: "error", role: "alert" }, (error as Error).message));
  } finally {
    clearTimeout(waiting);
    main.removeAttribute("aria-busy");
  }
  if (!own.signal.aborted) main.replaceChildren(fresh);
}

async function start(): Promise<void> {
  document.body.append(
    h("header", {},
      h("a", { class: "skip", href: location.hash, onclick: (event: Event) => {
      event.preventDefault();
      main.focus();
    } }, "Skip to the content"),
      h("a", { class: "brand", href: "#/" }, h("span", {}, "tersgen"), " explorer"), nav),
    main, h("div", { id: "announcer", class: "unseen", "aria-live": "polite" }));
  context.data = new URLSearchParams(location.search).get("data");
  try {
    const embedded = await embeddedDataset();
    if (embedded) {
      context.isReport = true;
      context.data = embedded.name;
      provide(embedded.name, embedded);
    } else if (!context.data && location.pathname === "/") {
      const health = await fetch(new URL("api/v1/health", document.baseURI)).catch(() => null);
      context.isServed = Boolean(health?.ok && health.headers.get("Content-Type")?.includes("json"));
    }
  } catch (error) {
    main.append(h("p", { class: "error", role: "alert" }, (error as Error).message));
    return;
  }
  addEventListener("hashchange", () => void show());
  await show();
}

void start();
