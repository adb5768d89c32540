// What was answered in this tab, and which face is asked about: the server's next one, one of a list, or an
// earlier one that is gone back to.
import { say, told } from "./dom.js";
import { tell } from "./server.js";
import { changed, refresh, state, token } from "./state.js";
import { advance, leaveOut, prepare, putBack, supply } from "./supply.js";

const SHARP = 14; // latest answers whose pictures stay in memory
const KEPT = 500; // answers that can be gone back to

export const session = {
  done: [], // {face, token, answer, before, index, time}, in the order of answering
  at: null, // of `done`, where an earlier answer is looked at
  list: null, // {name, total, get(index), from, index, face} where a list is gone through
};

/** The face that is asked about, if any. */
export function current() {
  const { done, at, list } = session;
  return at !== null ? done[at].face : list ? list.face : supply.faces[0] ?? null;
}

/** What this person said of a face. */
export const mine = (face) => face?.answers?.[state.me] ?? null;

/** The last answer for each face, oldest first, with its place in `done`. */
export function latest() {
  const last = new Map(session.done.map((entry, i) => [entry.face.id, i]));
  return session.done.map((entry, i) => ({ ...entry, i })).filter((entry) => last.get(entry.face.id) === entry.i);
}

/** Whether the guess may be seen: not where a face measures the model, unless the person wants to. */
export function visibleGuess(face) {
  if (!face?.guess || state.guess === "never") return null;
  return face.is_random && state.guess !== "always" && !mine(face) ? null : face.guess;
}

/** Answer the face that is shown, and go on to the next. */
export function give(kind, labels = [], votes = undefined) {
  const face = current();
  if (!face) return;
  if (!face.picture && kind !== "skip") { say(face.lost ? "A face that can’t be seen is not labeled. Skip it." : "The face is still coming."); return; }
  const { list, at } = session;
  const answer = { face: face.id, kind, labels, ...(votes ? { votes } : {}), token: token() };
  remember({ face, token: answer.token, answer, before: mine(face), index: list?.index ?? null, time: Date.now() });
  face.answers = { ...face.answers, [state.me]: answer };
  state.queue.answer(state.me, answer);
  say(`${told(answer)}.`.replace(/^./, (letter) => letter.toUpperCase()));
  if (at !== null) go(1);
  else if (list) { leaveOut(face.id); go(1); } else advance(kind === "skip");
  changed();
}

function remember(entry) {
  const { done } = session;
  done.push(entry);
  const old = done.at(-SHARP);
  if (old && done.findLast((one) => one.face === old.face) === old) Object.assign(old.face, { picture: null, around: null, coming: null });
  if (done.length > KEPT) { done.shift(); if (session.at !== null) session.at -= 1; }
}

/** One face back or forward; at the newest one, forward is a skip. */
export function go(step) {
  const { done, at, list } = session;
  if (list && at === null) {
    const index = list.index + step;
    if (index >= 0 && index < list.total) pickFrom(index);
    else say(index < 0 ? "This is the first face of the list." : "That was the last face of the list.");
    return;
  }
  if (at === null && step > 0) { give("skip"); return; }
  const places = latest().map((entry) => entry.i);
  const from = at ?? done.length;
  const next = step < 0 ? places.findLast((i) => i < from) : places.find((i) => i > from);
  if (next === undefined && step < 0) { say("There is no earlier answer on this page. Browse shows all of them."); return; }
  look(next ?? null);
}

/** Look at an earlier answer, by its place; null: at the newest face. */
export function look(place) {
  session.at = place;
  if (place !== null) prepare(session.done[place].face);
  changed();
}

/** Take the last answer back and show its face again. */
export async function undo() {
  session.at = null;
  const last = session.done.pop();
  if (!last) { await undoEarlier(); return; }
  state.queue.undo(state.me, last.token);
  const { [state.me]: _, ...others } = last.face.answers;
  last.face.answers = last.before ? { ...others, [state.me]: last.before } : others;
  const { list } = session;
  if (list && last.index !== null) Object.assign(list, { index: last.index, face: last.face });
  else { closeList(); putBack(last.face); }
  prepare(last.face);
  say(`Taken back: ${told(last.answer)}.`);
  changed();
}

/** Take back what was answered before this page was opened. */
async function undoEarlier() {
  if (!await state.queue.settled()) { say("There is nothing to take back here."); return; }
  try {
    const { faces } = await tell("v1/undo", { annotator: state.me });
    closeList();
    putBack(...faces);
    say(faces.length > 1 ? `The last ${faces.length} answers were taken back; they were sent together.` : "The last answer was taken back.");
    refresh();
  } catch (error) { say(error.message); }
  changed();
}

/** Go through a list: `get(index)` gives a face or a promise of one. */
export function openList(name, total, get, index = 0) {
  session.list = { name, total, get, from: location.hash, index, face: null };
  session.at = null;
  location.hash = "#look";
  pickFrom(index);
}

/** No list, no earlier answer: the face that the server asks. */
export function closeList() {
  session.list = null;
  session.at = null;
  if (location.hash === "#look") location.hash = "#label";
  changed();
}

/** Back from an earlier answer, or from the list to where it was opened. */
export function leave() {
  if (session.at !== null) look(null);
  else if (session.list) location.hash = session.list.from || "#label";
}

async function pickFrom(index) {
  const own = session.list;
  Object.assign(own, { index, face: null });
  changed();
  const face = await own.get(index);
  if (own !== session.list || own.index !== index) return;
  if (!face) { say("The list has changed; this face is no longer in it."); return; }
  own.face = face;
  prepare(face);
  for (const near of [index + 1, index + 2, index - 1]) {
    if (near >= 0 && near < own.total) Promise.resolve(own.get(near)).then((one) => one && prepare(one));
  }
  changed();
}
