// Drawing: boxes over pictures, bars beside them. No state, no network.

const COLORS = {
  neutral: "#8a8f98", happiness: "#f2b134", surprise: "#2f9bd6", sadness: "#4464b8", anger: "#cf3f52",
  disgust: "#5f9440", fear: "#8a56a8", contempt: "#a5703f", other: "#4aa3a0",
};
export const color = (label) => COLORS[label] ?? "#777777";
export const percent = (value) => `${Math.round(100 * value)}\u00a0%`;
const ranked = (face) => Object.entries(face.probabilities).sort((a, b) => b[1] - a[1]);

/** What is said of a face in words; never more certain than the model is. */
export function verdict(face) {
  const all = ranked(face);
  if (!face.uncertain) return { title: all[0][0], note: "" };
  const named = all.slice(0, Math.max(2, face.possible?.length ?? 0))
    .map(([label, value]) => `${label} (${percent(value)})`);
  return { title: "not sure", note: `${doubtsInWords(face.doubt)}could be ${[named.slice(0, -1).join(", "), ...named.slice(-1)].join(" or ")}` };
}

/** Why an answer is uncertain. Low confidence alone is not named: the shares that follow show it. */
function doubtsInWords(doubt) {
  const doubts = (doubt ?? "").split("; ").filter(Boolean);
  return doubts.every((one) => one === "low confidence") ? "" : `${doubts.join(", ")}; `;
}

/** What a face is called where there are several: its track in a video, its place from the left in a photo. */
const mark = (face) => face.track ?? face.number ?? "";

const overlap = (a, b) => a.x < b.x + b.wide && b.x < a.x + a.wide && a.y < b.y + b.high && b.y < a.y + a.high;

const NAMED = 40; // pixels of the screen across a face of several, from which on its name stands beside it

/** Boxes and names over a picture that is shown at any size. A name that would cover another, or much else than
 *  its own small face, is left to the list. */
export function drawFaces(canvas, faces, width, height) {
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
  const high = 22 * ratio;
  const boxes = faces.map((face) => face.box.map((v, i) => v * scale + (i % 2 ? top : left)));
  const label = (text, i, below = false) => {
    const [x0, y0, , y1] = boxes[i];
    const wide = context.measureText(text).width + 12 * ratio;
    const x = Math.min(Math.max(0, x0), Math.max(0, canvas.width - wide));
    const y = below ? Math.min(y1, canvas.height - high) : Math.max(y0 - high, 0);
    return { text, x, y, wide, high };
  };
  const labels = faces.map((face, i) => label(`${mark(face)}`, i));
  faces.forEach((face, i) => {
    if (faces.length > 1 && boxes[i][2] - boxes[i][0] < NAMED * ratio) return;
    const { title } = verdict(face);
    const text = `${mark(face)}  ${title}${face.uncertain ? "" : ` ${percent(face.confidence)}`}`.trim();
    const free = [label(text, i), label(text, i, true)].find((one) => !labels.some((other, j) => j !== i && overlap(one, other)));
    labels[i] = free ?? labels[i];
  });
  faces.forEach((face, i) => {
    const [x0, y0, x1, y1] = boxes[i];
    context.lineWidth = 2.5 * ratio;
    context.strokeStyle = color(face.expression);
    context.setLineDash(face.uncertain ? [6 * ratio, 5 * ratio] : []);
    context.strokeRect(x0, y0, x1 - x0, y1 - y0);
  });
  context.setLineDash([]);
  context.lineWidth = 3 * ratio;
  context.strokeStyle = "rgba(0, 0, 0, 0.55)";
  labels.forEach(({ text, x, y, wide }, i) => {
    if (!text) return;
    context.fillStyle = color(faces[i].expression);
    context.fillRect(x, y, wide, high);
    context.fillStyle = "#ffffff";
    context.strokeText(text, x + 6 * ratio, y + high / 2);
    context.fillText(text, x + 6 * ratio, y + high / 2);
  });
}

/** How many people of ten would say what, where the model knows: a faint smile is seen by some. */
export function votesInWords(votes) {
  const shares = Object.entries(votes ?? {}).map(([label, share]) => [label, Math.round(10 * share)])
    .filter(([, tenths]) => tenths > 0).sort((a, b) => b[1] - a[1]).slice(0, 3);
  if (!shares.length) return "";
  const [first, ...rest] = shares.map(([label, tenths]) => `${tenths} see ${label}`);
  return `Of 10 people, about ${[first, ...rest].join(", ")}`;
}

/** A face as an article: cut-out, verdict, one bar per expression. */
export function faceArticle(face, picture) {
  const article = document.getElementById("face-template").content.cloneNode(true).firstElementChild;
  const { title, note } = verdict(face);
  const who = face.number ? `Face ${face.number} of ${face.many}: ` : face.track ? `Person ${face.track}: ` : "";
  article.classList.toggle("unsure", face.uncertain);
  article.querySelector(".name").textContent = who + title;
  article.querySelector(".sure").textContent = face.uncertain ? "" : percent(face.confidence);
  article.querySelector(".note").textContent = [note, votesInWords(face.votes)].filter(Boolean).join(". ");
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
  const thumb = article.querySelector(".thumb");
  if (picture) cutOut(thumb, face.box, picture);
  else thumb.remove();
  article.classList.toggle("bare", !picture);
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
