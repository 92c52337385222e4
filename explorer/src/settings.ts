/** Sliders for the common settings of a recipe, from its JSON Schema. */

import { h, select, unit } from "./dom.js";

export type Schema = any;

/** Settings that have a control, and the range of its slider; all others are changed as JSON. */
const COMMON: [path: string, low: number, high: number, isLog?: boolean][] = [
  ["lineshape.profile", 0, 0],
  ["lineshape.fwhm_cm1", 1, 60],
  ["geometry.laser_nm", 400, 1100],
  ["noise.spectrum", 0, 0.2],
  ["noise.map", 0, 0.2],
  ["perturbations.shift_cm1", 0, 30],
  ["perturbations.mode_shift_cm1", 0, 20],
  ["perturbations.width", 0.2, 4],
  ["perturbations.intensity", 0, 2],
  ["map.n_hotspots", 1, 20],
  ["map.sigma_px", 0.5, 12],
  ["map.background", 0, 0.5],
  ["nearfield.tip_field", 0, 0],
  ["nearfield.orientation", 0, 0],
  ["nearfield.height_angstrom", 1, 10],
  ["nearfield.width_angstrom", 2, 20],
  ["nearfield.max_tilt_deg", 0, 90],
  ["instrument.resolution_cm1", 0, 30],
  ["instrument.fluorescence", 0, 20],
  ["instrument.electrons", 1, 1e6, true],
  ["instrument.response", 0, 0.9],
  ["instrument.cosmic_rays", 0, 10],
  ["instrument.axis_shift_cm1", 0, 20],
  ["mixture.least", 0, 0.3],
];

const OPTIONAL = ["nearfield", "instrument", "mixture", "structure", "scene"];

function resolved(schema: Schema, node: any): any {
  if (node?.anyOf) {
    const some = node.anyOf.find((one: any) => one.type !== "null");
    return { ...resolved(schema, some), default: node.default, description: node.description, unit: node.unit };
  }
  if (!node?.$ref) return node;
  const target = node.$ref.split("/").slice(1).reduce((at: any, key: string) => at?.[key], schema);
  return { ...resolved(schema, target), ...node };
}

function settingOf(schema: Schema, path: string): any {
  let node = schema;
  for (const name of path.split(".")) node = resolved(schema, resolved(schema, node)?.properties?.[name]);
  return node;
}

/** Return a control for each common setting; ``changed`` is called after the recipe was changed. */
export function controls(schema: Schema, recipe: any, changed: () => void, rebuild: () => void): HTMLElement[] {
  const made: HTMLElement[] = [];
  const sections = h("fieldset", {}, h("legend", {}, "Parts"), OPTIONAL.filter((name) => schema.properties[name]).map((name) =>
    h("label", { class: "toggle", title: schema.properties[name].description }, h("input", {
      type: "checkbox", checked: recipe[name] !== undefined && recipe[name] !== null, onchange: (event: Event) => {
        if ((event.target as HTMLInputElement).checked) recipe[name] = {};
        else delete recipe[name];
        changed();
        rebuild();
      },
    }), name)));
  made.push(sections);
  let group: HTMLElement | null = null;
  let last = "";
  for (const [path, low, high, isLog] of COMMON) {
    const [section, name] = path.split(".");
    if (OPTIONAL.includes(section) && (recipe[section] === undefined || recipe[section] === null)) continue;
    if (section === "map" && recipe.nearfield) continue;
    const setting = settingOf(schema, path);
    if (!setting) continue;
    if (section !== last) made.push((group = h("fieldset", {}, h("legend", {}, section))));
    last = section;
    group!.append(control(setting, recipe, section, name, low, high, isLog ?? false, changed));
  }
  return made;
}

function control(
  setting: any, recipe: any, section: string, name: string, low: number, high: number, isLog: boolean, changed: () => void,
): HTMLElement {
  const set = (value: unknown) => {
    recipe[section] = { ...recipe[section], [name]: value };
    changed();
  };
  const now = recipe[section]?.[name] ?? setting.default;
  const label = `${name.replace(/_(cm1|nm|angstrom|deg|px)$/, "").replace(/_/g, " ")}${unit(setting.unit ?? "1") ? ` / ${unit(setting.unit)}` : ""}`;
  if (setting.enum) {
    return h("label", { class: "setting", title: setting.description }, h("span", {}, label),
      select(setting.enum.map((one: string): [string, string] => [one, one]), String(now), set));
  }
  const isRange = Array.isArray(now);
  const values: number[] = isRange ? [...now] : [Number(now)];
  const whole = setting.type === "integer" || setting.prefixItems?.[0]?.type === "integer";
  const box = h("div", { class: "setting", role: "group", "aria-label": label, title: setting.description }, h("span", {}, label));
  values.forEach((value, k) => {
    const toSlider = (x: number) => (isLog ? Math.log10(Math.max(x, low)) : x);
    const fromSlider = (x: number) => {
      const plain = isLog ? 10 ** x : x;
      return whole ? Math.round(plain) : Number(plain.toPrecision(3));
    };
    const name2 = isRange ? `${label}, ${k ? "highest" : "lowest"}` : label;
    const number = h("input", { type: "number", step: "any", value, class: "short", "aria-label": name2 });
    const slider = h("input", {
      type: "range", min: toSlider(low), max: toSlider(high), step: whole ? 1 : (toSlider(high) - toSlider(low)) / 200,
      value: toSlider(value), "aria-label": `${name2}, slider`,
    });
    const all = { number, slider, put: (x: number) => {
      values[k] = x;
      number.value = String(x);
      slider.value = String(toSlider(x));
    } };
    pairs.set(slider, all);
    const take = (x: number) => {
      all.put(x);
      // the ends of a range stay in order
      if (isRange && values[0] > values[1]) {
        const other = box.querySelectorAll<HTMLInputElement>("input[type=range]")[1 - k];
        pairs.get(other)?.put(x);
      }
      set(isRange ? [...values] : values[0]);
    };
    slider.addEventListener("input", () => take(fromSlider(Number(slider.value))));
    number.addEventListener("change", () => take(Number(number.value)));
    box.append(h("span", { class: "slide" }, slider, number));
  });
  return box;
}

const pairs = new WeakMap<HTMLInputElement, { put: (x: number) => void }>();
