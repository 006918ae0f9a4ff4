// Curves over the run: latency as a heat map, drops as bars. Both share one axis of time.

import { CAUSES, rate, time } from "./words.js";

const MOST = 600; // columns kept; the older ones become coarser
const RECENT = 120; // seconds
const SLOW = 10; // seconds over which the p99 is taken
const LEFT = 48; // pixels for the axis
const BELOW = 18;

export const COLOURS = {
  full: "#d55e00", late: "#e69f00", replaced: "#56b4e9", error: "#cc79a7",
  end: "#009e73", stopped: "#8a8f98", device: "#0072b2", several: "#8a8f98",
};

// A column: seconds `t` at which it ends and its `span`; `cells` of each path: [row, count], from
// below; `drops` by cause.
function joined(a, b) {
  const cells = a.cells.map((own, path) => {
    const sum = new Map(own);
    for (const [row, n] of b.cells[path]) sum.set(row, (sum.get(row) ?? 0) + n);
    return [...sum].sort(([x], [y]) => x - y);
  });
  const drops = { ...a.drops };
  for (const [cause, n] of Object.entries(b.drops)) drops[cause] = (drops[cause] ?? 0) + n;
  return { t: b.t, span: b.t - a.t + a.span, cells, drops };
}

function quantile(cells, share) {
  const total = cells.reduce((sum, [, n]) => sum + n, 0);
  let left = Math.max(1, Math.ceil(share * total));
  for (const [row, n] of cells) if ((left -= n) <= 0) return row;
  return null;
}

export class Curves {
  constructor(heat, drops) {
    this.heat = heat;
    this.drops = drops;
    this.whole = false; // whether all of the run is shown, or its last minutes
    this.columns = [];
    this.path = 0;
    this.limits = [];
    this.scale = { rows: 1, floor: 1 };
    new ResizeObserver(() => this.draw()).observe(heat);
  }

  begin(scale, columns) {
    this.scale = scale;
    this.columns = [];
    for (const column of columns) this.add(column);
  }

  add(column) {
    const last = this.columns.at(-1)?.t ?? 0;
    if (column.t <= last) return;
    this.columns.push({ ...column, span: Math.min(column.span, column.t - last) });
    if (this.columns.length <= MOST) return;
    const old = this.columns.splice(0, MOST / 2);
    this.columns.unshift(...old.flatMap((one, i) => (i % 2 ? [joined(old[i - 1], one)] : [])));
  }

  draw() {
    if (!this.columns.length) return;
    const end = this.columns.at(-1).t;
    const begin = this.whole ? this.columns[0].t - this.columns[0].span : Math.max(0, end - RECENT);
    const shown = this.columns.filter(({ t }) => t > begin);
    this.drawHeat(shown, begin, end);
    this.drawDrops(shown, begin, end);
  }

  // Return what is needed to draw on `canvas`, or null while it is not to be seen.
  pen(canvas, begin, end) {
    const { clientWidth: width, clientHeight: height } = canvas;
    if (!width || !height) return null;
    const size = [width, height].map((side) => Math.round(side * devicePixelRatio));
    if (canvas.width !== size[0] || canvas.height !== size[1]) [canvas.width, canvas.height] = size;
    const context = canvas.getContext("2d");
    context.setTransform(devicePixelRatio, 0, 0, devicePixelRatio, 0, 0);
    context.clearRect(0, 0, width, height);
    context.font = "11px system-ui, sans-serif";
    context.textBaseline = "middle";
    const style = getComputedStyle(canvas);
    const ink = (name) => style.getPropertyValue(`--${name}`).trim();
    const room = Math.max(end - begin, 1);
    const x = (t) => LEFT + ((Math.max(t, begin) - begin) / room) * (width - LEFT);
    return { context, ink, x, width, bottom: height - BELOW };
  }

  axisOfTime({ context, ink, x, width, bottom }, begin, end) {
    context.fillStyle = ink("faint");
    const step = [1, 2, 5, 10, 30, 60, 300, 600, 1800, 3600, 14400, 86400].find((s) => (end - begin) / s <= width / 90) ?? 604800;
    for (let back = step; end - back >= begin; back += step) {
      const text = back >= 7200 ? `−${back / 3600} h` : back >= 120 ? `−${back / 60} min` : `−${back} s`;
      const at = x(end - back);
      if (at < LEFT + 16) continue;
      context.textAlign = "center";
      context.fillText(text, at, bottom + BELOW / 2 + 2);
    }
    context.textAlign = "right";
    context.fillText("now", width, bottom + BELOW / 2 + 2);
  }

  drawHeat(shown, begin, end) {
    const pen = this.pen(this.heat, begin, end);
    if (!pen) return;
    const { context, ink, x, width, bottom } = pen;
    const { rows, floor } = this.scale;
    const row = (seconds) => rows * Math.log2(seconds / floor);
    const cells = shown.map((column) => column.cells[this.path] ?? []);
    const used = cells.flatMap((column) => (column.length ? [column[0][0], column.at(-1)[0] + 1] : []));
    if (!used.length) return this.axisOfTime(pen, begin, end);
    used.push(...this.limits.map((limit) => row(limit.seconds)));
    // Whole doublings, so that the axis seldom moves; at least three.
    let low = Math.floor(used.reduce((a, b) => Math.min(a, b)) / rows - 0.25) * rows;
    let high = Math.ceil(used.reduce((a, b) => Math.max(a, b)) / rows + 0.25) * rows;
    if (high - low < 3 * rows) low = high - 3 * rows;
    const y = (at) => bottom - ((at - low) / (high - low)) * (bottom - 4);

    context.textAlign = "right";
    let free = Infinity;
    for (let decade = -9; decade < 6; decade++) {
      for (const digit of [1, 2, 5]) {
        const seconds = digit * 10 ** decade;
        const at = y(row(seconds));
        if (at > bottom || at < 4 || free - at < 16) continue;
        free = at;
        context.fillStyle = ink("line");
        context.fillRect(LEFT, Math.round(at), width - LEFT, 1);
        context.fillStyle = ink("faint");
        context.fillText(time(seconds), LEFT - 6, at);
      }
    }

    context.fillStyle = ink("accent");
    shown.forEach((column, i) => {
      const most = cells[i].reduce((a, [, n]) => Math.max(a, n), 1);
      const left = x(column.t - column.span);
      const broad = Math.max(x(column.t) - left, 1);
      for (const [at, n] of cells[i]) {
        context.globalAlpha = 0.15 + 0.7 * Math.sqrt(n / most);
        context.fillRect(left, y(at + 1), broad + 0.3, Math.max(y(at) - y(at + 1), 2));
      }
    });
    context.globalAlpha = 1;

    const lines = [
      { at: this.slow(shown), name: "warn", dash: [4, 3] },
      { at: cells.map((column) => quantile(column, 0.5)), name: "ink", dash: [] },
    ];
    for (const { at, name, dash } of lines) {
      context.strokeStyle = ink(name);
      context.lineWidth = 1.5;
      context.setLineDash(dash);
      context.beginPath();
      let joining = false;
      shown.forEach((column, i) => {
        if (at[i] !== null) context[joining ? "lineTo" : "moveTo"](x(column.t - column.span / 2), y(at[i] + 0.5));
        joining = at[i] !== null;
      });
      context.stroke();
    }
    context.setLineDash([]);
    for (const { name, seconds } of this.limits) {
      const at = y(row(seconds));
      context.fillStyle = ink("bad");
      context.fillRect(LEFT, at - 0.75, width - LEFT, 1.5);
      context.textAlign = "left";
      context.strokeStyle = ink("panel");
      context.lineWidth = 4;
      const words = [`${name} ≤ ${time(seconds)}`, LEFT + 6, at > 20 ? at - 9 : at + 10];
      context.strokeText(...words);
      context.fillText(...words);
    }
    this.axisOfTime(pen, begin, end);
  }

  // Return the row of the p99 at each column: of the seconds up to it, as one column holds few.
  slow(shown) {
    const sum = new Map();
    let first = 0;
    return shown.map((column) => {
      for (const [row, n] of column.cells[this.path] ?? []) sum.set(row, (sum.get(row) ?? 0) + n);
      for (; shown[first].t < column.t - SLOW; first++) {
        for (const [row, n] of shown[first].cells[this.path] ?? []) sum.set(row, sum.get(row) - n);
      }
      return quantile([...sum].sort(([a], [b]) => a - b), 0.99);
    });
  }

  drawDrops(shown, begin, end) {
    const pen = this.pen(this.drops, begin, end);
    if (!pen) return;
    const { context, ink, x, width, bottom } = pen;
    const speeds = shown.map(({ drops, span }) => Object.values(drops).reduce((a, b) => a + b, 0) / span);
    const most = speeds.reduce((a, b) => Math.max(a, b), 0);
    const top = most ? 10 ** Math.ceil(Math.log10(most)) : 1;
    const limit = [0.2, 0.5, 1].map((part) => part * top).find((part) => part >= most);
    context.fillStyle = ink("line");
    context.fillRect(LEFT, bottom, width - LEFT, 1);
    context.fillRect(LEFT, 6, width - LEFT, 1);
    context.fillStyle = ink("faint");
    context.textAlign = "right";
    context.fillText(rate(limit), LEFT - 6, 8);
    context.fillText("0", LEFT - 6, bottom - 3);
    for (const { t, span, drops } of shown) {
      let y = bottom;
      const left = x(t - span);
      for (const cause of Object.keys(CAUSES)) {
        const high = ((drops[cause] ?? 0) / span / limit) * (bottom - 6);
        context.fillStyle = COLOURS[cause];
        context.fillRect(left, y - high, Math.max(x(t) - left, 1), high);
        y -= high;
      }
    }
    this.axisOfTime(pen, begin, end);
  }
}
