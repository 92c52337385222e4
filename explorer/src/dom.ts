/** Elements of the page. Whatever comes from data becomes text, never HTML. */

type Child = Node | string | number | null | undefined | false;
type Attributes = Record<string, unknown>;

/** Return an element; ``onclick`` and the like are listeners, ``class`` and so on attributes. */
export function h<K extends keyof HTMLElementTagNameMap>(
  tag: K, attributes: Attributes = {}, ...children: (Child | Child[])[]
): HTMLElementTagNameMap[K] {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith("on") && typeof value === "function") {
      element.addEventListener(name.slice(2), value as EventListener);
    } else if (name === "value") (element as any).value = value;
    else if (name === "checked") (element as any).checked = Boolean(value);
    else element.setAttribute(name, value === true ? "" : String(value));
  }
  append(element, ...children);
  return element;
}

export function append(element: Element, ...children: (Child | Child[])[]): void {
  for (const child of children.flat()) {
    if (child === null || child === undefined || child === false) continue;
    element.append(typeof child === "number" ? String(child) : child);
  }
}

export function fill(element: Element, ...children: (Child | Child[])[]): void {
  element.replaceChildren();
  append(element, ...children);
}

/** Return a table; cells that are numbers are aligned to the right. */
export function table(
  heads: string[], rows: (Child | Child[])[][], attributes: Attributes = {}, caption?: string,
): HTMLElement {
  const numeric = heads.map((_, k) => rows.length > 0 && rows.every((row) => isNumber(row[k])));
  const body = rows.map((row) =>
    h("tr", {}, row.map((cell, k) => h("td", { class: numeric[k] && "number" }, ...[cell].flat()))),
  );
  return h("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": caption ?? heads.join(", ") },
    h("table", attributes,
      caption && h("caption", { class: "unseen" }, caption),
      h("thead", {}, h("tr", {}, heads.map((head, k) =>
        h("th", { scope: "col", class: numeric[k] && "number" }, head)))),
      h("tbody", {}, body),
    ),
  );
}

const isNumber = (cell: unknown): boolean =>
  typeof cell === "number" || (typeof cell === "string" && /^[-+−]?[\d\u2009.]+(e[-+]?\d+)?$/.test(cell));

/** Return a labelled control. */
export function labelled(text: string, control: HTMLElement, attributes: Attributes = {}): HTMLElement {
  return h("label", { class: "field", ...attributes }, h("span", {}, text), control);
}

export function button(text: string, onclick: () => void, attributes: Attributes = {}): HTMLButtonElement {
  return h("button", { type: "button", onclick, ...attributes }, text);
}

export function select(
  options: [value: string, text: string][], value: string, onchange: (value: string) => void,
  attributes: Attributes = {},
): HTMLSelectElement {
  const element = h("select", attributes, options.map(([key, text]) => h("option", { value: key }, text)));
  element.value = value;
  element.addEventListener("change", () => onchange(element.value));
  return element;
}

/** Say something to screen readers. */
export function announce(text: string): void {
  const region = document.getElementById("announcer");
  if (region) region.textContent = text;
}

/** Return a number as people write it: 4 digits that count. */
export function written(value: number, digits = 4): string {
  if (!Number.isFinite(value)) return "missing";
  if (Number.isInteger(value) && Math.abs(value) < 1e15) return grouped(value);
  const size = Math.abs(value);
  return size >= 1e-3 && size < 1e5
    ? String(Number(value.toPrecision(digits)))
    : value.toExponential(Math.max(1, digits - 2));
}

export const grouped = (value: number): string => value.toLocaleString("en-US").replace(/,/g, "\u2009");

/** Return a unit as printed: Angstrom^4 amu^-1 becomes Å⁴ amu⁻¹; of the unit 1, nothing. */
export function unit(text: string): string {
  if (text === "1") return "";
  const raised: Record<string, string> = { "-": "⁻", "/": "ᐟ" };
  "⁰¹²³⁴⁵⁶⁷⁸⁹".split("").forEach((sign, k) => (raised[k] = sign));
  return text
    .replace(/Angstrom/g, "Å")
    .replace(/micrometers?|micrometres?|\bum\b/g, "µm")
    .replace(/\^(-?\d+(?:\/\d+)?)/g, (_, power: string) => [...power].map((c) => raised[c]).join(""));
}

export const withUnit = (name: string, of: string): string => (unit(of) ? `${name} / ${unit(of)}` : name);

export function bytes(count: number): string {
  const names = ["B", "kB", "MB", "GB", "TB"];
  const power = count > 0 ? Math.min(4, Math.floor(Math.log10(count) / 3)) : 0;
  return `${Number((count / 1000 ** power).toPrecision(3))} ${names[power]}`;
}
