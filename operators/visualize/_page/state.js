// What the page says of its stream; times in seconds.

import { brief, time } from "./words.js";

const WINDOW = 2; // over which rates are taken
const FEWEST = 4; // pictures that are kept for it, however long ago they came
const QUIET = 1; // without a picture after which that is said, unless pictures usually come so seldom
const UNUSUAL = 3; // usual intervals after which it is

// The pictures shown last: when, and which number their source gave them.
export class Rhythm {
  constructor() {
    this.shown = [];
  }

  add(now, frame) {
    if (this.shown.length && frame <= this.shown.at(-1).frame) this.shown = []; // another run
    this.shown.push({ now, frame });
    while (this.shown.length > FEWEST && now - this.shown[0].now > WINDOW) this.shown.shift();
  }

  get usual() {
    const gaps = this.shown.slice(1).map(({ now }, i) => now - this.shown[i].now).sort((a, b) => a - b);
    return gaps[gaps.length >> 1] ?? 0;
  }

  get patience() {
    return Math.max(QUIET, UNUSUAL * this.usual);
  }

  // "2.4 of 10 a second": pictures shown, of those that their source gave.
  words() {
    const [first, last] = [this.shown[0], this.shown.at(-1)];
    const span = last ? last.now - first.now : 0;
    if (!span) return brief(null);
    const [shown, given] = [this.shown.length - 1, last.frame - first.frame].map((n) => brief(n / span, 2));
    return shown === given ? `${shown} a second` : `${shown} of ${given} a second`;
  }
}

// Return the state, its words, and whether the picture is one of the past.
//   end: how the run ended, or null; open: whether the app answers; lost: since it does not
//   any: whether a picture was shown; quiet: since the last one; patience: for how long that is usual
export function describe({ end, open, lost, paused, hidden, any, quiet, patience }) {
  if (end) return { state: end.outcome, words: end.outcome, past: true };
  if (!open && !any) return { state: "waiting", words: "connecting", past: false };
  if (!open) return { state: "lost", words: `no answer for ${time(Math.floor(lost))}, trying again`, past: true };
  if (paused) return { state: "paused", words: "paused", past: false };
  if (!any) return { state: "waiting", words: "waiting for frames", past: false };
  if (!hidden && quiet > patience) return { state: "silent", words: `no picture for ${time(Math.floor(quiet))}`, past: true };
  return { state: "live", words: "live", past: false };
}
