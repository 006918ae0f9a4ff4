// The card that says how the run ended.

import { element } from "./elements.js";
import { bytes, fill, say, tag } from "./words.js";

// `how`: `outcome`, `failure` (words, or empty), the folder `output` and the `files` written there; null hides it.
export function showEnd(how) {
  element.end.hidden = how === null;
  document.body.dataset.outcome = how?.outcome ?? "";
  if (how === null) return;
  const { outcome, failure, output, files } = how;
  say(element.outcome, outcome);
  say(element.failure, failure);
  element.failure.hidden = !failure;
  say(element.output, `report and files in ${output}`);
  fill(element.files, files, ({ name, size }) => tag("li", "", tag("b", "", name), size === null ? "" : ` ${bytes(size)}`));
}
