// Values as people read them, written as by `holoflow.core.text`; what was not measured is a dash.

const NONE = "–";
const known = (value) => value != null && Number.isFinite(value);

// Three digits, or all before the point; no zeros at the end.
export const brief = (value, digits = 3) => {
  if (!known(value)) return NONE;
  const whole = Math.abs(value) >= 10 ** (digits - 1);
  return whole ? Math.round(value).toLocaleString("en") : String(Number(value.toPrecision(digits)));
};

const TIMES = [[1, " s"], [1e-3, " ms"], [1e-6, " µs"], [1e-9, " ns"]];
const BYTES = [[1e9, " GB"], [1e6, " MB"], [1e3, " kB"], [1, " B"]];

const scaled = (value, units, digits) => {
  if (!known(value)) return NONE;
  const [factor, unit] = units.find(([from]) => Math.abs(value) >= 0.9995 * from) ?? units.at(-1);
  return brief(value / factor, digits) + unit;
};

// Seconds: `31 ms`, `1.25 s`, `3 min 20 s`, `2 h 5 min`.
export const time = (value, digits = 3) => {
  if (value === 0) return "0 s";
  if (!known(value) || value < 59.95) return scaled(value, TIMES, digits);
  const seconds = Math.round(value);
  const minutes = Math.floor(seconds / 60);
  return minutes < 60 ? `${minutes} min ${seconds % 60} s` : `${brief(Math.floor(minutes / 60))} h ${minutes % 60} min`;
};
export const rate = (value) => (known(value) ? `${brief(value)} /s` : NONE);
export const bytes = (value) => scaled(value, BYTES, 3);
export const percent = (share) => (known(share) ? `${brief(share * 100, 2)}%` : NONE);
export const count = (value) => (known(value) ? value.toLocaleString("en") : NONE);

export const CAUSES = {
  full: "no room in the queue",
  late: "too late",
  replaced: "replaced by a newer one",
  error: "the operator failed on it",
  end: "the stream it waited for had ended",
  stopped: "the run was stopped",
  device: "lost by the device",
  several: "for several causes",
};

// Fill a list, table or the like with children made from `items`.
export function fill(parent, items, make) {
  parent.replaceChildren(...items.map(make));
}

// Make an element of HTML; what it says is text, whatever it holds.
export function tag(name, className, ...inside) {
  const made = document.createElement(name);
  if (className) made.className = className;
  made.append(...inside);
  return made;
}

// Change text only where it differs: the page is laid out anew for nothing otherwise.
export function say(node, text) {
  if (node.textContent !== text) node.textContent = text;
}
