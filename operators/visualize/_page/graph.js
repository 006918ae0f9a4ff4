// The graph: drawn by the server, coloured and filled with numbers here.

import { CAUSES, count, percent, rate, say, tag, time } from "./words.js";

const BUSY = 0.7; // share of the time from which an operator is warm, and hot
const FULL = 0.9;
const SMALLEST = 0.75; // scale at which the text can still be read well
const LARGEST = 1.1;
const BESIDE = 430; // pixels for what stands beside a tall picture
const REASONS = { partner: "for partners", turn: "behind earlier frames", room: "for room behind it", worker: "for a worker" };

// Read a drawing; its text is escaped, and what is parsed this way runs no scripts.
function read(drawing) {
  const svg = document.importNode(new DOMParser().parseFromString(drawing, "text/html").querySelector("svg"), true);
  svg.setAttribute("role", "group");
  return svg;
}

// Counts as facts, each under the heading with which the app declares it; none that is 0.
const counted = (counts) => Object.entries(counts).filter(([, n]) => n).map(([what, n]) => [what, count(n)]);

export class Graph {
  constructor(board, holder, details) {
    this.board = board;
    this.holder = holder;
    this.details = details;
    this.open = null; // what the details are about: ["operator" or "flow", number]
    new ResizeObserver(() => this.fit()).observe(board);
    document.addEventListener("keydown", (event) => event.key === "Escape" && this.tell(null));
  }

  build(graph) {
    this.graph = graph;
    this.widths = [graph.wide, graph.tall].map((drawing) => read(drawing).viewBox.baseVal.width);
    this.svg = null;
    this.shape = null;
    this.now = null;
    this.tell(null);
    this.fit();
  }

  // Take the picture that can be read in the room there is, and show it as large as it fits.
  fit() {
    if (!this.graph || !this.board.clientWidth) return;
    const style = getComputedStyle(this.board);
    const room = this.board.clientWidth - parseFloat(style.paddingLeft) - parseFloat(style.paddingRight);
    const [long, narrow] = this.widths;
    const shape = room / long >= SMALLEST || long <= narrow ? "wide" : "tall";
    if (shape !== this.shape) this.put(shape);
    // A tall one has the rest beside it, where there is room for both.
    const beside = shape === "tall" && room - BESIDE >= narrow * SMALLEST;
    this.board.classList.toggle("beside", beside);
    const size = shape === "wide" ? long : narrow;
    const scale = (room - (beside ? BESIDE : 0)) / size;
    const width = `${size * Math.min(LARGEST, Math.max(SMALLEST, scale))}px`;
    this.svg.style.width = width;
    this.svg.style.height = "auto";
    this.board.style.setProperty("--graph", width);
  }

  put(shape) {
    this.shape = shape;
    this.svg = read(this.graph[shape]);
    this.holder.replaceChildren(this.svg);
    const all = (kind) => [...this.svg.querySelectorAll(kind)];
    const [operators, flows, labels] = ["g.operator", "g.flow", "text.label"].map(all);
    this.operators = operators.map((group, number) => {
      group.setAttribute("tabindex", 0);
      group.setAttribute("role", "img");
      this.listen(group, "operator", number);
      const [busy, speed, took, level, track] = ["busy", "rate", "took", "level", "track"].map((kind) => group.querySelector(`.${kind}`));
      return { group, busy, speed, took, level, room: track.width.baseVal.value };
    });
    this.flows = flows.map((group, number) => {
      const reach = group.querySelector(".way").cloneNode();
      reach.setAttribute("class", "reach"); // a thin line is hard to point at
      group.append(reach);
      this.listen(group, "flow", number);
      return { group, label: labels[number], parts: ["depth", "wait", "drops"].map((kind) => labels[number].querySelector(`.${kind}`)) };
    });
    if (this.now) this.show(...this.now);
  }

  listen(group, kind, number) {
    group.addEventListener("pointerenter", () => this.tell([kind, number]));
    group.addEventListener("pointerleave", (event) => event.pointerType === "mouse" && this.tell(null));
    group.addEventListener("click", () => this.tell([kind, number]));
    group.addEventListener("focus", () => this.tell([kind, number]));
    group.addEventListener("blur", () => this.tell(null));
  }

  // Show the numbers of `now`, with the worst of `paths` and the chosen one in colour.
  show(now, paths, chosen) {
    this.now = [now, paths, chosen];
    if (!this.svg) return;
    this.operators.forEach(({ group, busy, speed, took, level, room }, number) => {
      const operator = now.operators[number];
      say(busy, percent(operator.busy));
      say(speed, rate(operator.rate));
      say(took, time(operator.p50, 2));
      level.setAttribute("width", room * Math.min(operator.busy, 1));
      group.classList.toggle("warm", operator.busy >= BUSY);
      group.classList.toggle("hot", operator.busy >= FULL);
      const words = `${this.graph.operators[number].name}: ${rate(operator.rate)}, busy ${percent(operator.busy)}, ${time(operator.p50)} a frame`;
      group.setAttribute("aria-label", words);
    });
    this.flows.forEach(({ label, parts: [depth, wait, drops] }, number) => {
      const flow = now.flows[number];
      const { queue, fused } = this.graph.flows[number];
      const lost = Object.values(flow.dropped).reduce((sum, n) => sum + n, 0);
      say(depth, fused || !queue ? "" : `${flow.depth}/${queue}`);
      say(wait, fused || flow.p50 == null ? "" : ` ${time(flow.p50, 2)}`);
      say(drops, lost ? ` −${count(lost)}` : "");
      label.classList.toggle("full", queue > 0 && flow.depth >= queue);
      label.classList.toggle("rising", flow.rising > 0);
    });
    this.mark("chosen", paths[chosen]);
    this.mark("worst", paths[now.worst]);
    this.mark("over", now.over ? paths[now.worst] : undefined);
    this.fillDetails();
  }

  mark(name, path) {
    this.operators.forEach(({ group }, number) => group.classList.toggle(name, !!path?.operators.includes(number)));
    this.flows.forEach(({ group }, number) => group.classList.toggle(name, !!path?.flows.includes(number)));
  }

  // ---- details: of what the pointer or the focus is on --------------------------------------

  tell(what) {
    this.open = what;
    this.details.hidden = !what || !this.now;
    if (this.details.hidden) return;
    this.fillDetails();
    const [kind, number] = what;
    const { group } = (kind === "operator" ? this.operators : this.flows)[number];
    const around = this.details.parentElement.getBoundingClientRect();
    const shape = (group.querySelector(".box, .head") ?? group).getBoundingClientRect();
    const left = Math.min(shape.left - around.left, around.width - this.details.offsetWidth);
    this.details.style.left = `${Math.max(0, left)}px`;
    const below = shape.bottom + 6;
    const above = shape.top - 6 - this.details.offsetHeight;
    this.details.style.top = `${(below + this.details.offsetHeight > innerHeight && above > 0 ? above : below) - around.top}px`;
  }

  fillDetails() {
    if (!this.open || !this.now) return;
    const [kind, number] = this.open;
    const facts = kind === "operator" ? this.operatorFacts(number) : this.flowFacts(number);
    const [name, ...rows] = facts;
    const list = tag("dl");
    for (const [key, value] of rows) list.append(tag("dt", "", key), tag("dd", "", value));
    this.details.replaceChildren(tag("strong", "", name), list);
    this.details.hidden = false;
  }

  operatorFacts(number) {
    const { name, type, batch } = this.graph.operators[number];
    const now = this.now[0].operators[number];
    const facts = [name, ["type", type], ["frames", `${count(now.frames)}, now ${rate(now.rate)}`]];
    facts.push(["working", `p50 ${time(now.p50)}, p99 ${time(now.p99)}`]);
    facts.push(["waiting before", `p50 ${time(now.wait50)}, p99 ${time(now.wait99)}`]);
    for (const [reason, seconds] of Object.entries(now.waiting)) facts.push([`— ${REASONS[reason]}`, `${time(seconds)} a frame`]);
    facts.push(["busy", percent(now.busy)]);
    if (now.held >= 0.005) facts.push(["held up", `${percent(now.held)}: a queue behind it is full`]);
    if (now.paced >= 0.005) facts.push(["keeps pace", `${percent(now.paced)} of the time`]);
    if (now.cpu != null) facts.push(["on a CPU", `${percent(now.cpu)} of its working time`]);
    if (batch > 1) facts.push(["batch", `up to ${batch} frames`]);
    facts.push(...counted(now.counts));
    if (now.lost) facts.push(["lost by the device", count(now.lost)]);
    return facts;
  }

  flowFacts(number) {
    const { name, queue, when_full, latest, link, fused } = this.graph.flows[number];
    const now = this.now[0].flows[number];
    const facts = [name, ...counted(now.counts), ["sends now", rate(now.rate)]];
    if (fused) return [...facts, ["queue", "none: a direct call in one stage"]];
    facts.push(["queue", latest ? "the newest value" : `${now.depth} of ${queue}, when full: ${when_full.replace("_", " ")}`]);
    facts.push(["waiting", `p50 ${time(now.p50)}, p99 ${time(now.p99)}`]);
    if (link !== "none") facts.push(["link", link]);
    for (const [cause, n] of Object.entries(now.dropped)) facts.push(["dropped", `${count(n)}: ${CAUSES[cause] ?? cause}`]);
    return facts;
  }
}
