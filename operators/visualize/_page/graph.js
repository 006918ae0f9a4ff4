// The graph: drawn once, then changed in place.

import { CAUSES, count, percent, rate, say, tag, time } from "./words.js";

const BUSY = 0.7; // share of the time from which an operator is warm, and hot
const FULL = 0.9;
const SMALLEST = 0.75; // scale at which the text can still be read well
const LARGEST = 1.1;
const BESIDE = 430; // pixels for what stands beside a tall picture
const REASONS = { partner: "for partners", turn: "behind earlier frames", room: "for room behind it", worker: "for a worker" };

function draw(parent, name, attributes, text) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  if (text !== undefined) made.textContent = text;
  parent.append(made);
  return made;
}

const cut = (text, length) => (text.length > length ? `${text.slice(0, length - 1)}…` : text);

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
    this.picture = null;
    this.now = null;
    this.tell(null);
    this.fit();
  }

  // Take the picture that can be read in the room there is, and show it as large as it fits.
  fit() {
    if (!this.graph || !this.board.clientWidth) return;
    const style = getComputedStyle(this.board);
    const room = this.board.clientWidth - parseFloat(style.paddingLeft) - parseFloat(style.paddingRight);
    const { wide, tall } = this.graph;
    const picture = room / wide.size[0] >= SMALLEST || wide.size[0] <= tall.size[0] ? wide : tall;
    if (picture !== this.picture) this.paint(picture);
    // A tall one has the rest beside it, where there is room for both.
    const beside = picture === tall && room - BESIDE >= tall.size[0] * SMALLEST;
    this.board.classList.toggle("beside", beside);
    const scale = (room - (beside ? BESIDE : 0)) / picture.size[0];
    const width = `${picture.size[0] * Math.min(LARGEST, Math.max(SMALLEST, scale))}px`;
    this.svg.style.width = width;
    this.board.style.setProperty("--graph", width);
  }

  paint(picture) {
    this.picture = picture;
    const { operators, flows } = this.graph;
    const [width, height] = picture.size;
    this.holder.replaceChildren();
    const svg = draw(this.holder, "svg", { viewBox: `0 0 ${width} ${height}`, role: "group" });
    this.svg = svg;
    for (const { name, frame } of picture.fragments) {
      this.frame(svg, "fragment", frame);
      draw(svg, "text", { class: "kind", x: frame[0] + 8, y: frame[1] - 5 }, name);
    }
    for (const frame of picture.stages) this.frame(svg, "stage", frame);
    this.flows = flows.map((flow, number) => this.flow(svg, flow, picture.ways[number], number));
    this.operators = operators.map((operator, number) => this.operator(svg, operator, picture, number));
    for (const { label } of this.flows) svg.append(label); // over all lines
    if (this.now) this.show(...this.now);
  }

  frame(parent, kind, [x, y, width, height]) {
    draw(parent, "rect", { class: kind, x, y, width, height, rx: 10 });
  }

  flow(svg, flow, way, number) {
    const group = draw(svg, "g", { class: "flow" });
    group.classList.toggle("fused", flow.fused);
    group.classList.toggle("lossy", flow.when_full !== "block" || flow.latest);
    draw(group, "path", { class: "way", d: way.d });
    const tall = this.picture === this.graph.tall;
    const [x, y] = way.end;
    const head = tall ? `M${x - 4} ${y - 7}L${x} ${y}L${x + 4} ${y - 7}Z` : `M${x - 7} ${y - 4}L${x} ${y}L${x - 7} ${y + 4}Z`;
    draw(group, "path", { class: "head", d: head });
    draw(group, "path", { class: "reach", d: way.d });
    const label = draw(svg, "text", { class: "label", x: way.label[0], y: way.label[1], "text-anchor": tall ? "start" : "end" });
    const parts = ["depth", "wait", "drops"].map((name) => draw(label, "tspan", { class: name }));
    this.listen(group, "flow", number);
    return { group, label, parts };
  }

  operator(svg, operator, picture, number) {
    const [x, y] = picture.boxes[number];
    const [width, height] = picture.box;
    const group = draw(svg, "g", { class: "operator", transform: `translate(${x} ${y})`, tabindex: 0, role: "img" });
    draw(group, "rect", { class: "box", width, height, rx: 7 });
    draw(group, "text", { class: "name", x: 10, y: 19 }, cut(operator.name, 16));
    const right = { x: width - 10, "text-anchor": "end" };
    const busy = draw(group, "text", { class: "busy", y: 19, ...right });
    const speed = draw(group, "text", { class: "number", x: 10, y: 37 });
    const took = draw(group, "text", { class: "number", y: 37, ...right });
    draw(group, "rect", { class: "track", x: 10, y: 44, width: width - 20, height: 5, rx: 2.5 });
    const level = draw(group, "rect", { class: "level", x: 10, y: 44, width: 0, height: 5, rx: 2.5 });
    this.listen(group, "operator", number);
    return { group, busy, speed, took, level, room: width - 20 };
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
    if (!this.picture) return;
    this.operators.forEach(({ group, busy, speed, took, level, room }, number) => {
      const operator = now.operators[number];
      say(busy, percent(operator.busy));
      say(speed, rate(operator.rate));
      say(took, time(operator.p50));
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
      say(wait, fused || flow.p50 == null ? "" : ` ${time(flow.p50)}`);
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
