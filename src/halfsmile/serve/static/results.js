// What is shown: cards, the rows of the table, and how to be rid of them.
import { $, element, say } from "./dom.js";

const rows = []; // what was found, for the table
const cleanups = []; // what "Clear" has to stop and free
export const shown = { generation: 0 }; // grows with every "Clear"; late answers of an earlier one are dropped

const POINTS = ["left_eye", "right_eye", "nose", "left_mouth", "right_mouth"];

/** Call this when the results are cleared or the page is left. */
export const onClear = (cleanup) => cleanups.push(cleanup);

/** A face, or why there is none, for the table. */
export function addRow(source, result) {
  rows.push({ ...result, source });
  $("download").disabled = false;
  $("count").textContent = `(${rows.length} row${rows.length === 1 ? "" : "s"})`;
}

export function newCard(name) {
  const side = element("small");
  const title = element("h3", { tabIndex: -1 }, element("span", { textContent: name }), side);
  const stage = element("div", { className: "stage" });
  const faces = element("div", { className: "faces", tabIndex: 0, role: "region" });
  faces.setAttribute("aria-label", `Faces in ${name}`);
  const card = element("section", { className: "card" }, title, stage, faces);
  card.setAttribute("aria-label", name);
  $("results").prepend(card);
  $("toolbar").hidden = false;
  const mine = shown.generation;
  /** Say why nothing can be shown, here and in the table; null. */
  const fail = (reason) => {
    if (mine !== shown.generation) return null;
    side.textContent = "";
    stage.hidden ||= !stage.children.length;
    faces.replaceChildren(element("p", { className: "error", textContent: reason }));
    addRow(name, { reason });
    return null;
  };
  return { card, title, side, stage, faces, fail };
}

/** Stop and free everything; the results stay. */
export const release = () => cleanups.splice(0).forEach((done) => done());

export function clear() {
  shown.generation += 1;
  release();
  rows.length = 0;
  $("results").replaceChildren();
  $("count").textContent = "";
  $("download").disabled = true;
  $("toolbar").hidden = true;
  say("");
  $("choose").focus();
}

function flat(row) {
  const [x0, y0, x1, y1] = row.box ?? [];
  const [pictureWidth, pictureHeight] = row.picture_size ?? [];
  const values = { ...row, ...row.pose, x0, y0, x1, y1, possible: row.possible?.join("|") };
  Object.assign(values, { width: x1 - x0, height: y1 - y0, picture_width: pictureWidth, picture_height: pictureHeight });
  for (const [label, value] of Object.entries(row.probabilities ?? {})) values[`p_${label}`] = value;
  for (const [label, value] of Object.entries(row.votes ?? {})) values[`votes_${label}`] = value;
  POINTS.forEach((point, i) => [values[`${point}_x`], values[`${point}_y`]] = row.landmarks?.[i] ?? []);
  return values;
}

function cell(value, places) {
  if (value === null || value === undefined || Number.isNaN(value)) return "";
  if (typeof value === "number") return String(Number(value.toFixed(places)));
  let text = String(value);
  if (typeof value === "string" && /^[=+\-@\t\r]/.test(text)) text = `'${text}`; // no formulas from file names
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/** All rows as CSV, with the columns and the rounding of `halfsmile predict`. */
function table() {
  const labels = [...new Set(rows.flatMap((row) => Object.keys(row.probabilities ?? {})))];
  const head = ["source", "frame", "time", "track", "x0", "y0", "x1", "y1", "score", "expression", "confidence",
    "uncertain", "doubt", "possible", ...labels.map((label) => `p_${label}`),
    ...labels.filter(() => rows.some((row) => row.votes)).map((label) => `votes_${label}`), ...POINTS.flatMap((point) => [`${point}_x`, `${point}_y`]),
    "yaw", "pitch", "roll", "width", "height", "picture_width", "picture_height", "reason"];
  const places = { score: 4, width: 2, height: 2 };
  const lines = rows.map(flat).map((row) => head.map((name) => cell(row[name], places[name] ?? 6)).join(","));
  return `${[head.map((name) => cell(name)).join(","), ...lines].join("\r\n")}\r\n`;
}

export function download() {
  const address = URL.createObjectURL(new Blob([table()], { type: "text/csv" }));
  element("a", { href: address, download: "expressions.csv" }).click();
  setTimeout(() => URL.revokeObjectURL(address), 1000);
}
