/** Builds on the server: how far they are, as it says so, and a way to stop them. */

import { api } from "../api.js";
import { button, fill, grouped, h, table, written } from "../dom.js";
import { link, type State } from "../state.js";

interface Job {
  id: string;
  name?: string;
  dataset?: string | null;
  state: "queued" | "running" | "done" | "failed" | "cancelled";
  n_done: number;
  n_samples: number;
  rate?: number | null;
  message?: string | null;
}

const IS_OPEN = new Set(["queued", "running"]);

export async function jobs(main: HTMLElement, _: State, signal: AbortSignal): Promise<void> {
  const box = h("section", { class: "card" });
  const problem = h("p", { class: "error", role: "alert" });
  const all = new Map<string, Job>();
  const sources = new Map<string, EventSource>();
  signal.addEventListener("abort", () => sources.forEach((source) => source.close()));

  const act = async (job: Job, what: string) => {
    try {
      problem.textContent = "";
      take(await api(`jobs/${job.id}/${what}`, { method: "POST" }));
    } catch (error) {
      problem.textContent = (error as Error).message;
    }
  };
  const show = () => fill(box, all.size
    ? table(["job", "dataset", "state", "progress", "samples", "rate / s⁻¹", "action"], [...all.values()].map((job) => [
        h("code", {}, job.id.slice(0, 8)),
        job.state === "done" && job.dataset ? h("a", { href: link("overview", { data: job.dataset }) }, job.dataset) : (job.dataset ?? job.name ?? ""),
        h("span", { class: `state ${job.state}` }, job.message ? `${job.state}: ${job.message}` : job.state),
        h("progress", { max: job.n_samples || 1, value: job.n_done, "aria-label": `progress of ${job.id.slice(0, 8)}` }),
        `${grouped(job.n_done)} of ${grouped(job.n_samples)}`,
        job.rate ? written(job.rate, 3) : "",
        IS_OPEN.has(job.state) ? button("Cancel", () => void act(job, "cancel"), { "aria-label": `Cancel ${job.id.slice(0, 8)}` })
          : job.state !== "done" ? button("Resume", () => void act(job, "resume"), { "aria-label": `Resume ${job.id.slice(0, 8)}` }) : "",
      ]), {}, "Jobs")
    : h("p", { class: "hint" }, "No job yet. ", h("a", { href: link("recipe") }, "Edit a recipe"), " and build it."));
  const take = (job: Partial<Job> & { id: string }) => {
    all.set(job.id, { ...all.get(job.id), ...job } as Job);
    show();
    watch(all.get(job.id)!);
  };
  /** Listen to what the server says of a job; the browser connects again by itself, and goes on. */
  const watch = (job: Job) => {
    if (!IS_OPEN.has(job.state)) {
      sources.get(job.id)?.close();
      sources.delete(job.id);
      return;
    }
    if (sources.has(job.id)) return;
    const source = new EventSource(new URL(`api/v1/jobs/${job.id}/events`, document.baseURI));
    sources.set(job.id, source);
    const heard = (event: MessageEvent) => take({ ...JSON.parse(event.data), id: job.id });
    source.addEventListener("job", heard as EventListener);
  };
  main.append(h("h1", {}, "Jobs"), problem, box);
  for (const job of await api("jobs", { signal })) {
    all.set(job.id, job);
    watch(job);
  }
  show();
}
