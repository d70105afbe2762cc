// The charts of the last five minutes. Series are told apart by colour and by dashes; each chart says its last values in words.

import { colour } from "./theme.js";
import { short } from "./format.js";

const SECONDS = 300;
const HEIGHT = 200;
// Longer without a point is a gap, and drawn as one.
const GAP_MS = 2500;
const COLOURS = ["--a", "--b", "--c", "--d", "--e", "--f"];
const DASHES = [[], [8, 4], [2, 3], [12, 4, 2, 4]];

const points = [];
const shown = new Map();

// What each chart draws: labels of its series, and their values at a point.
const CHARTS = {
  packets: { series: () => ["to the wire", "from the wire", "forwarded"], at: (p) => [p.tx_pps, p.rx_pps, p.forwarded_pps], say: short },
  bits: { series: () => ["to the wire", "from the wire"], at: (p) => [p.tx_bps, p.rx_bps], say: short },
  busy: { series: workers, at: (p) => p.busy.map((share) => share * 100), say: (n) => short(n) + " %", top: 100 },
  drops: { series: reasons, at: (p, names) => names.map((name) => p.drops[name] ?? 0), say: short },
};

function workers() {
  const count = Math.max(0, ...points.map((p) => p.busy.length));
  return Array.from({ length: count }, (_, i) => `worker ${i}`);
}

function reasons() {
  return [...new Set(points.flatMap((p) => Object.keys(p.drops)))].sort();
}

// Replaces all points: after a connection, with the server's memory.
export function restore(history) {
  points.splice(0, points.length, ...history);
  draw();
}

export function add(point) {
  if (points.length && points.at(-1).t_ms >= point.t_ms) return;
  points.push(point);
  while (points[0].t_ms < point.t_ms - SECONDS * 1000) points.shift();
  draw();
}

// With the colours of a new theme.
export function redraw() {
  for (const { plot } of shown.values()) plot.destroy();
  shown.clear();
  draw();
}

function draw() {
  for (const [name, chart] of Object.entries(CHARTS)) {
    const labels = chart.series();
    let entry = shown.get(name);
    if (entry?.key !== labels.join()) {
      entry?.plot.destroy();
      entry = { key: labels.join(), plot: make(name, chart, labels) };
      shown.set(name, entry);
    }
    const data = columns(chart, labels);
    entry.plot.setData(data);
    // Without a pointer over the chart its legend says the last second.
    if (!(entry.plot.cursor.left >= 0)) entry.plot.setLegend({ idx: data[0].length - 1 });
    const last = points.at(-1);
    const values = last ? chart.at(last, labels) : [];
    const words = labels.map((label, i) => `${label} ${chart.say(values[i] ?? 0)}`);
    element(name).setAttribute("aria-label", words.join(", ") || "nothing yet");
  }
}

function columns(chart, labels) {
  const data = [[], ...labels.map(() => [])];
  let before = null;
  for (const point of points) {
    if (before !== null && point.t_ms - before > GAP_MS) push(data, before + 1000, []);
    push(data, point.t_ms, chart.at(point, labels));
    before = point.t_ms;
  }
  return data;
}

function push(data, t_ms, values) {
  data[0].push(t_ms / 1000);
  for (let i = 1; i < data.length; i++) data[i].push(values[i - 1] ?? null);
}

const time = (s) => new Date(s * 1000).toLocaleTimeString("en-GB");

// Five minutes, or what there is of them, but a minute at least.
function span() {
  const now = (points.at(-1)?.t_ms ?? Date.now()) / 1000;
  const first = (points[0]?.t_ms ?? 0) / 1000;
  return [Math.max(now - SECONDS, Math.min(first, now - 60)), now];
}

const element = (name) => document.getElementById(`chart-${name}`);

function make(name, chart, labels) {
  const [text, line] = [colour("--quiet"), colour("--line")];
  const axis = { stroke: text, grid: { stroke: line, width: 1 }, ticks: { stroke: line, width: 1 }, font: "12px system-ui, sans-serif" };
  return new uPlot({
    width: element(name).clientWidth,
    height: HEIGHT,
    cursor: { drag: { x: false, y: false } },
    scales: {
      x: { range: span },
      y: { range: (_, __, most) => [0, chart.top ?? Math.max(1, (most ?? 0) * 1.1)] },
    },
    axes: [{ ...axis, space: 80, values: (_, ticks) => ticks.map(time) }, { ...axis, size: 56, values: (_, ticks) => ticks.map((n) => (n === null ? "" : short(n))) }],
    series: [{ value: (_, s) => (s ? time(s) : "–") }, ...labels.map((label, i) => ({
      label,
      stroke: colour(COLOURS[i % COLOURS.length]),
      width: 2,
      dash: DASHES[Math.floor(i / COLOURS.length + (i % 2 ? 1 : 0)) % DASHES.length],
      spanGaps: false,
      points: { show: false },
      value: (_, n) => (n === null ? "–" : chart.say(n)),
    }))],
  }, [[], ...labels.map(() => [])], element(name));
}

addEventListener("resize", () => {
  for (const [name, { plot }] of shown) plot.setSize({ width: element(name).clientWidth, height: HEIGHT });
});
