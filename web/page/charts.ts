// The charts, by uPlot, in the page's colours.

import uPlot from "uplot";

export interface Line { label: string; color: string; values: readonly number[] }

const HEIGHT = 300;

function variable(name: string): string {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

export function colors(): string[] {
  return variable("--series").split(" ");
}

/** Draws into an element in place of what is there, and follows its width. */
function draw(element: HTMLElement, options: Omit<uPlot.Options, "width" | "height">, data: uPlot.AlignedData): void {
  element.replaceChildren();
  const width = Math.max(element.clientWidth, 240);
  const plot = new uPlot({ width, height: HEIGHT, ...options }, data, element);
  const observer = new ResizeObserver(() => {
    if (!plot.root.isConnected) return observer.disconnect();
    const width = Math.max(element.clientWidth, 240);
    if (width !== plot.width) plot.setSize({ width, height: HEIGHT });
  });
  observer.observe(element);
}

function axis(label: string, more: Partial<uPlot.Axis> = {}): uPlot.Axis {
  const grid = { stroke: variable("--grid"), width: 1 };
  return { label, stroke: variable("--text"), grid, ticks: grid, labelSize: 22, font: "12px sans-serif", labelFont: "13px sans-serif", ...more };
}

const SUPERSCRIPTS = "⁰¹²³⁴⁵⁶⁷⁸⁹";

function power(exponent: number): string {
  return "10" + String(exponent).replace(/./g, (c) => (c === "-" ? "⁻" : SUPERSCRIPTS[Number(c)]!));
}

/** Curves by layer, on a logarithmic axis. Zero and infinity have no place on it: there a curve has a gap. */
export function spreads(element: HTMLElement, lines: readonly Line[]): void {
  const exponents = lines.map(({ values }) => values.map((value) => (value > 0 && Number.isFinite(value) ? Math.log10(value) : null)));
  const drawn = exponents.flat().filter((value) => value !== null);
  const high = Math.ceil(Math.max(...drawn, 0) - 0.05);
  const low = Math.min(Math.floor(Math.min(...drawn, 0) + 0.05), high - 2);
  const step = [1, 2, 5, 10, 20].find((step) => (high - low) / step < 9) ?? 40;
  const splits: number[] = [];
  for (let tick = Math.ceil(low / step) * step; tick <= high; tick += step) splits.push(tick);
  draw(element, {
    cursor: { y: false, drag: { x: false, y: false } },
    scales: { x: { time: false }, y: { range: [low, high + 0.02 * (high - low)] } },
    axes: [
      axis("layer"),
      axis("standard deviation", { size: 62, splits, values: (_, ticks) => ticks.map(power) }),
    ],
    series: [{}, ...lines.map(({ label, color }): uPlot.Series => ({ label, stroke: color, width: 2.5, points: { show: false } }))],
  }, [lines[0]?.values.map((_, layer) => layer) ?? [], ...exponents]);
}

/** Histograms over -4 to 4 standard deviations, as shares of all values. */
export function histograms(element: HTMLElement, title: string, lines: readonly Line[]): void {
  const bins = lines[0]?.values.length ?? 1;
  const starts = Array.from({ length: bins }, (_, bin) => (bin / bins) * 8 - 4);
  const shares = lines.map(({ values }) => {
    const total = values.reduce((sum, count) => sum + count, 0);
    return values.map((count) => (100 * count) / Math.max(total, 1));
  });
  draw(element, {
    title,
    cursor: { y: false, drag: { x: false, y: false } },
    scales: { x: { time: false, range: [-4, 4] }, y: { range: (_, __, most) => [0, Math.max(most * 1.05, 1)] } },
    axes: [axis("standard deviations from the mean"), axis("% of the values", { size: 46 })],
    series: [{}, ...lines.map(({ label, color }): uPlot.Series => ({
      label, stroke: color, width: 2, points: { show: false }, paths: uPlot.paths.stepped!({ align: 1 }),
    }))],
  }, [starts, ...shares]);
}
