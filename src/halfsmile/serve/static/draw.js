// Drawing: boxes over pictures, bars beside them, a timeline below. No state, no network.
"use strict";

const COLORS = {
  neutral: "#8a8f98", happiness: "#f2b134", surprise: "#2f9bd6", sadness: "#4464b8", anger: "#cf3f52",
  disgust: "#5f9440", fear: "#8a56a8", contempt: "#a5703f", other: "#4aa3a0",
};
const color = (label) => COLORS[label] ?? "#777777";
const percent = (value) => `${Math.round(100 * value)}\u00a0%`;
const ranked = (face) => Object.entries(face.probabilities).sort((a, b) => b[1] - a[1]);

/** What is said of a face in words; never more certain than the model is. */
function verdict(face) {
  const [first, second] = ranked(face);
  if (!face.uncertain) return { title: first[0], note: "" };
  const rest = second ? ` or ${second[0]} (${percent(second[1])})` : "";
  return { title: "not sure", note: `could be ${first[0]} (${percent(first[1])})${rest}` };
}

/** Boxes and names over a picture that is shown at any size. */
function drawFaces(canvas, faces, width, height) {
  const ratio = window.devicePixelRatio || 1;
  const shown = canvas.getBoundingClientRect();
  canvas.width = Math.max(1, Math.round(shown.width * ratio));
  canvas.height = Math.max(1, Math.round(shown.height * ratio));
  const context = canvas.getContext("2d");
  const scale = Math.min(canvas.width / width, canvas.height / height);
  const left = (canvas.width - width * scale) / 2;
  const top = (canvas.height - height * scale) / 2;
  context.font = `600 ${13 * ratio}px system-ui, sans-serif`;
  context.textBaseline = "middle";
  for (const face of faces) {
    const [x0, y0, x1, y1] = face.box.map((v, i) => v * scale + (i % 2 ? top : left));
    const tint = color(face.expression);
    context.lineWidth = 2.5 * ratio;
    context.strokeStyle = tint;
    context.setLineDash(face.uncertain ? [6 * ratio, 5 * ratio] : []);
    context.strokeRect(x0, y0, x1 - x0, y1 - y0);
    context.setLineDash([]);
    const who = face.track === null || face.track === undefined ? "" : `${face.track}  `;
    const text = `${who}${verdict(face).title}${face.uncertain ? "" : ` ${percent(face.confidence)}`}`;
    const wide = context.measureText(text).width + 12 * ratio;
    const high = 22 * ratio;
    const y = y0 - high < 0 ? y0 : y0 - high;
    const x = Math.min(Math.max(0, x0), Math.max(0, canvas.width - wide));
    context.fillStyle = tint;
    context.fillRect(x, y, wide, high);
    context.fillStyle = "#ffffff";
    context.strokeStyle = "rgba(0, 0, 0, 0.55)";
    context.lineWidth = 3 * ratio;
    context.strokeText(text, x + 6 * ratio, y + high / 2);
    context.fillText(text, x + 6 * ratio, y + high / 2);
  }
}

/** A face as an article: cut-out, verdict, one bar per expression. */
function faceArticle(face, picture) {
  const article = document.getElementById("face-template").content.cloneNode(true).firstElementChild;
  const { title, note } = verdict(face);
  const who = face.track === null || face.track === undefined ? "" : `Person ${face.track}: `;
  article.classList.toggle("unsure", face.uncertain);
  article.querySelector(".name").textContent = who + title;
  article.querySelector(".sure").textContent = face.uncertain ? "" : percent(face.confidence);
  article.querySelector(".note").textContent = note;
  const bars = article.querySelector(".bars");
  const best = ranked(face)[0][0];
  for (const [label, value] of Object.entries(face.probabilities)) {
    const term = document.createElement("dt");
    term.textContent = label;
    const meter = document.createElement("dd");
    meter.className = "meter";
    const fill = document.createElement("i");
    fill.style.width = `${100 * value}%`;
    fill.style.background = color(label);
    meter.append(fill);
    const number = document.createElement("dd");
    number.className = "number";
    number.textContent = percent(value);
    if (label === best) { term.className = "first"; number.classList.add("first"); }
    bars.append(term, meter, number);
  }
  if (picture) cutOut(article.querySelector(".thumb"), face.box, picture);
  return article;
}

/** The face, with a margin, into a small square canvas. */
function cutOut(canvas, box, picture) {
  const [x0, y0, x1, y1] = box;
  const side = 1.25 * Math.max(x1 - x0, y1 - y0);
  const x = (x0 + x1 - side) / 2;
  const y = (y0 + y1 - side) / 2;
  try {
    canvas.getContext("2d").drawImage(picture, x, y, side, side, 0, 0, canvas.width, canvas.height);
  } catch { /* a picture that is not ready has no cut-out */ }
}

/** One lane per person; the color is the expression, its height the confidence, hatching means not sure. */
function drawTimeline(canvas, lanes, duration, now) {
  const ratio = window.devicePixelRatio || 1;
  const lane = 34;
  const height = Math.max(1, lanes.length) * lane;
  canvas.style.height = `${height}px`;
  canvas.width = Math.max(1, Math.round(canvas.getBoundingClientRect().width * ratio));
  canvas.height = height * ratio;
  const context = canvas.getContext("2d");
  const ink = getComputedStyle(document.body).color;
  context.scale(ratio, ratio);
  const width = canvas.width / ratio;
  const at = (time) => (duration > 0 ? (time / duration) * width : 0);
  lanes.forEach(({ track, faces }, row) => {
    const bottom = (row + 1) * lane - 4;
    faces.forEach((face, i) => {
      const next = faces[i + 1];
      const step = next ? Math.min(next.time - face.time, 0.5) : 0.1;
      const high = Math.max(3, face.confidence * (lane - 8));
      context.globalAlpha = face.uncertain ? 0.35 : 1;
      context.fillStyle = color(face.expression);
      context.fillRect(at(face.time), bottom - high, Math.max(1, at(step) + 0.5), high);
    });
    context.globalAlpha = 0.9;
    context.fillStyle = ink;
    context.font = "11px system-ui, sans-serif";
    context.lineWidth = 3;
    context.strokeStyle = getComputedStyle(document.body).backgroundColor;
    context.strokeText(`person ${track ?? "?"}`, 6, row * lane + 13);
    context.fillText(`person ${track ?? "?"}`, 6, row * lane + 13);
  });
  context.globalAlpha = 1;
  context.fillStyle = ink;
  context.fillRect(at(now) - 1, 0, 2, height);
}
