/** Maps on a canvas: pixels, axes, a colour bar, atoms and bonds, and a pixel that is chosen. */

import { colours, styled } from "./colour.js";
import { h, written } from "./dom.js";
import type { Molecule } from "./molecule.js";

export interface MapOptions {
  label: string;
  values: ArrayLike<number>;
  rows: number;
  columns: number;
  /** Coordinates of rows and columns; pixel numbers if absent. */
  rowAxis?: Float64Array | null;
  columnAxis?: Float64Array | null;
  /** Unit of these coordinates, as printed. */
  lengthUnit: string;
  valueLabel: string;
  colourMap: string;
  range?: [number, number] | null;
  molecule?: Molecule | null;
  pixel?: [number, number] | null;
  onpixel?: (row: number, column: number) => void;
  /** Most height of the pixels on the screen; 440 if absent. */
  tallest?: number;
}

const LEFT = 54;
const TOP = 10;
const BOTTOM = 44;
const RIGHT = 86;
const CPK: Record<string, string> = {
  H: "#ffffff", C: "#3d3d3d", N: "#4a78d6", O: "#d8453a", S: "#e2c02c", F: "#66b85a", Cl: "#4fae46",
  P: "#e08a2c", Si: "#c9a27a", Br: "#9a4b2f",
};

export class MapView {
  readonly canvas = h("canvas", { class: "map" });
  readonly element = h("div", { class: "map-box" }, this.canvas);
  private options: MapOptions;

  constructor(options: MapOptions) {
    this.options = options;
    new ResizeObserver(() => this.draw()).observe(this.element);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.draw());
    if (options.onpixel) {
      this.canvas.tabIndex = 0;
      this.canvas.setAttribute("role", "application");
      this.canvas.setAttribute("aria-roledescription", "map");
      this.canvas.addEventListener("pointerdown", (event) => this.pointed(event));
      this.canvas.addEventListener("pointermove", (event) => event.buttons && this.pointed(event));
      this.canvas.addEventListener("keydown", (event) => this.typed(event));
    } else this.canvas.setAttribute("role", "img");
    this.canvas.setAttribute("aria-label", options.label);
  }

  update(changes: Partial<MapOptions>): void {
    this.options = { ...this.options, ...changes };
    this.canvas.setAttribute("aria-label", this.options.label);
    this.draw();
  }

  get range(): [number, number] {
    if (this.options.range) return this.options.range;
    let [low, high] = [Infinity, -Infinity];
    for (let k = 0; k < this.options.values.length; k++) {
      const value = this.options.values[k];
      if (value < low) low = value;
      if (value > high) high = value;
    }
    return low < high ? [low, high] : Number.isFinite(low) ? [low, low + 1] : [0, 1];
  }

  /** Sides of a pixel and of all of them on the screen, in CSS pixels. */
  private get frame(): { across: number; down: number; width: number; height: number } {
    const { rows, columns, rowAxis, columnAxis, tallest } = this.options;
    const step = (axis: Float64Array) => (axis.length > 1 ? Math.abs(axis[1] - axis[0]) : 1);
    const ratio = rowAxis && columnAxis ? step(rowAxis) / step(columnAxis) : 1;
    // true to scale, unless the steps are very different
    const shape = Math.min(5, Math.max(0.2, ratio || 1));
    const room = Math.max(120, this.element.clientWidth - LEFT - RIGHT);
    const across = Math.min(room / columns, (tallest ?? 440) / (rows * shape));
    const down = across * shape;
    return { across, down, width: across * columns, height: down * rows };
  }

  private pointed(event: PointerEvent): void {
    const box = this.canvas.getBoundingClientRect();
    const { across, down } = this.frame;
    const column = Math.floor((event.clientX - box.left - LEFT) / across);
    const row = Math.floor((event.clientY - box.top - TOP) / down);
    this.choose(row, column);
  }

  private typed(event: KeyboardEvent): void {
    const steps: Record<string, [number, number]> = {
      ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1],
    };
    const step = steps[event.key];
    if (!step || event.altKey || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    event.stopPropagation();
    const [row, column] = this.options.pixel ?? [0, 0];
    this.choose(row + step[0], column + step[1]);
  }

  private choose(row: number, column: number): void {
    const { rows, columns } = this.options;
    if (row < 0 || column < 0 || row >= rows || column >= columns) return;
    this.options.pixel = [row, column];
    this.draw();
    this.options.onpixel?.(row, column);
  }

  private draw(): void {
    const { rows, columns, values, pixel, molecule } = this.options;
    const { across, down, width, height } = this.frame;
    const ratio = devicePixelRatio || 1;
    const [all, tall] = [LEFT + width + RIGHT, TOP + height + BOTTOM];
    this.canvas.width = Math.round(all * ratio);
    this.canvas.height = Math.round(tall * ratio);
    this.canvas.style.width = `${all}px`;
    this.canvas.style.height = `${tall}px`;
    const context = this.canvas.getContext("2d")!;
    context.scale(ratio, ratio);
    context.imageSmoothingEnabled = false;
    context.drawImage(image(values, rows, columns, this.range, this.options.colourMap), LEFT, TOP, width, height);
    context.strokeStyle = styled("ink-2");
    context.strokeRect(LEFT - 0.5, TOP - 0.5, width + 1, height + 1);
    this.drawAxes(context, width, height);
    this.drawBar(context, LEFT + width + 14, height);
    if (molecule) this.drawMolecule(context, molecule);
    if (pixel) {
      context.lineWidth = 2;
      for (const [grow, colour] of [[1.5, "#000"], [0, "#fff"]] as const) {
        context.strokeStyle = colour;
        context.strokeRect(LEFT + pixel[1] * across - 1 - grow, TOP + pixel[0] * down - 1 - grow,
          across + 2 + 2 * grow, down + 2 + 2 * grow);
      }
    }
  }

  private drawAxes(context: CanvasRenderingContext2D, width: number, height: number): void {
    const { rows, columns, rowAxis, columnAxis } = this.options;
    context.fillStyle = styled("ink-2");
    context.font = `12px ${styled("font")}`;
    context.lineWidth = 1;
    for (const [axis, count, length, along] of [
      [columnAxis, columns, width, "x"], [rowAxis, rows, height, "y"],
    ] as const) {
      const [first, last] = axis ? [axis[0], axis[axis.length - 1]] : [0, count - 1];
      for (const value of ticks(first, last, Math.max(3, Math.floor(length / 55)))) {
        const index = last === first ? 0 : ((value - first) / (last - first)) * (count - 1);
        const at = ((index + 0.5) / count) * length;
        const text = String(value).replace("-", "−");
        context.beginPath();
        if (along === "x") {
          context.moveTo(LEFT + at, TOP + height);
          context.lineTo(LEFT + at, TOP + height + 4);
          context.textAlign = "center";
          context.fillText(text, LEFT + at, TOP + height + 17);
        } else {
          context.moveTo(LEFT, TOP + at);
          context.lineTo(LEFT - 4, TOP + at);
          context.textAlign = "right";
          context.fillText(text, LEFT - 8, TOP + at + 4);
        }
        context.stroke();
      }
    }
    context.font = `13px ${styled("font")}`;
    context.textAlign = "center";
    // rows of a near-field map are x, rows of a measured one y
    const [down, across] = this.options.lengthUnit === "Å" ? ["x", "y"] : ["y", "x"];
    context.fillText(columnAxis ? `${across} / ${this.options.lengthUnit}` : "column / pixel", LEFT + width / 2, TOP + height + 37);
    context.save();
    context.translate(14, TOP + height / 2);
    context.rotate(-Math.PI / 2);
    context.fillText(rowAxis ? `${down} / ${this.options.lengthUnit}` : "row / pixel", 0, 0);
    context.restore();
  }

  private drawBar(context: CanvasRenderingContext2D, left: number, height: number): void {
    const bar = Float32Array.from({ length: 256 }, (_, k) => 1 - k / 255);
    context.imageSmoothingEnabled = true;
    context.drawImage(image(bar, 256, 1, [0, 1], this.options.colourMap), left, TOP, 12, height);
    context.strokeStyle = styled("ink-2");
    context.strokeRect(left - 0.5, TOP - 0.5, 13, height + 1);
    const [low, high] = this.range;
    context.fillStyle = styled("ink-2");
    context.font = `12px ${styled("font")}`;
    context.textAlign = "left";
    for (const value of ticks(low, high, Math.max(2, Math.floor(height / 60)))) {
      const at = TOP + height * (1 - (value - low) / (high - low));
      context.fillText(written(value, 3), left + 18, at + 4);
    }
    context.save();
    context.translate(left + 64, TOP + height / 2);
    context.rotate(-Math.PI / 2);
    context.textAlign = "center";
    context.font = `13px ${styled("font")}`;
    context.fillText(this.options.valueLabel, 0, 0);
    context.restore();
  }

  private drawMolecule(context: CanvasRenderingContext2D, molecule: Molecule): void {
    const { across, down, width, height } = this.frame;
    const { rows, columns, rowAxis, columnAxis } = this.options;
    if (!rowAxis || !columnAxis) return;
    const place = (value: number, axis: Float64Array, count: number, side: number) =>
      (((value - axis[0]) / (axis[count - 1] - axis[0])) * (count - 1) + 0.5) * side;
    const at = molecule.atoms.map((atom): [number, number] =>
      [LEFT + place(atom.y, columnAxis, columns, across), TOP + place(atom.x, rowAxis, rows, down)]);
    context.save();
    context.beginPath();
    context.rect(LEFT, TOP, width, height);
    context.clip();
    for (const [thick, colour] of [[3.5, "rgb(0 0 0 / 55%)"], [1.5, "rgb(255 255 255 / 85%)"]] as const) {
      context.lineWidth = thick;
      context.strokeStyle = colour;
      for (const [i, j] of molecule.bonds) {
        context.beginPath();
        context.moveTo(...at[i]);
        context.lineTo(...at[j]);
        context.stroke();
      }
    }
    const order = [...at.keys()].sort((i, j) => molecule.atoms[i].z - molecule.atoms[j].z);
    for (const k of order) {
      const { symbol } = molecule.atoms[k];
      context.beginPath();
      context.arc(...at[k], symbol === "H" ? 3 : 4.5, 0, 2 * Math.PI);
      context.fillStyle = CPK[symbol] ?? "#b07cc6";
      context.fill();
      context.lineWidth = 1;
      context.strokeStyle = symbol === "H" ? "#000" : "#fff";
      context.stroke();
    }
    context.restore();
  }
}

/** Return a canvas with a pixel for each value; what is missing is grey. */
export function image(
  values: ArrayLike<number>, rows: number, columns: number, [low, high]: [number, number], map: string,
): HTMLCanvasElement {
  const canvas = document.createElement("canvas");
  canvas.width = columns;
  canvas.height = rows;
  const context = canvas.getContext("2d")!;
  const picture = context.createImageData(columns, rows);
  const table = colours(map);
  const scale = 255 / (high - low || 1);
  for (let k = 0; k < rows * columns; k++) {
    const step = Math.round((values[k] - low) * scale);
    const [red, green, blue] = Number.isNaN(step) ? [128, 128, 128] : table[Math.min(255, Math.max(0, step))];
    picture.data.set([red, green, blue, 255], 4 * k);
  }
  context.putImageData(picture, 0, 0);
  return canvas;
}

/** Return round numbers between two limits. */
export function ticks(low: number, high: number, most: number): number[] {
  if (!(high > low)) return [low];
  const rough = (high - low) / most;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((k) => k * power).find((one) => one >= rough) ?? 10 * power;
  const found: number[] = [];
  for (let k = Math.ceil(low / step); k * step <= high * (1 + 1e-12) + 1e-12; k++) {
    found.push(Number((k * step).toPrecision(12)));
  }
  return found;
}
