// Numbers as people read them; null is a dash.

const scaled = (value, units, digits = 3) => {
  const [factor, unit] = units.find(([from]) => Math.abs(value) >= from) ?? units.at(-1);
  const number = value / factor;
  return (Math.abs(number) >= 100 ? number.toFixed(0) : Number(number.toPrecision(digits))) + unit;
};

const TIMES = [[1, " s"], [1e-3, " ms"], [1e-6, " µs"], [1e-9, " ns"]];
const RATES = [[1e6, "M /s"], [1e3, "k /s"], [1, " /s"]];
const BYTES = [[1e9, " GB"], [1e6, " MB"], [1e3, " kB"]];

export const time = (value, digits = 2) => (value == null ? "–" : value === 0 ? "0 ms" : scaled(value, TIMES, digits));
export const rate = (value) => (value == null ? "–" : scaled(value, RATES));
export const bytes = (value) => scaled(value, BYTES, 2);
export const percent = (share) => (share == null ? "–" : `${Math.round(share * 100)}%`);
export const count = (value) => (value == null ? "–" : value.toLocaleString("en"));

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
