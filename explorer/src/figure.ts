/**
 * Map and spectra of one row, linked both ways: a pixel shows its spectrum, a band its map.
 */

import { COLOUR_MAPS, lineColour } from "./colour.js";
import { points, size, type Values } from "./dataset.js";
import { atomTable, INTENSITY, plotCard, rawCard, SHIFT, stickTable, toggle } from "./cards.js";
import { announce, button, h, labelled, select, unit, written } from "./dom.js";
import { saveCsv, savePng } from "./download.js";
import { MapView } from "./mapview.js";
import { hasIdeal, idealOf, sticksOf, type Ideal, type Row } from "./row.js";
import { SpectrumPlot, type Line } from "./spectrum.js";
import { signalToNoise } from "./filters.js";

export interface Settings {
  /** What the map shows: band, channel:K, bonds or element:K. */
  map?: string;
  pixel?: string;
  band?: string;
  colours?: string;
  atoms?: string;
  sticks?: string;
  ideal?: string;
}


/** Map and spectra of a row in an element; ``changed`` gets what a person sets. */
export class Figure {
  readonly element = h("div", { class: "figure" });
  private readonly shape: number[] | null;
  private readonly cube: Values | null;
  private readonly cubeAxis: Float64Array | null;
  private readonly maps: Values | null;
  private readonly bands: [number, number][] | null;
  private map: MapView | null = null;
  private idealMap: MapView | null = null;
  private pixelPlot: SpectrumPlot | null = null;
  private linePlot: SpectrumPlot | null = null;
  private ideal: Ideal | null = null;
  private band: [number, number];
  private pixel: [number, number];
  private shown: string;

  constructor(
    private readonly row: Row, private readonly settings: Settings,
    private readonly changed: (changes: Settings) => void, private readonly signal: AbortSignal,
    private readonly prefix = "", private readonly aside: HTMLElement | null = null,
  ) {
    const { dataset, values } = row;
    this.cube = values.get("cube") ?? null;
    this.maps = values.get("maps") ?? null;
    this.cubeAxis = dataset.axis(dataset.fields.get("cube")?.dims[2] ?? "") ??
      (this.cube ? Float64Array.from({ length: dataset.fields.get("cube")!.shape[2] }, (_, k) => k) : null);
    const mapsShape = dataset.fields.get("maps")?.shape ?? null;
    const images = dataset.fields.get("structure/masks")?.shape ?? null;
    this.shape = dataset.fields.get("cube")?.shape.slice(0, 2) ?? (mapsShape ?? images)?.slice(1) ?? null;
    this.bands = dataset.bands?.length === mapsShape?.[0] ? dataset.bands : null;
    const [rows, columns] = this.shape ?? [0, 0];
        this.band = numbersOf(settings.band, 2) ?? this.strongestBand();
    const options = this.mapOptions().map(([key]) => key);
    this.shown = options.includes(settings.map ?? "") ? settings.map! : this.cube || !this.maps ? (options[0] ?? "") : this.strongestChannel();
    const asked = numbersOf(settings.pixel, 2);
    this.pixel = asked && asked[0] < rows && asked[1] < columns ? asked : this.brightest();
    this.build();
    if (settings.ideal) void this.showIdeal(true);
  }

  private build(): void {
    const line = this.lineCard();
    const map = this.shape ? this.mapCard() : null;
    const pixel = this.cube ? this.pixelCard() : this.maps && this.channels > 1 ? this.channelCard() : null;
    const right = [pixel, line, rawCard(this.row)].filter(Boolean) as HTMLElement[];
    const left = [map, this.aside].filter(Boolean) as HTMLElement[];
    const stacks = [...(map ? [left, right] : [right, left])].filter((cards) => cards.length);
    this.element.append(...stacks.map((cards) => h("div", { class: "stack" }, cards)));
    if (stacks.length < 2 || !map) this.element.classList.add("single");
  }

  private get lengthUnit(): string {
    return unit(this.row.dataset.axes.get("row")?.unit ?? "1");
  }

  private get channels(): number {
    return this.row.dataset.fields.get("maps")?.shape[0] ?? 0;
  }

  private mapOptions(): [string, string][] {
    const options: [string, string][] = [];
    if (this.cube) options.push(["band", "band of the cube"]);
    for (let k = 0; k < (this.maps ? this.channels : 0); k++) {
      const band = this.bands ? `, ${this.bands[k][0]}–${this.bands[k][1]} cm⁻¹` : "";
      options.push([`channel:${k}`, this.channels > 1 || this.bands ? `channel ${k + 1}${band}` : "recorded map"]);
    }
    const elements = this.row.dataset.fields.get("structure/masks");
    if (elements) {
      const names = /by element: (.*)$/.exec(elements.description)?.[1].split(", ") ?? [];
      for (let k = 0; k < elements.shape[0]; k++) options.push([`element:${k}`, `atoms: ${names[k] ?? k + 1}`]);
    }
    if (this.row.dataset.has("structure/bonds")) options.push(["bonds", "bonds"]);
    if (this.row.dataset.has("scene/instance")) options.push(["instance", "molecules"]);
    if (this.row.dataset.has("scene/species")) options.push(["species", "species of molecules"]);
    if (this.row.dataset.has("scene/fraction")) {
      this.row.composition.forEach(([name], k) => options.push([`fraction:${k}`, `light of ${name}`]));
    }
    return options;
  }

  /** Return the image that is chosen, of what was recorded or of the ideal row. */
  private image(maps = this.maps, cube = this.cube): Values | null {
    const count = size(this.shape!);
    const [kind, number] = this.shown.split(":");
    const of = (values: Values | null | undefined) =>
      values ? (values.subarray(Number(number) * count, (Number(number) + 1) * count) as Values) : null;
    if (kind === "channel") return of(maps);
    if (kind === "element") return of(this.row.values.get("structure/masks"));
    if (kind === "bonds") return this.row.values.get("structure/bonds") ?? null;
    if (kind === "instance" || kind === "species") return this.row.values.get(`scene/${kind}`) ?? null;
    if (kind === "fraction") return of(this.row.values.get("scene/fraction"));
    if (!cube || !this.cubeAxis) return null;
    const used = [...this.cubeAxis.keys()].filter((k) => this.cubeAxis![k] >= this.band[0] && this.cubeAxis![k] <= this.band[1]);
    const picture = new Float32Array(count);
    for (let p = 0; p < count; p++) {
      for (const k of used) picture[p] += cube[p * this.cubeAxis.length + k] / used.length;
    }
    return picture;
  }

  private strongestBand(): [number, number] {
    if (!this.cube || !this.cubeAxis) return [0, 0];
    const mean = this.meanSpectrum();
    const top = mean.indexOf(mean.reduce((a, b) => Math.max(a, b), -Infinity));
    const step = this.cubeAxis.length > 1 ? this.cubeAxis[1] - this.cubeAxis[0] : 1;
    const half = Math.max(1.5 * step, 10);
    return [this.cubeAxis[top] - half, this.cubeAxis[top] + half].map((x) => Math.round(10 * x) / 10) as [number, number];
  }

  private meanSpectrum(): Float32Array {
    const length = this.cubeAxis!.length;
    const count = this.cube!.length / length;
    const mean = new Float64Array(length);
    for (let p = 0; p < count; p++) for (let k = 0; k < length; k++) mean[k] += this.cube![p * length + k] / count;
    return Float32Array.from(mean);
  }

  private spectrumAt(cube: Values): Values {
    const length = this.cubeAxis!.length;
    const at = (this.pixel[0] * this.shape![1] + this.pixel[1]) * length;
    return cube.subarray(at, at + length) as Values;
  }

  private strongestChannel(): string {
    const count = size(this.shape!);
    let top = 0;
    for (let k = 0; k < this.maps!.length; k++) if (this.maps![k] > this.maps![top]) top = k;
    return `channel:${Math.floor(top / count)}`;
  }

  private brightest(): [number, number] {
    const values = this.shape && this.image();
    if (!values) return [0, 0];
    let top = 0;
    for (let k = 0; k < values.length; k++) if (values[k] > values[top]) top = k;
    return [Math.floor(top / this.shape![1]), top % this.shape![1]];
  }

  private get mapTitle(): string {
    if (this.shown === "band") return `Map of ${written(this.band[0], 5)} to ${written(this.band[1], 5)} cm⁻¹`;
    return `Map: ${this.mapOptions().find(([key]) => key === this.shown)?.[1] ?? ""}`;
  }

  private mapCard(): HTMLElement {
    const { dataset, molecule } = this.row;
    const [rows, columns] = this.shape!;
    const title = h("h2", {}, this.mapTitle);
    const common = {
      rows, columns, rowAxis: dataset.axis("row"), columnAxis: dataset.axis("column"),
      lengthUnit: this.lengthUnit, valueLabel: INTENSITY, colourMap: this.settings.colours ?? "viridis",
      molecule: this.settings.atoms === "0" ? null : molecule,
    };
    this.map = new MapView({
      ...common, label: "", values: this.image()!, pixel: this.pixel,
      onpixel: (row, column) => this.choosePixel(row, column),
    });
    this.redrawMap = () => {
      title.textContent = this.mapTitle;
      const values = this.image()!;
      this.map!.update({ values, pixel: this.pixel, label: `${this.mapTitle}, ${rows} rows by ${columns} columns of pixels; arrow keys choose one` });
      const ideal = this.ideal && this.image(this.ideal.maps, this.ideal.cube);
      const isRecorded = /^(band|channel)/.test(this.shown);
      this.idealMap?.element.parentElement!.toggleAttribute("hidden", !ideal || !isRecorded);
      if (ideal && this.idealMap) this.idealMap.update({ values: ideal });
      this.readout.textContent = this.pixelText(values);
    };
    this.idealMap = new MapView({ ...common, label: "the same map without noise and instrument", values: new Float32Array(rows * columns) });
    const idealBox = h("div", { hidden: true }, h("h3", {}, "Ideal: no noise, no instrument"), this.idealMap.element);
    const options = this.mapOptions();
    const choose = options.length > 1 && labelled("show", select(options, this.shown, (shown) => {
      this.shown = shown;
      this.changed({ map: shown });
      this.redrawMap();
      this.markBands();
    }, { class: "which" }));
    const colours = labelled("colours", select(COLOUR_MAPS.map((name): [string, string] => [name, name]),
      common.colourMap, (name) => {
        this.changed({ colours: name });
        this.map!.update({ colourMap: name });
        this.idealMap!.update({ colourMap: name });
      }));
    const atoms = molecule && dataset.axis("row") && toggle("atoms and bonds", this.settings.atoms !== "0", (on) => {
      this.changed({ atoms: on ? "" : "0" });
      this.map!.update({ molecule: on ? molecule : null });
      this.idealMap!.update({ molecule: on ? molecule : null });
    }, molecule.origin);
    const file = () => `${dataset.name}-${dataset.number(this.row.row)}-map`;
    const tools = h("div", { class: "toolbar" },
      button("PNG", () => savePng(`${file()}.png`, this.map!.canvas), { "aria-label": "Map as PNG" }),
      button("CSV", () => {
        const image = this.image()!;
        const index = Array.from({ length: image.length }, (_, k) => k);
        saveCsv(`${file()}.csv`, [
          ["row", index.map((k) => Math.floor(k / columns))], ["column", index.map((k) => k % columns)], ["intensity", image],
        ]);
      }, { "aria-label": "Map as CSV" }));
    queueMicrotask(() => this.redrawMap());
    return h("section", { class: "card" }, title,
      h("div", { class: "controls" }, choose, colours, atoms, this.idealToggle()), this.map.element, this.readout, idealBox,
      this.cube && this.bandInputs(), tools, molecule && atomTable(this.row));
  }

  private readonly readout = h("p", { class: "hint readout" });
  private redrawMap: () => void = () => undefined;

  private pixelText(values: Values): string {
    const [row, column] = this.pixel;
    const value = values[row * this.shape![1] + column];
    const at = (name: string, k: number) => {
      const axis = this.row.dataset.axis(name);
      return axis ? ` (${written(axis[k], 3)} ${this.lengthUnit})` : "";
    };
    return `pixel: row ${row}${at("row", row)}, column ${column}${at("column", column)}; intensity ${written(value)}`;
  }

  private choosePixel(row: number, column: number): void {
    this.pixel = [row, column];
    this.changed({ pixel: `${row},${column}` });
    this.redrawMap();
    announce(this.readout.textContent ?? "");
    this.pixelPlot?.update({ lines: this.pixelLines(), label: `Spectrum of the pixel in row ${row}, column ${column}` });
  }

  private chooseBand(low: number, high: number): void {
    const axis = this.cubeAxis!;
    if (![...axis].some((x) => x >= low && x <= high)) {
      // narrower than a channel: take the nearest one
      const middle = (low + high) / 2;
      const nearest = axis.reduce((a, b) => (Math.abs(b - middle) < Math.abs(a - middle) ? b : a));
      const half = axis.length > 1 ? (axis[1] - axis[0]) / 2 : 0.5;
      [low, high] = [nearest - half, nearest + half];
    }
    this.band = [Math.round(low * 10) / 10, Math.round(high * 10) / 10];
    this.shown = "band";
    this.changed({ band: this.band.join(","), map: "band" });
    const which = this.element.querySelector<HTMLSelectElement>("select.which");
    if (which) which.value = "band";
    this.element.querySelectorAll<HTMLInputElement>("input.band").forEach((input, k) => (input.value = String(this.band[k])));
    this.redrawMap();
    this.markBands();
    announce(this.mapTitle);
  }

  private bandInputs(): HTMLElement {
    const input = (k: number) => h("input", {
      type: "number", step: "any", class: "band short", value: Math.round(this.band[k] * 10) / 10,
      onchange: (event: Event) => {
        const band = [...this.band] as [number, number];
        band[k] = Number((event.target as HTMLInputElement).value);
        if (band[0] < band[1]) this.chooseBand(...band);
      },
    });
    return h("div", { class: "controls" }, labelled("band from / cm⁻¹", input(0)), labelled("to / cm⁻¹", input(1)));
  }

  private shadedBands(): { low: number; high: number; chosen: boolean }[] {
    if (this.cube) return this.shown === "band" ? [{ low: this.band[0], high: this.band[1], chosen: true }] : this.channelBands();
    return this.channelBands();
  }

  private channelBands(): { low: number; high: number; chosen: boolean }[] {
    return (this.bands ?? []).map(([low, high], k) => ({ low, high, chosen: this.shown === `channel:${k}` }));
  }

  private markBands(): void {
    const bands = this.shadedBands();
    this.pixelPlot?.update({ bands });
    this.linePlot?.update({ bands });
  }

  private pixelLines(): Line[] {
    const [row, column] = this.pixel;
    if (!this.cube) {
      const count = size(this.shape!);
      const at = row * this.shape![1] + column;
      const of = (maps: Values) => Float32Array.from({ length: this.channels }, (_, k) => maps[k * count + at]);
      return [{ label: `pixel ${row}, ${column}`, values: of(this.maps!) },
        ...(this.ideal?.maps ? [{ label: "ideal", values: of(this.ideal.maps), colour: lineColour(1), dashed: true }] : [])];
    }
    return [
      { label: `pixel ${row}, ${column}`, values: this.spectrumAt(this.cube) },
      { label: "mean of the map", values: this.mean ??= this.meanSpectrum(), colour: lineColour(5) },
      ...(this.ideal?.cube ? [{ label: "ideal", values: this.spectrumAt(this.ideal.cube), colour: lineColour(1), dashed: true }] : []),
    ];
  }

  private mean: Float32Array | null = null;

  private pixelCard(): HTMLElement {
    this.pixelPlot = new SpectrumPlot({
      label: "Spectrum of the pixel", x: this.cubeAxis!, xLabel: SHIFT, yLabel: INTENSITY, lines: this.pixelLines(),
      bands: this.shadedBands(), onband: (low, high) => this.chooseBand(low, high), height: 280,
      sync: `${this.prefix}shift`,
    });
    return plotCard(this.row, "Spectrum of the pixel", this.pixelPlot, "pixel", "Drag over a band to see its map; click a pixel of the map to see its spectrum.", true);
  }

  private channelCard(): HTMLElement {
    const x = this.bands ? this.bands.map(([low, high]) => (low + high) / 2) : Array.from({ length: this.channels }, (_, k) => k + 1);
    this.pixelPlot = new SpectrumPlot({
      label: "Channels of the pixel", x, xLabel: this.bands ? SHIFT : "channel", yLabel: INTENSITY,
      lines: this.pixelLines(), bands: this.shadedBands(), stepped: true, height: 240,
      onclick: (at) => this.chooseChannel(at, x),
    });
    return plotCard(this.row, "Channels of the pixel", this.pixelPlot, "channels", "Click near a channel to see its map.");
  }

  private chooseChannel(at: number, centres: number[]): void {
    let nearest = 0;
    centres.forEach((x, k) => Math.abs(x - at) < Math.abs(centres[nearest] - at) && (nearest = k));
    const inside = this.bands?.findIndex(([low, high]) => at >= low && at <= high) ?? -1;
    this.shown = `channel:${inside >= 0 ? inside : nearest}`;
    const which = this.element.querySelector<HTMLSelectElement>("select.which");
    if (which) which.value = this.shown;
    this.changed({ map: this.shown });
    this.redrawMap();
    this.markBands();
  }

  private lines(): Line[] {
    const spectrum = this.row.values.get("spectra");
    return [
      ...(spectrum ? [{ label: "recorded", values: spectrum }] : []),
      ...(this.ideal?.spectrum ? [{ label: "ideal", values: this.ideal.spectrum, colour: lineColour(1) }] : []),
    ];
  }

  private lineCard(): HTMLElement | null {
    const { dataset, values } = this.row;
    const sticks = sticksOf(this.row);
    const axis = dataset.axes.get("raman_shift");
    const spectrum = values.get("spectra");
    if (!axis || (!spectrum && !sticks.length)) return null;
    const wanted = this.settings.sticks !== "0";
    this.linePlot = new SpectrumPlot({
      label: `Spectrum of sample ${dataset.number(this.row.row)}, ${this.row.name}`,
      x: points(axis), xLabel: SHIFT, yLabel: INTENSITY, lines: this.lines(), bands: this.cube ? [] : this.shadedBands(),
      sticks: wanted ? sticks : [], height: this.cube ? 280 : 340, sync: `${this.prefix}shift`,
      ...(this.bands && !this.cube ? { onclick: (at: number) => {
        const inside = this.bands!.findIndex(([low, high]) => at >= low && at <= high);
        if (inside >= 0) this.chooseChannel(at, this.bands!.map(([low, high]) => (low + high) / 2));
      } } : {}),
    });
    const title = this.cube ? "Spectrum of the sample" : "Spectrum";
    const snr = spectrum ? `SNR ${written(signalToNoise(spectrum), 2)}. ` : "";
    const stickToggle = sticks.length > 0 && toggle("sticks", wanted, (on) => {
      this.changed({ sticks: on ? "" : "0" });
      this.linePlot!.update({ sticks: on ? sticks : [], lines: this.lines() });
    });
    const card = plotCard(this.row, title, this.linePlot, "spectrum", `${snr}Drag to zoom, double-click to show all.`);
    card.querySelector(".controls")!.append(...[stickToggle, !this.shape && this.idealToggle()].filter(Boolean) as HTMLElement[]);
    card.append(...sticks.map(stickTable));
    return card;
  }

  private idealToggle(): HTMLElement | false {
    return hasIdeal(this.row.dataset) && toggle("ideal beside recorded", Boolean(this.settings.ideal), (on) => {
      this.changed({ ideal: on ? "1" : "" });
      void this.showIdeal(on);
    }, "the same sample without noise and instrument");
  }

  private async showIdeal(on: boolean): Promise<void> {
    try {
      this.ideal = on ? await idealOf(this.row.dataset, this.row.row, this.signal) : null;
    } catch (error) {
      if (!this.signal.aborted) this.element.append(h("p", { class: "error", role: "alert" }, (error as Error).message));
    }
    this.linePlot?.update({ lines: this.lines() });
    this.pixelPlot?.update({ lines: this.pixelLines() });
    this.redrawMap();
  }
}

function numbersOf(text: string | undefined, count: number): [number, number] | null {
  const numbers = (text ?? "").split(",").map(Number);
  return text && numbers.length === count && numbers.every(Number.isFinite) ? (numbers as [number, number]) : null;
}
