// The tables. Text of others reaches the page as text only: cells are made, never parsed.

import { percent, short } from "./format.js";

function fill(id, rows) {
  const body = document.querySelector(`#${id} tbody`);
  body.replaceChildren(...rows.map((cells) => {
    const row = document.createElement("tr");
    for (const [text, style] of cells) {
      const cell = row.insertCell();
      cell.textContent = text;
      if (style) cell.className = style;
    }
    return row;
  }));
}

const number = (n) => [n === undefined || n === null ? "–" : short(n), "n"];
const word = (text) => [text || "–"];
const portName = (port) => port.name || `port ${port.index}`;

// Rates of drops come from the change of totals between two events, for the report has them per port only.
let before = new Map();

export function tables(report, interval_s) {
  const { ports, peers, workers } = report;
  const now = new Map();
  const drops = [];
  for (const port of ports) {
    for (const [reason, total] of Object.entries(port.drops)) {
      if (!total) continue;
      const key = `${port.index} ${reason}`;
      now.set(key, total);
      const change = before.size ? (total - (before.get(key) ?? 0)) / interval_s : 0;
      drops.push({ port: portName(port), reason, change: Math.max(0, change), total });
    }
  }
  before = now.size ? now : new Map([["", 0]]);
  drops.sort((a, b) => b.change - a.change || b.total - a.total);
  fill("drop-table", drops.map((d) => [word(d.port), word(d.reason), [short(d.change), d.change ? "n bad" : "n"], number(d.total)]));
  document.getElementById("drop-table").hidden = !drops.length;
  document.getElementById("drop-none").hidden = !!drops.length;

  fill("port-table", ports.map((p) => [
    word(portName(p)), word(p.side),
    [p.state === "up" ? p.mode : p.error || p.state, p.state === "up" ? "" : "words bad"],
    number(p.per_second?.rx_packets), number(p.per_second?.rx_bits),
    number(p.per_second?.tx_packets), number(p.per_second?.tx_bits), number(p.per_second?.dropped),
  ]));
  fill("peer-table", peers.map((p) => [
    word(p.subnets.join(", ")), word(p.public_ip),
    number(p.per_second?.tx_packets), number(p.per_second?.tx_bits),
    number(p.per_second?.rx_packets), number(p.per_second?.rx_bits),
    [p.obstacle ?? "", "words bad"],
  ]));
  fill("worker-table", workers.map((w) => [
    number(w.index), number(w.counters.cpu), number(w.counters.queue), [percent(w.busy), "n"], [percent(w.asleep), "n"],
    [String(w.counters.generation), "n"], [String(w.counters.frames_free), "n"],
  ]));
  const more = report.peers_known - peers.length;
  document.getElementById("peer-count").textContent = more > 0 ? `${peers.length} of ${report.peers_known}` : "";
  return drops.reduce((sum, drop) => sum + drop.total, 0);
}
