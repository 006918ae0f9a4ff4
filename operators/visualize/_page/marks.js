// What is drawn over a picture, in the pixels of the screen.

let palette = [];

export function paint(colours) {
  palette = colours;
}

const colour = (index) => `rgb(${palette[index % palette.length]})`;

// Return the colours of a mask as a canvas.
export async function maskCanvas({ width, height }, compressed) {
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

export function drawMask({ context, scale }, { left, top, width, height }, canvas) {
  context.imageSmoothingEnabled = false;
  context.globalAlpha = 0.4;
  context.drawImage(canvas, left * scale, top * scale, width * scale, height * scale);
  context.globalAlpha = 1;
}

export function drawBoxes({ context, scale, unit }, boxes, labels) {
  context.lineWidth = 2 * unit;
  for (const { xyxy, colour: index } of boxes) {
    const [x1, y1, x2, y2] = xyxy.map((value) => value * scale);
    context.strokeStyle = colour(index);
    context.strokeRect(x1, y1, x2 - x1, y2 - y1);
  }
  if (!labels) return;
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

export function drawPoints({ context, scale, unit }, objects, edges) {
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

export function drawText({ context, unit }, text) {
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
