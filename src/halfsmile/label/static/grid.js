// Forty faces of one guess: the odd ones are clicked out, the rest is confirmed in one go.
import { $, color, element, percent, some } from "./dom.js";
import { openList } from "./session.js";
import { ask } from "./server.js";
import { classes, state, token } from "./state.js";
import { leaveOut, letIn } from "./supply.js";
import { picture } from "./tile.js";

const MANY = 40;
let guess = null;
let faces = [];
let odd = new Set();
const passed = new Map(); // faces that were clicked out, not to be shown again: id to face
let last = null; // what was confirmed: {answers, left, guess}
let generation = 0;

async function load() {
  const mine = (generation += 1);
  faces = [];
  odd = new Set();
  $("grid-sheet").replaceChildren();
  $("grid-confirm").hidden = true;
  drawClasses();
  message("One moment", "The faces are coming.");
  try {
    const said = await ask("v1/grid", { guess: guess ?? "", count: Math.min(100, MANY + passed.size) });
    if (mine !== generation) return;
    guess ??= said.guess ?? null;
    drawClasses();
    const saved = new Set(state.queue.faces());
    faces = said.faces.filter((face) => !passed.has(face.id) && !saved.has(face.id)).slice(0, MANY);
  } catch (error) {
    if (mine === generation) message("The faces did not come", error.message);
    return;
  }
  if (!faces.length) {
    drawBar();
    if (!state.project?.model) message("No guess yet", "The grid shows faces by the model’s guess. Label some faces first; the model learns by itself.");
    else message(guess ? `No more faces that look like ${guess}` : "No more faces", "Choose another class above, or label on.");
    return;
  }
  $("grid-message").hidden = true;
  $("grid-sheet").replaceChildren(...faces.map(tile));
  drawBar();
}

function message(title, text) {
  $("grid-message").hidden = false;
  $("grid-message").replaceChildren(element("h2", { textContent: title }), element("p", { textContent: text }));
}

function drawClasses() {
  $("grid-classes").replaceChildren(...classes().map(({ name, key }) => {
    const dot = element("i", { className: "dot" });
    dot.style.background = color(name);
    const pill = element("button", { type: "button", ariaPressed: String(name === guess) }, dot, element("span", { textContent: name }));
    if (key) pill.title = `Key ${key}`;
    pill.addEventListener("click", () => { guess = name; $("grid-said").textContent = ""; load(); });
    return pill;
  }));
}

function tile(face, index) {
  const sure = face.guess?.[0] ? percent(face.guess[0].probability) : "";
  const made = element("button", {
    type: "button", className: "pickable", role: "checkbox", ariaChecked: "true", tabIndex: index ? -1 : 0,
    ariaLabel: `Face ${face.id}, ${guess} ${sure}`,
  }, picture(face), element("span", { className: "out", textContent: "✕", ariaHidden: "true" }));
  made.addEventListener("click", () => toggle(face, made));
  return made;
}

function toggle(face, made) {
  if (odd.has(face.id)) odd.delete(face.id); else odd.add(face.id);
  made.ariaChecked = String(!odd.has(face.id));
  drawBar();
}

function drawBar() {
  const count = faces.length - odd.size;
  $("grid-confirm").hidden = !faces.length;
  $("grid-confirm").replaceChildren(count ? `Confirm ${some(count, "face")} as ${guess} ` : `Leave all ${faces.length} out `, element("kbd", { textContent: "Enter" }));
  $("grid-undo").hidden = !last;
  $("grid-odd").hidden = !passed.size;
  $("grid-odd").textContent = `Label the ${some(passed.size, "odd one", "odd ones")}`;
}

async function confirm() {
  if (!faces.length || !guess) return;
  const right = faces.filter((face) => !odd.has(face.id));
  for (const face of faces) if (odd.has(face.id)) passed.set(face.id, face);
  const answers = right.map((face) => ({ face: face.id, kind: "label", labels: [guess], token: token() }));
  right.forEach((face) => leaveOut(face.id));
  state.queue.answer(state.me, ...answers);
  last = { answers, left: [...odd], guess };
  const more = odd.size ? ` ${some(odd.size, "odd one", "odd ones")} left out.` : "";
  faces = [];
  const isSaved = await state.queue.settled();
  $("grid-said").textContent = isSaved ? `${some(right.length, "face")} confirmed as ${guess}.${more}` : `${some(right.length, "face")} confirmed, not saved yet: ${state.queue.problem}`;
  await load();
  $("grid-sheet").firstElementChild?.focus();
}

/** Take back what was confirmed last, and show it again. */
async function undo() {
  if (!last) return;
  for (const { face, token: own } of last.answers) {
    letIn(face);
    state.queue.undo(state.me, own);
  }
  last.left.forEach((id) => passed.delete(id));
  guess = last.guess;
  $("grid-said").textContent = `${some(last.answers.length, "answer")} taken back.`;
  last = null;
  await state.queue.settled();
  await load();
}

/** A key; true if it meant something. */
export function key(event) {
  const label = classes().find((one) => one.key === event.key)?.name;
  if (label) { guess = label; $("grid-said").textContent = ""; load(); return true; }
  const all = [...$("grid-sheet").children];
  if (event.key === "Enter" && event.target.closest("button:not(.pickable), a") === null) { if (!event.repeat) confirm(); return true; }
  if ((/^z$/i.test(event.key) || event.key === "Backspace") && last) { if (!event.repeat) undo(); return true; }
  const at = all.indexOf(document.activeElement);
  const columns = all.filter((one) => one.offsetTop === all[0].offsetTop).length;
  const step = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -columns, ArrowDown: columns }[event.key];
  if (step === undefined || !all.length) return false;
  const next = all[at < 0 ? 0 : Math.min(all.length - 1, Math.max(0, at + step))];
  all.forEach((one) => { one.tabIndex = one === next ? 0 : -1; });
  next.focus();
  return true;
}

export function open() {
  load();
}

export function wire() {
  $("grid-confirm").addEventListener("click", confirm);
  $("grid-undo").addEventListener("click", undo);
  $("grid-odd").addEventListener("click", () => {
    const left = [...passed.values()];
    passed.clear();
    openList("Odd ones of the grid", left.length, (index) => left[index]);
  });
}
