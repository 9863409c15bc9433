// The page: reads the form, has the networks pass their signals, draws.

import { Device } from "gpu-init";

import { colors, histograms, type Line, spreads } from "./charts.js";
import { type Activation, ACTIVATIONS, GAINS, type Moments, Network, type Signals } from "./network.js";

interface Drawn { label: string; signals: Signals }

const INITIALIZERS: readonly (readonly [text: string, label: string, hasGain: boolean])[] = [
  ["xavier_normal", "Xavier", true],
  ["kaiming_normal", "He", false],
  ["lecun_normal", "LeCun", false],
  ["orthogonal", "orthogonal", true],
  ["normal(std=0.01)", "N(0, 0.01²)", false],
  ["normal(std=1)", "N(0, 1)", false],
];

function element<T extends HTMLElement>(id: string): T {
  return document.getElementById(id) as T;
}

const form = element<HTMLFormElement>("form");
const layer = element<HTMLInputElement>("layer");
const controls = form.elements as unknown as Record<string, HTMLInputElement>;

let device: Device | undefined;
let drawn: Drawn[] = [];
let run = 0;

for (const activation of ACTIVATIONS) {
  controls.activation!.append(new Option(activation, activation, activation === "tanh", activation === "tanh"));
}
for (const [text, label] of INITIALIZERS) {
  const box = Object.assign(document.createElement("input"), { type: "checkbox", name: "init", value: text, checked: true });
  const line = document.createElement("label");
  line.append(box, label);
  line.title = text;
  element("initializers").append(line);
}

function say(text: string): void {
  element("status").textContent = text;
}

function complain(text: string): void {
  const box = element("error");
  box.textContent = text;
  box.hidden = text === "";
}

async function open(): Promise<Device> {
  if (!device) {
    device = await Device.open();
    element("adapter").textContent = device.adapterName;
    // The next drawing opens the device again.
    void device.gpuDevice.lost.then(() => (device = undefined));
  }
  return device;
}

function gainOf(hasGain: boolean, activation: Activation): number | undefined {
  if (!hasGain) return undefined;
  const own = controls.gain!.value.trim();
  return own === "" ? GAINS[activation] : Number(own);
}

async function update(): Promise<void> {
  const own = ++run;
  const isCurrent = () => own === run;
  complain("");
  const data = new FormData(form);
  const activation = data.get("activation") as Activation;
  const size = { depth: Number(data.get("depth")), width: Number(data.get("width")), batch: Number(data.get("batch")) };
  const chosen = INITIALIZERS.filter(([text]) => data.getAll("init").includes(text));
  const lines = chosen.map(([init, label, hasGain]) => {
    const gain = gainOf(hasGain, activation);
    return { init, gain, label: gain === undefined || gain === 1 ? label : `${label}, gain ${Number(gain.toPrecision(3))}` };
  });
  const other = String(data.get("other")).trim();
  if (other !== "") lines.push({ init: other, gain: undefined, label: other });
  if (lines.length === 0) return complain("Choose an initializer.");
  form.setAttribute("aria-busy", "true");
  try {
    say("Opening the GPU and verifying its arithmetic…");
    const opened = (await open()).withSeed(Number(data.get("seed")));
    const network = await Network.make(opened, size, activation);
    const results: Drawn[] = [];
    for (const { init, gain, label } of lines) {
      if (!isCurrent()) return;
      say(`${label}: ${size.depth} layers of ${size.width} × ${size.width}…`);
      results.push({ label, signals: await network.pass(init, gain) });
    }
    if (!isCurrent()) return;
    drawn = results;
    layer.max = String(size.depth);
    layer.value = String(size.depth);
    draw();
    say(`Done: ${lines.length} lines, depth ${size.depth}, width ${size.width}, batch ${size.batch}, ${activation}.`);
  } catch (error) {
    if (!isCurrent()) return;
    say("");
    complain(explain(error));
  } finally {
    if (isCurrent()) form.removeAttribute("aria-busy");
  }
}

function explain(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error);
  if ((error as { kind?: string }).kind !== "NoAdapter") return message;
  return "This browser has no WebGPU here. Use a current Chrome, Edge, Safari or Firefox, and open this page by https or "
    + "from localhost; on Linux, chrome://flags/#enable-unsafe-webgpu may be needed. "
    + `Or draw the picture in a terminal: gpu-init signal. (${message})`;
}

function stds(moments: readonly Moments[]): number[] {
  return moments.map(({ std }) => std);
}

/** A line for each initializer. */
function linesOf(values: (signals: Signals) => readonly number[]): Line[] {
  const palette = colors();
  return drawn.map(({ label, signals }, i) => ({ label, color: palette[i % palette.length]!, values: values(signals) }));
}

function draw(): void {
  const activations = linesOf((signals) => stds(signals.activations));
  spreads(element("activations"), activations);
  spreads(element("gradients"), linesOf((signals) => stds(signals.gradients)));
  drawLayer();
  element("legend").replaceChildren(...drawn.map(({ label, signals }, i) => {
    const [item, swatch, what] = [document.createElement("li"), document.createElement("span"), document.createElement("span")];
    swatch.className = "swatch";
    swatch.style.background = activations[i]!.color;
    what.className = "what";
    what.textContent = `${verdict(signals)}; fingerprint ${signals.fingerprint}`;
    item.append(swatch, label, what);
    return item;
  }));
  element("figures").replaceChildren(...table());
}

function drawLayer(): void {
  const index = Number(layer.value);
  element("layer-number").textContent = layer.value;
  const lines = (of: (signals: Signals) => Moments[]) =>
    linesOf((signals) => Array.from(of(signals)[index]?.histogram ?? []));
  histograms(element("activation-histogram"), "activations", lines((signals) => signals.activations));
  histograms(element("gradient-histogram"), "gradients", lines((signals) => signals.gradients));
}

/** Within a factor of 100 a signal stays. */
function verdict({ activations, gradients }: Signals): string {
  const what = (from: number, to: number) => {
    const ratio = to / from;
    return ratio < 0.01 ? "vanish" : ratio <= 100 ? "stay" : "explode";
  };
  const [first, last] = [0, activations.length - 1];
  return `activations ${what(activations[first]!.std, activations[last]!.std)}, `
    + `gradients ${what(gradients[last]!.std, gradients[first]!.std)}`;
}

function table(): HTMLElement[] {
  const row = (tag: "th" | "td", cells: readonly string[]) => {
    const line = document.createElement("tr");
    line.append(...cells.map((text) => Object.assign(document.createElement(tag), { textContent: text })));
    return line;
  };
  const head = ["layer", ...drawn.flatMap(({ label }) => [`${label}: activations`, "gradients"])];
  const depth = drawn[0]?.signals.activations.length ?? 0;
  const figure = (value: number) => value.toExponential(3);
  const rows = Array.from({ length: depth }, (_, i) => row("td", [
    String(i),
    ...drawn.flatMap(({ signals }) => [figure(signals.activations[i]!.std), figure(signals.gradients[i]!.std)]),
  ]));
  const [thead, tbody] = [document.createElement("thead"), document.createElement("tbody")];
  thead.append(row("th", head));
  tbody.append(...rows);
  return [thead, tbody];
}

/** The form's state is the address, to be shared. */
function fromAddress(): void {
  const given = new URLSearchParams(location.hash.slice(1));
  for (const [name, value] of given) {
    const control: Element | undefined = controls[name];
    if (control instanceof HTMLInputElement || control instanceof HTMLSelectElement) control.value = value;
  }
  if (!given.has("init")) return;
  for (const box of form.querySelectorAll<HTMLInputElement>("[name=init]")) box.checked = given.getAll("init").includes(box.value);
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  const state = [...new FormData(form)].map(([name, value]) => [name, String(value)]).filter(([, value]) => value !== "");
  history.replaceState(null, "", `#${new URLSearchParams(state)}`);
  void update();
});
function suggestGain(): void {
  const gain = GAINS[controls.activation!.value as Activation];
  controls.gain!.placeholder = gain === 5 / 3 ? "5/3" : gain === Math.SQRT2 ? "√2" : "1";
}

controls.activation!.addEventListener("change", suggestGain);
layer.addEventListener("input", drawLayer);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => drawn.length && draw());
fromAddress();
suggestGain();
void update();
