/** What the page shows, kept in the address after #: a copied address shows the same. */

/** What the page works on: a server's datasets, one behind a URL, or rows in the file itself. */
export const context = {
  /** Whether tersgen serve answers at this address. */
  isServed: false,
  /** Whether rows are in this file. */
  isReport: false,
  /** Dataset to show if the address names none. */
  data: null as string | null,
};

export interface State {
  view: string;
  [name: string]: string;
}

export function read(): State {
  const [view, query] = location.hash.replace(/^#\/?/, "").split("?");
  return { ...Object.fromEntries(new URLSearchParams(query ?? "")), view: view || "" };
}

export function link(view: string, values: Record<string, string | number | null | undefined> = {}): string {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(values)) {
    if (value !== null && value !== undefined && value !== "") query.set(name, String(value));
  }
  const text = query.toString();
  return `#/${view}${text ? `?${text}` : ""}`;
}

/** Change the address without showing the view anew: what is on the page has already changed. */
export function note(changes: Record<string, string | number | null | undefined>): void {
  const { view, ...rest } = read();
  history.replaceState(null, "", link(view, { ...rest, ...changes }));
}

export function go(view: string, values: Record<string, string | number | null | undefined> = {}): void {
  location.hash = link(view, values);
}
