// The newest picture, what is drawn over it, and what the page says of both.

import { element, switches } from "./elements.js";
import { showEnd } from "./end.js";
import { Line } from "./line.js";
import { drawBoxes, drawMask, drawPoints, drawText, maskCanvas, paint } from "./marks.js";
import { Rhythm, describe } from "./state.js";
import { count, say, time } from "./words.js";

const TELL = 250; // ms between looks at what the page says
const clock = () => performance.now() / 1000;

export const page = {
  shown: null, // what the newest frame says of itself: the JSON, and its mask as a canvas
  asked: false, // a frame has been asked for and has not come
  paused: false,
  rhythm: new Rhythm(),
  latency: null,
  captured: null, // when the picture that is shown was taken; null if its timestamp does not say
  quiet: 0, // since when the next picture is waited for
  lost: 0, // since when the app does not answer
  end: null, // how the run ended
  why: "", // why nothing moves, as the app says
  placedFor: "", // the room that the canvases were placed for
};

const line = new Line("live", hear, () => {
  page.asked = false;
  if (!line.open) page.lost = clock();
  tell();
});

// ---- what the app sends: a frame for each message to it ----------------------------------------

function hear(message) {
  if (message instanceof ArrayBuffer) return receive(message);
  const { kind } = message;
  if (kind === "hello") greet(message);
  else if (kind === "why") page.why = message.why;
  else if (kind === "end") end(message);
  return tell();
}

function greet({ title, palette }) {
  paint(palette);
  document.title = title;
  say(element.title, title);
  end(null);
  page.why = "";
  restart();
}

function end(how) {
  page.end = how;
  element.note.hidden = how !== null || page.shown !== null;
  showEnd(how);
}

// Wait for a picture as if for the first one.
function restart() {
  page.rhythm = new Rhythm();
  page.quiet = clock();
  ask("");
  tell();
}

function ask(arrived) {
  if (page.paused || document.hidden || page.asked || !line.open) return;
  page.asked = true;
  line.send(arrived);
}

async function receive(buffer) {
  const from = line.socket;
  const view = new DataView(buffer);
  const [delay, held] = [view.getFloat32(0, true), view.getFloat32(4, true)];
  const start = 12 + view.getUint32(8, true);
  const frame = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 12, start - 12)));
  const jpeg = new Blob([new Uint8Array(buffer, start, frame.jpeg)], { type: "image/jpeg" });
  const [picture, mask] = await Promise.all([
    createImageBitmap(jpeg),
    frame.mask?.width ? maskCanvas(frame.mask, new Uint8Array(buffer, start + frame.jpeg)) : null,
  ]);
  if (from !== line.socket) return; // of a connection that is gone
  page.asked = false;
  if (!page.paused) {
    frame.maskCanvas = mask;
    page.shown = frame;
    drawPicture(picture);
    drawOverlay();
    note(frame, delay, held);
  }
  picture.close();
  ask(String(frame.arrived));
}

function note({ frame, age }, delay, held) {
  const now = clock();
  page.rhythm.add(now, frame);
  page.quiet = now - held; // it may be the last of a stream that stands
  // From its arrival at the server until it is shown: as long as the frame before took, as this
  // one is not acknowledged yet, or as long as it has waited there.
  page.latency = age === null ? null : age + Math.max(held, delay || 0);
  page.captured = age === null ? null : now - page.latency;
  say(element.frame, count(frame));
  if (element.state.dataset.state !== "live") tell();
}

// ---- drawing ---------------------------------------------------------------------------------

function drawPicture(bitmap) {
  const canvas = element.picture;
  if (canvas.width !== bitmap.width || canvas.height !== bitmap.height) {
    canvas.width = bitmap.width;
    canvas.height = bitmap.height;
    say(element.size, `${bitmap.width} × ${bitmap.height}`);
    page.placedFor = "";
  }
  if (page.placedFor !== room()) place();
  canvas.getContext("2d").drawImage(bitmap, 0, 0);
  element.note.hidden = true;
}

// Another screen or zoom has other pixels, though the stage may stay as large as it was.
const room = () => [element.stage.clientWidth, element.stage.clientHeight, devicePixelRatio].join();

// Fit both canvases into the stage; the overlay has the pixels of the screen, so it is sharp.
function place() {
  page.placedFor = room();
  const { picture, overlay, stage } = element;
  const scale = Math.min(stage.clientWidth / picture.width, stage.clientHeight / picture.height);
  const width = Math.round(picture.width * scale);
  const height = Math.round(picture.height * scale);
  for (const canvas of [picture, overlay]) {
    canvas.style.width = `${width}px`;
    canvas.style.height = `${height}px`;
    canvas.style.left = `${Math.round((stage.clientWidth - width) / 2)}px`;
    canvas.style.top = `${Math.round((stage.clientHeight - height) / 2)}px`;
  }
  overlay.width = Math.round(width * devicePixelRatio);
  overlay.height = Math.round(height * devicePixelRatio);
}

function drawOverlay() {
  const canvas = element.overlay;
  const context = canvas.getContext("2d");
  context.clearRect(0, 0, canvas.width, canvas.height);
  const { shown } = page;
  if (!shown) return;
  for (const name of ["boxes", "mask", "points", "text"]) {
    switches[name].parentElement.hidden = !(name in shown);
  }
  switches.labels.parentElement.hidden = !shown.boxes;
  const pen = { context, scale: canvas.width / element.picture.width, unit: devicePixelRatio };
  if (shown.maskCanvas && switches.mask.checked) drawMask(pen, shown.mask, shown.maskCanvas);
  if (shown.boxes && switches.boxes.checked) drawBoxes(pen, shown.boxes, switches.labels.checked);
  if (shown.points && switches.points.checked) drawPoints(pen, shown.points, shown.edges);
  if (shown.text && switches.text.checked) drawText(pen, shown.text);
}

// ---- words and numbers: a picture grows older whether or not another comes --------------------

function tell() {
  const now = clock();
  const { state, words, past } = describe({
    end: page.end, open: line.open, lost: now - page.lost, paused: page.paused, hidden: document.hidden,
    any: page.shown !== null, quiet: now - page.quiet, patience: page.rhythm.patience,
  });
  element.state.dataset.state = state;
  say(element.state, words);
  element.stage.classList.toggle("past", past);
  element.picture.hidden = page.shown === null && page.end !== null; // pictures are not kept
  const live = state === "live";
  say(element.rate, live ? page.rhythm.words() : "–");
  say(element.latency, live ? time(page.latency) : "–");
  say(element.age, page.captured === null || page.end ? "–" : `${time(now - page.captured)} behind`);
  say(element.why, live || state === "silent" || state === "waiting" ? page.why : "");
  element.why.hidden = !element.why.textContent;
}
setInterval(tell, TELL);

// ---- controls --------------------------------------------------------------------------------

function pause(yes) {
  page.paused = yes;
  element.pause.setAttribute("aria-pressed", yes);
  say(element.pause, yes ? "Resume" : "Pause");
  restart();
}

element.pause.onclick = () => pause(!page.paused);
document.addEventListener("keydown", (event) => {
  if (event.key !== " " || event.target instanceof HTMLButtonElement || event.target instanceof HTMLInputElement) return;
  event.preventDefault();
  pause(!page.paused);
});
document.addEventListener("visibilitychange", () => document.hidden || restart()); // hidden, it asks for nothing
for (const input of Object.values(switches)) input.onchange = drawOverlay;
for (const link of [element.snapshot, element.stream]) link.search = location.search;
new ResizeObserver(() => {
  place();
  drawOverlay();
}).observe(element.stage);
line.connect();
