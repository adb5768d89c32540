// Labeling: one face, large, with the classes beside it; keys and buttons.
import { Choices } from "./choices.js";
import { $, amount, element, isSet, percent, say, told } from "./dom.js";
import { decoded } from "./server.js";
import { current, give, go, latest, leave, look, mine, session, undo, visibleGuess } from "./session.js";
import { Stage } from "./stage.js";
import { prefer, state } from "./state.js";
import { prepare, supply } from "./supply.js";

const SHOWN = 12; // answers in the strip
let isContext = false;
let shownFace = null;
let stage;
let choices;

function pick(name, count) {
  if (!state.isVoting) { give("label", [name]); return; }
  choices.votes.set(name, Math.max(0, (choices.votes.get(name) ?? 0) + count));
  draw();
}

function saveVotes() {
  const given = [...choices.votes].filter(([, count]) => count > 0).sort((a, b) => b[1] - a[1]);
  if (!given.length) { say("Give a vote first: a class, more than once if you like."); return; }
  give("votes", given.map(([name]) => name), Object.fromEntries(given));
}

async function toggleContext() {
  const face = current();
  if (!face?.context) { say(face?.context_missing ?? "There is no picture around this face."); return; }
  isContext = !isContext;
  if (isContext && !face.around) {
    try {
      face.around = await decoded(face.context);
    } catch {
      isContext = false;
      say("The picture around this face can’t be read.");
      return;
    }
  }
  draw();
}

/** A key; true if it meant something. Held keys do not repeat an answer. */
export function key(event) {
  const { key: name, shiftKey, repeat } = event;
  const digit = /^(Digit|Numpad)(\d)$/.exec(event.code)?.[2];
  const label = choices.named(shiftKey && state.isVoting ? digit ?? name : name) ?? (shiftKey ? undefined : choices.named(digit));
  if (label) { if (!repeat) pick(label, state.isVoting && shiftKey ? -1 : 1); return true; }
  if (name === "Enter" && state.isVoting && event.target.closest?.("button:not(.pick), a, summary") === null) { if (!repeat) saveVotes(); return true; }
  if (name === "Enter" && event.target.closest?.("button, a, summary") === null) {
    const best = visibleGuess(current())?.[0]?.name;
    if (!repeat) { if (best) pick(best, 1); else say("There is no guess to accept here; choose a class."); }
    return true;
  }
  const meant = {
    c: () => give("cant_tell"), n: () => give("not_a_face"), s: () => give("skip"), z: undo, Backspace: undo,
    x: toggleContext, v: () => $("votes").click(), g: () => $("guess").click(),
    ArrowLeft: () => go(-1), ArrowRight: () => go(1), ArrowDown: () => choices.focus(1), ArrowUp: () => choices.focus(-1),
    "+": () => stage.zoom(1.5), "=": () => stage.zoom(1.5), "-": () => stage.zoom(1 / 1.5), "0": () => stage.reset(), Escape: leave, "/": () => choices.find(),
  }[name.length === 1 ? name.toLowerCase() : name];
  if (!meant) return false;
  const mayRepeat = /^([-+=]|Arrow(Up|Down))$/.test(name) || (/^Arrow/.test(name) && session.list);
  if (!repeat || mayRepeat) meant();
  return true;
}

export function draw() {
  if (!state.project) return;
  const face = current();
  if (face !== shownFace) {
    shownFace = face;
    isContext = false;
    choices.votes = new Map(Object.entries(mine(face)?.votes ?? {}));
    if (face?.lost) { face.coming = null; prepare(face); }
    const best = visibleGuess(face)?.[0];
    $("next-face").textContent = face ? `Face ${face.id}${best ? `, the model says ${best.name}, ${percent(best.probability)}` : ""}.` : "";
  }
  drawMessage(face);
  const name = face ? `Face ${face.id}` : "No face";
  stage.show(face ? (isContext ? face.around : face.picture) ?? null : null, isContext ? `${name} in its picture` : name);
  $("stage").dataset.lost = face?.lost ?? "";
  choices.draw(visibleGuess(face), mine(face));
  drawTools(face);
  drawAbout(face);
  drawStrip();
  drawFooting();
}

function drawTools(face) {
  $("context").ariaPressed = String(isContext);
  $("context").disabled = !face;
  $("context").title = face?.context_missing ?? "";
  $("votes").ariaPressed = String(state.isVoting);
  $("votes-bar").hidden = !state.isVoting;
  $("guess").ariaPressed = String(state.guess !== "never");
}

/** Why this face, whose, and what was said of it. */
function drawAbout(face) {
  const { list, at } = session;
  const before = mine(face)?.kind === "skip" ? null : mine(face);
  const others = list ? Object.entries(face?.answers ?? {}).filter(([who]) => who !== state.me) : [];
  const why = face?.why ? `${face.why[0].toUpperCase()}${face.why.slice(1)}.` : "";
  const isHidden = face?.guess && face.is_random && state.guess === "measured" && !before;
  $("why").textContent = !face ? "" : [
    before ? `You said ${told(before)}.` : isHidden ? "Picked by chance to measure the model, so its guess is hidden." : why,
    ...others.map(([who, said]) => `${who} said ${told(said)}.`),
    face.suggested ? `The model would say ${face.suggested}.` : "",
  ].filter(Boolean).join(" ");
  $("person").hidden = !face?.person;
  $("person").textContent = `Person ${face?.person}`;
  $("person").title = "All faces of this person";
  $("person").href = `#browse?person=${encodeURIComponent(face?.person ?? "")}`;
  $("from").hidden = !list && at === null;
  $("from-text").textContent = at !== null ? "An earlier answer. A new one replaces it."
    : list ? `${list.name}: ${amount(list.index + 1)} of ${amount(list.total)}` : "";
}

/** What is said in place of a face when there is none: title, text, and addresses and words of links. */
function message(face) {
  const { project } = state;
  const { list } = session;
  if (project.preparing) {
    const { done, total } = project.preparing;
    return ["Faces are being cut out", `${total ? `${amount(done)} of ${amount(total)} pictures. ` : ""}Labeling begins when all are done.`];
  }
  if (!project.classes.length) return ["Which classes?", "Name the classes first, two at least.", "#project", "Name classes"];
  if (face || (list && !list.face)) return null;
  if (!project.faces) return ["No face here", "No face was found in what was given. Start again with another folder: halfsmile label FOLDER --out labels/"];
  if (supply.problem) return ["No connection", `${supply.problem} This page asks again by itself; nothing is lost.`];
  if (!supply.finished) return ["One moment", "The next faces are coming."];
  const all = `${amount(project.answered)} of ${amount(project.faces)} faces are answered.`;
  if (state.second) return ["No second opinion is wanted", `You have seen all that others answered. ${all}`, "#project", "Go on with new faces"];
  return ["That was the last one", `${supply.finished} ${all}`, "#progress", "See how good the model is", "#project", "Take the labels away"];
}

function drawMessage(face) {
  const words = message(face);
  $("message").hidden = !words;
  $("labeling").hidden = Boolean(words);
  const said = words?.join("|") ?? "";
  if ($("message").dataset.said === said) return;
  $("message").dataset.said = said;
  const [title, text, ...links] = words ?? [];
  const { preparing } = state.project;
  $("message").replaceChildren(...(words ? [
    element("h2", { textContent: title }), element("p", { textContent: text }),
    ...(preparing ? [element("progress", { max: Math.max(1, preparing.total), value: preparing.done, ariaLabel: "Pictures looked at" })] : []),
    ...links.flatMap((address, i) => (i % 2 ? [] : [element("a", { className: i ? "button" : "button primary", href: address, textContent: links[i + 1] }), " "])),
  ] : []));
}

/** A small square of a face’s picture, when it is there. */
function thumbnail(face) {
  const canvas = element("canvas", { width: 112, height: 112 });
  const paint = () => {
    if (!face.picture) return;
    const { naturalWidth: width, naturalHeight: height } = face.picture;
    const side = Math.min(width, height);
    canvas.getContext("2d").drawImage(face.picture, (width - side) / 2, (height - side) / 2, side, side, 0, 0, 112, 112);
  };
  if (face.picture) paint(); else prepare(face).then(paint);
  return canvas;
}

const shownAnswers = new Map(); // token to its list item

function stripItem({ face, answer, token }) {
  const button = element("button", { type: "button" }, thumbnail(face), element("span", { className: "said", textContent: told(answer) }));
  button.addEventListener("click", () => look(session.done.findIndex((one) => one.token === token)));
  return element("li", {}, button);
}

/** The last answers, newest first. */
function drawStrip() {
  const entries = latest().slice(-SHOWN).reverse();
  const wanted = JSON.stringify(entries.map((one) => [one.token, state.queue.isWaiting(one.token), one.i === session.at]));
  if ($("strip").dataset.shown === wanted) return;
  $("strip").dataset.shown = wanted;
  const items = entries.map((entry) => {
    const item = shownAnswers.get(entry.token) ?? stripItem(entry);
    const button = item.firstChild;
    const isSaved = !state.queue.isWaiting(entry.token);
    button.ariaLabel = `Face ${entry.face.id}: ${told(entry.answer)}, ${isSaved ? "saved" : "not saved yet"}. Go back to it`;
    button.ariaCurrent = entry.i === session.at ? "true" : null;
    button.classList.toggle("waiting", !isSaved);
    return item;
  });
  shownAnswers.clear();
  entries.forEach((entry, i) => shownAnswers.set(entry.token, items[i]));
  const isNew = items.some((item, i) => item !== $("strip").children[i]) || items.length !== $("strip").children.length;
  if (isNew) $("strip").replaceChildren(...items);
}

function drawFooting() {
  const { model, training, recipe, preparing, features, problems, stop, faces, answered } = state.project;
  $("footing").hidden = !faces;
  $("answered-bar").value = faces ? answered / faces : 0;
  const recent = session.done.slice(-40).map((one) => one.time);
  const minutes = (recent.at(-1) - recent[0]) / 60_000;
  const pace = recent.length > 9 && minutes > 0.05 ? ` · ${Math.round((recent.length - 1) / minutes)} a minute` : "";
  $("answered-text").textContent = `${amount(answered)} of ${amount(faces)} answered${pace}`;
  const range = model?.interval ? ` (${percent(model.interval[0])} to ${percent(model.interval[1])})` : "";
  const known = model && (isSet(model.accuracy) ? `Model ${model.number} is right for ${percent(model.accuracy)}${range}` : `Model ${model.number}, from ${amount(model.answers)} answers`);
  $("model-text").textContent = [
    known || (features ? "No model yet" : "No model yet: it learns from your first answers"),
    training ? `learning… ${percent(training.share ?? 0)}` : "",
    recipe ? `recipe: ${percent(recipe.share ?? 0)}` : "",
    features ? `looking at the faces: ${percent(features.done / features.total)}` : "",
    preparing ? `cutting faces: ${amount(preparing.done)} of ${amount(preparing.total)}` : "",
    stop?.advised ? "you can stop here" : "",
  ].filter(Boolean).join(" · ");
  $("problems-text").textContent = (problems ?? []).join(" ");
}

export function wire() {
  stage = new Stage($("stage"));
  choices = new Choices($("choices"), pick);
  const on = (id, act) => $(id).addEventListener("click", act);
  on("cant-tell", () => give("cant_tell"));
  on("not-a-face", () => give("not_a_face"));
  on("skip-face", () => give("skip"));
  on("undo", undo);
  on("context", toggleContext);
  on("votes", () => prefer("isVoting", !state.isVoting));
  on("votes-save", saveVotes);
  on("votes-clear", () => { choices.votes.clear(); draw(); });
  on("guess", () => prefer("guess", state.guess === "never" ? "measured" : "never"));
  on("zoom-in", () => stage.zoom(1.5));
  on("zoom-out", () => stage.zoom(1 / 1.5));
  on("from-close", leave);
}
