/** What can be taken away: pictures, tables, rows, and Python that reads the same. */

import { styled } from "./colour.js";
import { announce, button, h } from "./dom.js";

export function save(name: string, content: Blob): void {
  const url = URL.createObjectURL(content);
  const anchor = h("a", { href: url, download: name });
  document.body.append(anchor);
  anchor.click();
  anchor.remove();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}

/** Save columns as comma-separated values; a cell that a spreadsheet would run is made text. */
export function saveCsv(name: string, columns: [head: string, values: ArrayLike<number | string>][]): void {
  const cell = (value: number | string) => {
    if (typeof value === "number") return String(value);
    const text = /^[=+\-@\t\r]/.test(value) ? `'${value}` : value;
    return /[",\n\r]/.test(text) ? `"${text.replace(/"/g, '""')}"` : text;
  };
  const lines = [columns.map(([head]) => cell(head)).join(",")];
  const length = Math.max(...columns.map(([, values]) => values.length));
  for (let k = 0; k < length; k++) lines.push(columns.map(([, values]) => cell(values[k] ?? "")).join(","));
  save(name, new Blob([lines.join("\n"), "\n"], { type: "text/csv" }));
}

/** Save a canvas on the ground of the page. */
export function savePng(name: string, canvas: HTMLCanvasElement): void {
  const whole = document.createElement("canvas");
  whole.width = canvas.width;
  whole.height = canvas.height;
  const context = whole.getContext("2d")!;
  context.fillStyle = styled("card");
  context.fillRect(0, 0, whole.width, whole.height);
  context.drawImage(canvas, 0, 0);
  whole.toBlob((blob) => blob && save(name, blob), "image/png");
}

export function saveJson(name: string, content: unknown): void {
  save(name, new Blob([JSON.stringify(content, null, 1), "\n"], { type: "application/json" }));
}

/** Return a button that copies a text, or shows it where the browser does not allow that. */
export function copyButton(text: string, label: string, content: () => string): HTMLElement {
  const shown = h("textarea", { class: "code", rows: 8, readonly: true, hidden: true, "aria-label": label });
  return h("span", { class: "copy" }, button(text, async () => {
    try {
      await navigator.clipboard.writeText(content());
      announce(`${label} copied`);
    } catch {
      shown.hidden = !shown.hidden;
      shown.value = content();
      shown.select();
    }
  }), shown);
}

/** Return a Python text literal. */
export const quoted = (text: string): string => JSON.stringify(text);
