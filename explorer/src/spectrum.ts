/** Plots of spectra: lines, sticks with their irreps, and a band that can be chosen. */

import uPlot from "uplot";
import { lineColour, styled } from "./colour.js";
import { h } from "./dom.js";

export interface Line {
  label: string;
  values: ArrayLike<number>;
  colour?: string;
  dashed?: boolean;
  /** Whether what is missing is bridged. */
  joined?: boolean;
}

export interface Sticks {
  label: string;
  position: number[];
  /** Any unit; the tallest is drawn to 90 % of the height. */
  height: number[];
  names: (string | null)[] | null;
}

export interface Options {
  label: string;
  x: ArrayLike<number>;
  xLabel: string;
  yLabel: string;
  lines: Line[];
  sticks?: Sticks[];
  height?: number;
  /** Shaded intervals of x; the one that is chosen is darker. */
  bands?: { low: number; high: number; chosen: boolean }[];
  onband?: (low: number, high: number) => void;
  onclick?: (x: number) => void;
  sync?: string;
  stepped?: boolean;
}

const MOST_NAMES = 14;

export class SpectrumPlot {
  readonly element = h("div", { class: "plot" });
  private plot: uPlot | null = null;
  private options: Options;
  private isZoom = false;

  constructor(options: Options) {
    this.options = options;
    new ResizeObserver(() => this.resize()).observe(this.element);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.draw());
    queueMicrotask(() => this.draw());
  }

  /** What is drawn: x and the values of each line. */
  get data(): uPlot.AlignedData {
    return this.plot?.data ?? this.aligned();
  }

  /** What is drawn, as columns with their names. */
  get columns(): [string, ArrayLike<number>][] {
    const [x, ...lines] = this.data as unknown as ArrayLike<number>[];
    return [[this.options.xLabel, x], ...lines.map((values, k): [string, ArrayLike<number>] => [this.options.lines[k].label, values])];
  }

  update(changes: Partial<Options>): void {
    const { lines, x } = this.options;
    this.options = { ...this.options, ...changes };
    const sameLines = lines.length === this.options.lines.length && x === this.options.x &&
      lines.every((line, k) => line.label === this.options.lines[k].label);
    if (this.plot && sameLines) this.plot.setData(this.aligned(), !("zoomed" in this.plot));
    else this.draw();
  }

  /** Whether dragging zooms instead of choosing a band. */
  zoomByDrag(on: boolean): void {
    this.isZoom = on;
    if (this.plot) this.plot.cursor.drag!.setScale = on;
  }

  private aligned(): uPlot.AlignedData {
    const { x, lines } = this.options;
    return [x, ...lines.map((line) => line.values)] as unknown as uPlot.AlignedData;
  }

  private resize(): void {
    const width = this.element.clientWidth;
    if (this.plot && width > 0 && width !== this.plot.width) {
      this.plot.setSize({ width, height: this.options.height ?? 300 });
    }
  }

  private draw(): void {
    this.plot?.destroy();
    const { options } = this;
    const width = this.element.clientWidth || 640;
    const axis = {
      stroke: styled("ink-2"),
      font: `12px ${styled("font")}`,
      labelFont: `13px ${styled("font")}`,
      grid: { stroke: styled("grid"), width: 1 },
      ticks: { stroke: styled("grid"), width: 1, size: 5 },
      labelGap: 2,
    };
    const chooses = Boolean(options.onband);
    const config: uPlot.Options = {
      width,
      height: options.height ?? 300,
      padding: [12, 22, 0, 0],
      scales: { x: { time: false }, y: { range: (_, low, high) => {
        if (!Number.isFinite(low) || !Number.isFinite(high)) return [0, 1];
        const room = 0.06 * (high - low || 1);
        return [low - room / 2, high + room];
      } } },
      axes: [
        { ...axis, label: options.xLabel, size: 34, labelSize: 20, values: (_, all) => all.map(String) },
        { ...axis, label: options.yLabel, size: 52, labelSize: 22, values: (_, all) => all.map((y) => String(Number(y.toPrecision(6)))) },
      ],
      series: [
        { label: options.xLabel, value: (_, value) => (value == null ? "–" : value.toFixed(1)) },
        ...options.lines.map((line, k) => ({
          label: line.label,
          stroke: line.colour ?? lineColour(k),
          width: 1.25,
          points: { show: Boolean(options.stepped) },
          spanGaps: line.joined ?? false,
          ...(line.dashed ? { dash: [5, 4] } : {}),
          ...(options.stepped ? { paths: uPlot.paths.linear!() } : {}),
          value: (_: uPlot, value: number | null) => (value == null ? "–" : String(Number(value.toPrecision(4)))),
        })),
      ],
      legend: { live: true },
      cursor: {
        drag: { x: chooses || this.isZoom, y: false, setScale: this.isZoom || !chooses },
        points: { size: 6 },
        ...(options.sync ? { sync: { key: options.sync, setSeries: false, scales: ["x", null] } } : {}),
      },
      hooks: {
        drawClear: [(plot) => this.shade(plot)],
        draw: [(plot) => this.drawSticks(plot)],
        setSelect: [(plot) => this.chosen(plot)],
        ready: [(plot) => this.listen(plot)],
      },
    };
    this.element.replaceChildren();
    this.plot = new uPlot(config, this.aligned(), this.element);
    const canvas = this.plot.root.querySelector("canvas");
    canvas?.setAttribute("role", "img");
    canvas?.setAttribute("aria-label", options.label);
  }

  private listen(plot: uPlot): void {
    if (!this.options.onclick) return;
    plot.over.addEventListener("click", (event) => {
      if (plot.select.width > 2) return;
      this.options.onclick?.(plot.posToVal(event.offsetX, "x"));
    });
  }

  private chosen(plot: uPlot): void {
    const { left, width } = plot.select;
    if (this.isZoom || !this.options.onband || width < 2) return;
    const [low, high] = [plot.posToVal(left, "x"), plot.posToVal(left + width, "x")];
    plot.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
    this.options.onband(low, high);
  }

  private shade(plot: uPlot): void {
    const { ctx, bbox } = plot;
    for (const band of this.options.bands ?? []) {
      const left = Math.max(bbox.left, plot.valToPos(band.low, "x", true));
      const right = Math.min(bbox.left + bbox.width, plot.valToPos(band.high, "x", true));
      if (right <= left) continue;
      ctx.save();
      ctx.fillStyle = styled(band.chosen ? "band" : "band-2");
      ctx.fillRect(left, bbox.top, right - left, bbox.height);
      ctx.restore();
    }
  }

  private drawSticks(plot: uPlot): void {
    const { ctx, bbox } = plot;
    const all = this.options.sticks ?? [];
    const largest = Math.max(...all.flatMap((sticks) => sticks.height), 0);
    if (!largest) return;
    ctx.save();
    ctx.beginPath();
    ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
    ctx.clip();
    ctx.lineWidth = devicePixelRatio * 1.5;
    const bottom = bbox.top + bbox.height;
    const taken: number[] = [];
    all.forEach((sticks, which) => {
      ctx.strokeStyle = ctx.fillStyle = all.length > 1 ? lineColour(which + 1) : styled("stick");
      const tops = sticks.position.map((x, k): [number, number, number] =>
        [plot.valToPos(x, "x", true), bottom - 0.86 * bbox.height * (sticks.height[k] / largest), k]);
      for (const [x, top] of tops) {
        ctx.beginPath();
        ctx.moveTo(x, bottom);
        ctx.lineTo(x, top);
        ctx.stroke();
      }
      if (!sticks.names) return;
      ctx.font = `${11 * devicePixelRatio}px ${styled("font")}`;
      ctx.textAlign = "center";
      const strongest = tops.filter(([, , k]) => sticks.height[k] > 0.03 * largest).sort((a, b) => a[1] - b[1]).slice(0, MOST_NAMES);
      for (const [x, top, k] of strongest) {
        const name = sticks.names[k];
        if (!name || taken.some((other) => Math.abs(other - x) < 22 * devicePixelRatio)) continue;
        taken.push(x);
        const at = Math.max(bbox.top + 11 * devicePixelRatio, top - 4 * devicePixelRatio);
        ctx.save();
        ctx.strokeStyle = styled("card");
        ctx.lineWidth = 3 * devicePixelRatio;
        ctx.strokeText(irrep(name), x, at);
        ctx.restore();
        ctx.fillText(irrep(name), x, at);
      }
    });
    ctx.restore();
  }
}

/** Return an irreducible representation as printed: A1g becomes A₁g. */
export function irrep(name: string): string {
  return name.replace(/\d/g, (digit) => "₀₁₂₃₄₅₆₇₈₉"[Number(digit)]).replace(/"/g, "″").replace(/'/g, "′");
}
