// One event a second in, the page out. The server decides what is healthy; the page only says it.

import { add, redraw, restore } from "./charts.js";
import { clock, percent, short, span } from "./format.js";
import { Refused, ask, follow, setToken } from "./stream.js";
import { tables } from "./tables.js";
import { theme } from "./theme.js";

const $ = (id) => document.getElementById(id);
const say = (id, text) => { if ($(id).textContent !== text) $(id).textContent = text; };
let last = null;

function show(event) {
  const { report, point, health } = event;
  state(event);
  const problems = [...health.unready.map((text) => [text, "bad"]), ...health.warnings.map((text) => [text, "warn"])];
  $("problem-list").replaceChildren(...problems.map(([text, style]) => {
    const item = document.createElement("li");
    item.textContent = text;
    item.className = style;
    return item;
  }));
  $("problems").hidden = !problems.length;
  say("version", `tweed-perf ${event.version}`);
  if (!report) return;
  const total = tables(report, last ? (event.now_ms - last.now_ms) / 1000 : 1);
  say("drops-total", short(total));
  const running = event.state === "running";
  say("tx-pps", running ? short(point?.tx_pps ?? 0) : "–");
  say("rx-pps", running ? short(point?.rx_pps ?? 0) : "–");
  say("tx-bps", running ? short(point?.tx_bps ?? 0) : "–");
  say("rx-bps", running ? short(point?.rx_bps ?? 0) : "–");
  say("drops", running ? short(point?.dropped_pps ?? 0) : "–");
  say("busy", running ? percent(Math.max(0, ...(point?.busy ?? []))) : "–");
  say("workers", report.workers.length === 1 ? "1 worker" : `${report.workers.length} workers`);
  $("drops").className = point?.dropped_pps > 0 ? "bad" : "";
  if (point) add(point);
  control(report);
  last = event;
}

function state(event) {
  const { report, state } = event;
  const running = state === "running";
  $("engine").dataset.state = running ? (event.ready ? "running" : "unready") : "down";
  const up = report && running ? `, process ${report.engine.pid}, up ${span(report.engine.uptime_s)}` : "";
  say("engine", `engine ${state}${running && !event.ready ? ", not ready" : ""}${up}`);
  $("banner").hidden = running;
  if (running) return;
  const since = event.down_since_ms ? `down since ${clock(event.down_since_ms)}: ` : "";
  say("banner", since + event.health.dead.join("; "));
}

function control({ control, conservation }) {
  say("control", control
    ? `${control.alive ? "" : `silent for ${span(control.silent_s)}; last word: `}lease ${control.lease}, ` +
      `generation ${control.generation}, ${control.peers} peers, ${control.unreachable} of them unreachable`
    : "tweed-control has left no status here");
  const { received, forwarded, dropped, holds } = conservation;
  const n = (count) => count.toLocaleString("en");
  say("conservation", `received ${n(received)} = forwarded ${n(forwarded)} + dropped ${n(dropped)}${holds ? "" : " does NOT hold"}`);
  $("conservation").className = holds ? "" : "bad";
}

function lost() {
  $("engine").dataset.state = "down";
  say("engine", "no connection to tweed-perf serve");
  $("banner").hidden = false;
  say("banner", "tweed-perf serve does not answer; what is shown is from before. Trying again each second.");
}

async function live() {
  $("login").hidden = true;
  try {
    await follow({ event: show, lost, began: async () => restore(await (await ask("api/history")).json()) });
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    $("login").hidden = false;
    say("engine", "waiting for the token");
  }
}

$("login").addEventListener("submit", (event) => {
  event.preventDefault();
  setToken($("token").value);
  say("refused", "");
  live().then(() => say("refused", "that is not it"));
});
theme($("theme"), redraw);
live();
