// The dashboard beside the video: where frames spend their time.

import { COLOURS, Curves } from "./curves.js";
import { element } from "./elements.js";
import { Graph } from "./graph.js";
import { Line } from "./line.js";
import { CAUSES, brief, bytes, count, fill, percent, say, tag, time } from "./words.js";

const wide = matchMedia("(min-width: 1100px)");
const graph = new Graph(element.board, element.graph, element.details);
const curves = new Curves(element.heat, element.drops);

let about = null; // what stays: the newest hello
let now = null;
let chosen = 0; // number of the path that is looked at
let named = ""; // its name, if somebody has chosen it

// ---- connection: one message asks for one update, as with frames ------------------------------

const shown = () => location.hash === "#flow" || (wide.matches && location.hash !== "#video");

const line = new Line("flow", receive, () => {
  if (line.open) line.send("");
  else element.board.classList.add("stale");
});

function receive(message) {
  element.board.classList.remove("stale");
  element.unknown.hidden = message.kind !== "nothing";
  element.board.hidden = message.kind === "nothing";
  if (message.kind === "hello") begin(message);
  else if (message.kind === "now") {
    const { t, span, drops, paths } = message;
    curves.add({ t, span, drops, cells: paths.map(({ cells }) => cells) });
    show(message);
  }
  line.send("");
}

// ---- what is built once -----------------------------------------------------------------------

function begin(hello) {
  about = hello;
  const known = about.paths.findIndex(({ name }) => name === named);
  if (known < 0) named = "";
  choose(Math.max(known, 0));
  graph.build(hello.graph);
  curves.begin(hello.scale, hello.history);
  for (const old of [...element.paths.tBodies]) old.remove();
  element.paths.append(...hello.paths.map(pathRows));
  say(element.unshown, hello.unshown ? `${count(hello.unshown)} more paths are not shown` : "");
  fill(element.budgets, hello.budgets, () => tag("li"));
  fill(element.workers, hello.workers, ({ name }) => {
    return tag("li", "", tag("span", "", name), tag("span", "track", tag("span", "level")), tag("span", "number"));
  });
  fill(element.machines, hello.fragments, () => tag("li"));
  show(hello.now);
}

function pathRows({ name }, number) {
  const button = tag("button", "path", name);
  button.type = "button";
  button.onclick = () => {
    named = name;
    choose(number);
    show(now);
  };
  const head = tag("th", "", button, " ", tag("span", "mark"));
  head.scope = "rowgroup";
  head.colSpan = 6;
  const numbers = Array.from({ length: 6 }, () => tag("td"));
  return tag("tbody", "", tag("tr", "", head), tag("tr", "", ...numbers));
}

function choose(number) {
  chosen = curves.path = number;
  curves.limits = about.paths[number]?.limits ?? [];
}

// ---- what changes -----------------------------------------------------------------------------

function show(message) {
  now = message;
  element.untracked.hidden = now.tracked;
  element.board.classList.toggle("counted", !now.tracked);
  if (!named && now.worst !== null) choose(now.worst);
  say(element.near, `over ${covered(now.near)}`);
  say(element.far, covered(now.far));
  graph.show(now, about.paths, named ? chosen : null);
  showVerdict();
  showPaths();
  showBudgets();
  showDrops();
  showMachine();
  curves.draw();
}

// What numbers cover: all there is at first, and once the run has ended.
const covered = (seconds) => (seconds === now.t ? "the whole run" : `the last ${time(Math.round(seconds))}`);

function showVerdict() {
  const { cause, where, evidence, advice } = now.verdict;
  const well = cause === "nothing";
  element.verdict.classList.toggle("well", well);
  say(element.cause, well ? "keeps up" : cause === "unknown" ? "not known yet" : `${cause}: ${where}`);
  say(element.evidence, evidence);
  if (element.advice.textContent !== advice.join("").replaceAll("`", "")) {
    fill(element.advice, advice, (text) => tag("li", "", ...text.split("`").map((part, i) => (i % 2 ? tag("code", "", part) : part))));
  }
}

function showPaths() {
  [...element.paths.tBodies].forEach((row, number) => {
    const { recent, run, critical } = now.paths[number];
    const worst = number === now.worst;
    row.classList.toggle("worst", worst);
    row.classList.toggle("over", worst && now.over);
    row.classList.toggle("idle", !critical);
    row.querySelector("button").setAttribute("aria-pressed", number === chosen);
    say(row.querySelector(".mark"), !worst ? "" : now.over ? "over budget" : now.paths.length > 1 ? "slowest" : "");
    [...recent, ...run].forEach((seconds, column) => say(row.rows[1].cells[column], time(seconds)));
  });
  const idle = now.paths.filter(({ critical }) => !critical).length;
  const brief = element.paths.classList.contains("brief");
  element.more.hidden = !idle;
  say(element.more, brief ? `and ${idle} where another always came later` : "less");
  const path = now.paths[chosen];
  element.heatPath.title = about.paths[chosen]?.name ?? "";
  say(element.heatPath, about.paths[chosen]?.name ?? "no frame has reached a sink yet");
  const words = path ? `p50 ${time(path.recent[0])}, p99 ${time(path.recent[1])} over ${covered(now.far)}` : "";
  element.heat.setAttribute("aria-label", `latency over time; ${words}`);
}

function showBudgets() {
  about.budgets.forEach(({ name, limits }, number) => {
    const { now: values, lacks, judged, missed, over } = now.budgets[number];
    const words = Object.entries(limits).map(([which, limit]) => `${which} ${lacks[which] ?? time(values[which])}, limit ${time(limit)}`);
    const item = element.budgets.children[number];
    item.className = over ? "over" : judged ? "kept" : "";
    const past = !judged ? "not judged yet" : missed ? `missed ${count(missed)} of ${count(judged)} times` : "never missed";
    say(item, `budget ${name}: ${words.join(", ")}; ${past}`);
  });
}

function showDrops() {
  const totals = {};
  for (const { dropped } of now.flows) {
    for (const [cause, n] of Object.entries(dropped)) totals[cause] = (totals[cause] ?? 0) + n;
  }
  for (const { lost } of now.operators) if (lost) totals.device = (totals.device ?? 0) + lost;
  const causes = Object.keys(totals);
  element.lost.classList.toggle("none", !causes.length);
  if (element.causes.dataset.causes !== causes.join()) {
    element.causes.dataset.causes = causes.join();
    fill(element.causes, causes, (cause) => {
      const swatch = tag("span", "swatch");
      swatch.style.background = COLOURS[cause] ?? COLOURS.several;
      return tag("li", "", swatch, tag("b"), ` ${CAUSES[cause] ?? cause}`);
    });
  }
  causes.forEach((cause, number) => say(element.causes.children[number].querySelector("b"), count(totals[cause])));
}

function showMachine() {
  now.workers.forEach((busy, number) => {
    const [, track, text] = element.workers.children[number].children;
    track.firstChild.style.width = percent(Math.min(busy, 1));
    say(text, percent(busy));
  });
  about.fragments.forEach(({ name, host, scheduler, cores }, number) => {
    const { cpu, memory, gil, crowded } = now.fragments[number];
    const words = [`CPU ${brief(cpu, 2)} of ${cores} cores`, `memory ${bytes(memory)}`];
    if (gil != null) words.push(`interpreter lock contended ${percent(gil)}`);
    if (crowded != null) words.push(`threads that are ready wait ${percent(crowded)} of that time for a core`);
    say(element.machines.children[number], `${name} on ${host} (${scheduler}): ${words.join(", ")}`);
  });
}

// ---- controls ---------------------------------------------------------------------------------

// It costs the app nothing while nobody sees it.
function follow() {
  if (shown() && !document.hidden) line.connect();
  else line.disconnect();
}

function toggle() {
  const yes = shown();
  document.body.classList.toggle("flowing", yes);
  element.flow.hidden = !yes;
  element.toggle.setAttribute("aria-pressed", yes);
  follow();
}

element.toggle.onclick = () => {
  history.replaceState(null, "", shown() ? "#video" : "#flow");
  toggle();
};
element.more.onclick = () => {
  element.paths.classList.toggle("brief");
  showPaths();
};
element.range.onclick = () => {
  curves.whole = !curves.whole;
  element.range.textContent = curves.whole ? "whole run" : "last 2 minutes";
  curves.draw();
};
document.addEventListener("visibilitychange", follow);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => curves.draw());
addEventListener("hashchange", toggle);
wide.addEventListener("change", toggle);
toggle();
