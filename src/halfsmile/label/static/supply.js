// The faces to ask next: fetched and decoded before they are needed, so that the next one is there at once.
import { ask, decoded, tell } from "./server.js";
import { changed, state } from "./state.js";
import { readObject, write } from "./storage.js";

const AHEAD = 16; // faces ready; at four answers a second they last four seconds
const REFILL = 14;
const SHELF = "faces";

export const supply = {
  faces: [], // the first one is shown
  finished: "", // what the server says where it has no more for now
  problem: "",
};

const answered = new Set(); // in this tab
let asking = null;
let timer = 0;
let generation = 0;
let holder = ""; // for whom the server keeps the faces

/** Decode a face's picture ahead; `face.picture` is the image once it can be shown, `face.lost` why it can’t. */
export function prepare(face) {
  face.coming ??= (async () => {
    try {
      face.picture = await decoded(face.image);
      face.lost = "";
    } catch (error) {
      face.lost = error.status ? error.message : "Its picture can’t be read.";
    }
    changed();
  })();
  return face.coming;
}

/** Whether a face was answered in this tab or is asked already. */
const isKnown = (face) => answered.has(face.id) || supply.faces.some((one) => one.id === face.id) || state.queue.faces().includes(face.id);

/** Fetch more when few are left. */
export async function fill() {
  if (asking || timer || supply.faces.length >= REFILL) return;
  const mine = generation;
  const who = state.me;
  const count = state.second ? AHEAD : AHEAD - supply.faces.length; // those answered by others are not kept for anybody
  asking = (async () => {
    const said = await ask("v1/next", { annotator: who, count, second: state.second ? "true" : "" });
    if (mine !== generation) await giveBack(said.faces, who); // before anything is asked anew
    return said;
  })();
  changed();
  try {
    const said = await asking;
    if (mine !== generation) return;
    holder = who;
    const fresh = said.faces.filter((face) => !isKnown(face));
    supply.faces.push(...fresh);
    supply.problem = "";
    supply.finished = supply.faces.length ? "" : said.finished ?? "";
    if (!supply.faces.length) later(supply.finished ? 2000 : 400); // some may come back
    fresh.forEach(prepare);
  } catch (error) {
    if (mine === generation) { supply.problem = error.message; later(1000); }
  } finally {
    if (mine === generation) asking = null;
    changed();
  }
}

function later(wait) {
  clearTimeout(timer);
  timer = setTimeout(() => { timer = 0; fill(); }, wait);
}

/** The first face was answered: the next one is first. A skipped one may come back. */
export function advance(isSkipped) {
  const face = supply.faces.shift();
  if (!isSkipped) answered.add(face.id);
  fill();
}

/** A face that was answered elsewhere on this page need not be asked. */
export function leaveOut(id) {
  answered.add(id);
  const index = supply.faces.findIndex((face) => face.id === id);
  if (index > 0) supply.faces.splice(index, 1);
}

/** A face that was answered elsewhere may be asked after all. */
export const letIn = (id) => answered.delete(id);

/** Faces whose answers were taken back come first again. */
export function putBack(...faces) {
  const ids = new Set(faces.map((face) => face.id));
  ids.forEach((id) => answered.delete(id));
  supply.faces = [...faces, ...supply.faces.filter((face) => !ids.has(face.id))];
  faces.slice(0, AHEAD).forEach(prepare);
}

/** Faces that are not answered now: others may be asked them, and this person under another name. */
const giveBack = (faces, who) => faces.length && tell("v1/release", { annotator: who, faces: faces.map((face) => face.id) })
  .catch(() => undefined); // in two minutes they are free anyway

/** Begin anew: another person, another rule. */
export async function restart() {
  const { faces } = supply;
  const before = asking;
  const mine = generation += 1;
  clearTimeout(timer);
  timer = 0;
  Object.assign(supply, { faces: [], finished: "", problem: "" });
  answered.clear();
  asking = (async () => {
    await before?.catch(() => undefined); // what it brings is given back first
    await giveBack(faces, holder);
  })();
  await asking;
  if (mine !== generation) return;
  asking = null;
  fill();
}

const owner = () => JSON.stringify([state.me, state.project?.stored]);

/** The server keeps these faces for this tab: after a reload they are asked first. */
export function keep() {
  const plain = supply.faces.map(({ picture, around, coming, lost, ...face }) => face);
  write("tab", SHELF, JSON.stringify({ owner: owner(), faces: plain }));
}

export function restore() {
  const kept = readObject("tab", SHELF);
  write("tab", SHELF, null);
  if (kept.owner !== owner()) return;
  holder = state.me;
  supply.faces = kept.faces.filter((face) => !isKnown(face));
  supply.faces.forEach(prepare);
}
