// The timeline below a video: one lane per person, painted once for each change, then copied under the playhead.
import { color } from "./draw.js";

const LANE = 34;
const GROUND = "#0b0c0e"; // dark in both schemes: every expression's color has 3:1 on both grounds
const LOOKED_AT = "#1e2126";
const INK = "#ffffff";

/** The color is the expression, the height the confidence; stripes mean not sure. */
export class Timeline {
  constructor(canvas) {
    this.canvas = canvas;
    this.picture = document.createElement("canvas");
    this.plan([], 0, 0);
  }

  /** What is to be painted: lanes of faces in order of time, seconds in all, seconds analyzed. */
  plan(lanes, duration, until) {
    Object.assign(this, { lanes, duration, until, isStale: true });
  }

  draw(now) {
    const { canvas, picture } = this;
    const ratio = window.devicePixelRatio || 1;
    const high = Math.max(1, this.lanes.length) * LANE;
    canvas.style.height = `${high}px`;
    const width = Math.max(1, Math.round(canvas.getBoundingClientRect().width * ratio));
    const height = Math.round(high * ratio);
    if (canvas.width !== width) canvas.width = width;
    if (canvas.height !== height) canvas.height = height;
    if (this.isStale || picture.width !== width || picture.height !== height) {
      picture.width = width;
      picture.height = height;
      this.paint(picture.getContext("2d"), width, ratio);
      this.isStale = false;
    }
    const context = canvas.getContext("2d");
    context.drawImage(picture, 0, 0);
    const x = this.duration > 0 ? (now / this.duration) * width : 0;
    context.fillStyle = GROUND;
    context.fillRect(x - 2 * ratio, 0, 4 * ratio, height);
    context.fillStyle = INK;
    context.fillRect(x - ratio, 0, 2 * ratio, height);
  }

  paint(context, width, ratio) {
    const at = (time) => (this.duration > 0 ? (time / this.duration) * width : 0);
    context.fillStyle = GROUND;
    context.fillRect(0, 0, width, context.canvas.height);
    context.fillStyle = LOOKED_AT;
    context.fillRect(0, 0, at(this.until), context.canvas.height);
    const stripes = new Map();
    context.font = `${11 * ratio}px system-ui, sans-serif`;
    context.lineWidth = 3 * ratio;
    context.strokeStyle = GROUND;
    this.lanes.forEach(({ track, faces }, row) => {
      const bottom = ((row + 1) * LANE - 4) * ratio;
      let painted = 0;
      faces.forEach((face, i) => {
        const next = faces[i + 1];
        const left = Math.max(painted, Math.floor(at(face.time)));
        const right = Math.ceil(at(face.time + (next ? Math.min(next.time - face.time, 0.5) : 0.1)));
        if (right <= left) return; // of faces that share a pixel, the first has it
        painted = right;
        if (face.uncertain && !stripes.has(face.expression)) stripes.set(face.expression, striped(context, face, ratio));
        context.fillStyle = face.uncertain ? stripes.get(face.expression) : color(face.expression);
        const high = Math.max(3, face.confidence * (LANE - 8)) * ratio;
        context.fillRect(left, bottom - high, right - left, high);
      });
      context.fillStyle = INK;
      context.strokeText(`person ${track ?? "?"}`, 6 * ratio, (row * LANE + 13) * ratio);
      context.fillText(`person ${track ?? "?"}`, 6 * ratio, (row * LANE + 13) * ratio);
    });
  }
}

/** Slanted stripes in the color of a face's expression. */
function striped(context, face, ratio) {
  const tile = document.createElement("canvas");
  const side = Math.round(6 * ratio);
  tile.width = side;
  tile.height = side;
  const pen = tile.getContext("2d");
  pen.strokeStyle = color(face.expression);
  pen.lineWidth = side / 2.8;
  for (const shift of [-side, 0, side]) {
    pen.moveTo(shift - 1, side + 1);
    pen.lineTo(shift + side + 1, -1);
  }
  pen.stroke();
  return context.createPattern(tile, "repeat");
}
