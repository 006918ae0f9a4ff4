"use strict";

const element = Object.fromEntries([...document.querySelectorAll("[id]")].map((e) => [e.id, e]));
const switches = Object.fromEntries([...document.querySelectorAll("input")].map((e) => [e.name, e]));

const RETRY = 1000; // ms between attempts to find the app again
const WINDOW = 2000; // ms over which the rate is taken
const SILENT = 3000; // ms without a new picture that are worth a word

let socket = null;
let palette = [];
let shown = null; // what the newest frame says of itself: the JSON, and its mask as a canvas
let paused = false;
let asked = false; // a frame has been asked for and has not come
let drawn = []; // times of the last frames
let told = 0; // when the numbers were last refreshed
let since = { shown: 0, captured: NaN }; // when that was of the picture that is shown
let placedFor = ""; // the room that the canvases were placed for

// ---- connection: one message asks for one frame ----------------------------------------------

function connect() {
  const address = new URL("live" + location.search, location.href);
  address.protocol = address.protocol.replace("http", "ws");
  socket = new WebSocket(address);
  socket.binaryType = "arraybuffer";
  socket.onmessage = (event) => (typeof event.data === "string" ? greet(event.data) : receive(event.data));
  socket.onclose = (event) => {
    // 1000 and 1012 are said by a server that stops; anything else is a broken line.
    if (event.code === 1000 || event.code === 1012) tell("ended", "ended");
    else if (element.state.dataset.state !== "ended") tell("lost", "no connection, trying again");
    setTimeout(connect, RETRY);
  };
}

function greet(text) {
  const hello = JSON.parse(text);
  palette = hello.palette;
  document.title = element.title.textContent = hello.title;
  asked = false;
  drawn = [];
  tellState();
  ask("");
}

function ask(arrived) {
  if (paused || document.hidden || asked || socket.readyState !== WebSocket.OPEN) return;
  asked = true;
  socket.send(arrived);
}

async function receive(buffer) {
  const from = socket;
  const view = new DataView(buffer);
  const delay = view.getFloat32(0, true);
  const start = 8 + view.getUint32(4, true);
  const frame = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 8, start - 8)));
  const jpeg = new Blob([new Uint8Array(buffer, start, frame.jpeg)], { type: "image/jpeg" });
  const [picture, mask] = await Promise.all([
    createImageBitmap(jpeg),
    frame.mask?.width ? maskCanvas(frame.mask, new Uint8Array(buffer, start + frame.jpeg)) : null,
  ]);
  if (from !== socket) return; // of a connection that is gone
  asked = false;
  if (!paused) {
    frame.maskCanvas = mask;
    shown = frame;
    drawPicture(picture);
    drawOverlay();
    tellNumbers(delay);
  }
  picture.close();
  ask(String(frame.arrived));
}

async function maskCanvas({ width, height }, compressed) {
  const stream = new Blob([compressed]).stream().pipeThrough(new DecompressionStream("deflate"));
  const classes = new Uint8Array(await new Response(stream).arrayBuffer());
  const colours = new Uint32Array([0, ...palette.map(([r, g, b]) => (255 << 24) | (b << 16) | (g << 8) | r)]);
  const image = new ImageData(width, height);
  const pixels = new Uint32Array(image.data.buffer);
  for (let i = 0; i < classes.length; i++) pixels[i] = colours[classes[i]];
  const canvas = new OffscreenCanvas(width, height);
  canvas.getContext("2d").putImageData(image, 0, 0);
  return canvas;
}

// ---- drawing ---------------------------------------------------------------------------------

function drawPicture(bitmap) {
  const canvas = element.picture;
  if (canvas.width !== bitmap.width || canvas.height !== bitmap.height) {
    canvas.width = bitmap.width;
    canvas.height = bitmap.height;
    element.size.textContent = `${bitmap.width} × ${bitmap.height}`;
    placedFor = "";
  }
  if (placedFor !== room()) place();
  canvas.getContext("2d").drawImage(bitmap, 0, 0);
  element.note.hidden = true;
}

// Another screen or zoom has other pixels, though the stage may stay as large as it was.
const room = () => [element.stage.clientWidth, element.stage.clientHeight, devicePixelRatio].join();

// Fit both canvases into the stage; the overlay has the pixels of the screen, so it is sharp.
function place() {
  placedFor = room();
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
  if (!shown) return;
  for (const name of ["boxes", "mask", "points", "text"]) {
    switches[name].parentElement.hidden = !(name in shown);
  }
  switches.labels.parentElement.hidden = !shown.boxes;
  const scale = canvas.width / element.picture.width;
  const pen = { context, scale, unit: devicePixelRatio };
  if (shown.maskCanvas && switches.mask.checked) drawMask(pen, shown.mask, shown.maskCanvas);
  if (shown.boxes && switches.boxes.checked) drawBoxes(pen, shown.boxes);
  if (shown.points && switches.points.checked) drawPoints(pen, shown.points, shown.edges);
  if (shown.text && switches.text.checked) drawText(pen, shown.text);
}

const colour = (index) => `rgb(${palette[index % palette.length]})`;

function drawMask({ context, scale }, { left, top, width, height }, canvas) {
  context.imageSmoothingEnabled = false;
  context.globalAlpha = 0.4;
  context.drawImage(canvas, left * scale, top * scale, width * scale, height * scale);
  context.globalAlpha = 1;
}

function drawBoxes({ context, scale, unit }, boxes) {
  context.lineWidth = 2 * unit;
  for (const { xyxy, colour: index } of boxes) {
    const [x1, y1, x2, y2] = xyxy.map((value) => value * scale);
    context.strokeStyle = colour(index);
    context.strokeRect(x1, y1, x2 - x1, y2 - y1);
  }
  if (!switches.labels.checked) return;
  const size = 13 * unit;
  const height = size + 6 * unit;
  context.font = `600 ${size}px system-ui, sans-serif`;
  context.textBaseline = "middle";
  for (const { xyxy, colour: index, label } of boxes) {
    if (!label) continue;
    const [red, green, blue] = palette[index];
    const width = context.measureText(label).width + 10 * unit;
    const x = Math.max(0, Math.min(xyxy[0] * scale - unit, context.canvas.width - width));
    let y = xyxy[1] * scale - height;
    if (y < 0) y = Math.max(0, xyxy[1] * scale);
    context.fillStyle = colour(index);
    context.fillRect(x, y, width, height);
    context.fillStyle = 0.299 * red + 0.587 * green + 0.114 * blue < 110 ? "white" : "black";
    context.fillText(label, x + 5 * unit, y + height / 2 + unit / 2);
  }
}

function drawPoints({ context, scale, unit }, objects, edges) {
  context.lineWidth = 2 * unit;
  context.strokeStyle = "white";
  for (const points of objects) {
    context.beginPath();
    for (const [a, b] of edges) {
      if (!points[a] || !points[b]) continue;
      context.moveTo(points[a][0] * scale, points[a][1] * scale);
      context.lineTo(points[b][0] * scale, points[b][1] * scale);
    }
    context.stroke();
  }
  context.lineWidth = unit;
  context.strokeStyle = "black";
  for (const points of objects) {
    points.forEach((point, index) => {
      if (!point) return;
      context.fillStyle = colour(index);
      context.beginPath();
      context.arc(point[0] * scale, point[1] * scale, 4 * unit, 0, 2 * Math.PI);
      context.fill();
      context.stroke();
    });
  }
}

function drawText({ context, unit }, text) {
  const size = 14 * unit;
  const step = size * 1.4;
  const gap = 8 * unit;
  const lines = text.split("\n");
  context.font = `${size}px system-ui, sans-serif`;
  context.textBaseline = "middle";
  const width = Math.max(...lines.map((line) => context.measureText(line).width));
  context.fillStyle = "rgb(0 0 0 / 65%)";
  context.fillRect(0, 0, width + 2 * gap, lines.length * step + 2 * gap);
  context.fillStyle = "white";
  lines.forEach((line, row) => context.fillText(line, gap, gap + (row + 0.5) * step));
}

// ---- words and numbers -----------------------------------------------------------------------

function tell(state, words) {
  element.state.dataset.state = state;
  element.state.textContent = words;
}

function tellState() {
  if (socket.readyState !== WebSocket.OPEN) return;
  if (paused) tell("paused", "paused");
  else if (drawn.length && !document.hidden && ago(since.shown) > SILENT) tell("silent", `no new picture for ${span(ago(since.shown))}`);
  else if (drawn.length) tell("live", "live");
  else tell("waiting", "waiting for frames");
}

function tellNumbers(delay) {
  const now = performance.now();
  drawn = drawn.filter((time) => now - time < WINDOW);
  drawn.push(now);
  if (element.state.dataset.state !== "live") tellState();
  element.frame.textContent = shown.frame;
  // Up to its arrival at the server, and from there until a viewer has shown it: that of the
  // frame before, as this one's is not over yet.
  const latency = shown.age === null ? NaN : shown.age + delay;
  since = { shown: now, captured: now - (shown.age === null ? NaN : shown.age + (delay || 0)) };
  if (now - told < 400 && drawn.length > 2) return;
  told = now;
  const seconds = (now - drawn[0]) / 1000;
  element.rate.textContent = seconds ? `${((drawn.length - 1) / seconds).toFixed(1)} /s` : "–";
  element.latency.textContent = span(latency);
}

const ago = (time) => performance.now() - time;
const span = (ms) => (Number.isNaN(ms) ? "–" : ms < 9999.5 ? `${ms.toFixed(0)} ms` : `${(ms / 1000).toFixed(0)} s`);

// What is shown grows older, whether or not another picture comes.
function tellAge() {
  element.age.textContent = span(ago(since.captured));
  if (ago(since.shown) > WINDOW) element.rate.textContent = "–";
  tellState();
}
setInterval(tellAge, 500);

// ---- controls --------------------------------------------------------------------------------

function pause(yes) {
  paused = yes;
  element.pause.setAttribute("aria-pressed", yes);
  element.pause.textContent = yes ? "Resume" : "Pause";
  drawn = [];
  tellState();
  ask("");
}

element.pause.onclick = () => pause(!paused);
document.onkeydown = (event) => {
  if (event.key !== " " || event.target instanceof HTMLButtonElement || event.target instanceof HTMLInputElement) return;
  event.preventDefault();
  pause(!paused);
};
document.onvisibilitychange = () => ask(""); // a hidden page asks for nothing
for (const input of Object.values(switches)) input.onchange = drawOverlay;
for (const link of [element.snapshot, element.stream]) link.search = location.search;
new ResizeObserver(() => {
  place();
  drawOverlay();
}).observe(element.stage);
connect();
