// The faces to ask next: fetched and decoded before they are needed, so that the next one is there at once.
import { ask, show } from "./server.js";
import { changed, state } from "./state.js";

const AHEAD = 16; // faces ready; at four answers a second these last four seconds
const REFILL = 12;

export const supply = {
  faces: [], // the first one is shown
  left: null, // how many more this person could be asked
  isEmpty: false, // the server has no more for now
  problem: "",
};

const answered = new Set(); // in this tab; the server may not know it yet
let asking = null;
let timer = 0;
let generation = 0;

/** Decode a face's picture ahead; `face.picture` is the image once it can be shown, `face.lost` why it can't. */
export function prepare(face) {
  if (face.coming) return face.coming;
  face.coming = (async () => {
    const image = new Image();
    image.alt = "";
    try {
      await show(image, face.image);
      face.picture = image;
      face.lost = "";
    } catch (error) {
      face.lost = error.status ? error.message : "Its picture can’t be read.";
    }
    changed();
  })();
  return face.coming;
}

/** Fetch more when few are left. */
export async function fill() {
  if (asking || supply.faces.length >= REFILL || supply.isEmpty || timer) return;
  const mine = generation;
  const holding = [...new Set([...supply.faces.map((face) => face.id), ...state.queue.faces()])];
  const asked = { annotator: state.me, tab: state.tab, count: AHEAD - supply.faces.length, holding: holding.join(",") };
  asking = ask("v1/next", { ...asked, rule: state.rule, second: state.second ? "true" : "" });
  try {
    const said = await asking;
    if (mine !== generation) return;
    const held = new Set(supply.faces.map((face) => face.id));
    const fresh = said.faces.filter((face) => !held.has(face.id) && !answered.has(face.id));
    supply.faces.push(...fresh);
    supply.left = said.left ?? null;
    supply.isEmpty = said.faces.length === 0;
    supply.problem = "";
    if (supply.isEmpty || !fresh.length) later(supply.isEmpty ? 2000 : 500); // others may give some back
    fresh.forEach(prepare);
  } catch (error) {
    if (mine === generation) { supply.problem = error.message; later(1000); }
  } finally {
    if (mine === generation) asking = null;
    changed();
  }
  fill();
}

function later(wait) {
  clearTimeout(timer);
  timer = setTimeout(() => { timer = 0; supply.isEmpty = false; fill(); }, wait);
}

/** The first face was answered: the next one is first. */
export function advance() {
  answered.add(supply.faces.shift().id);
  fill();
}

/** A face that was answered elsewhere on this page need not be asked. */
export function leaveOut(id) {
  answered.add(id);
  const index = supply.faces.findIndex((face) => face.id === id);
  if (index > 0) supply.faces.splice(index, 1);
}

/** A face whose answer was taken back comes first again. */
export function putBack(face) {
  answered.delete(face.id);
  supply.faces = [face, ...supply.faces.filter((one) => one.id !== face.id)];
  prepare(face);
}

/** Begin anew: another person, another rule. The face that is shown may go, too. */
export function restart() {
  generation += 1;
  asking = null;
  clearTimeout(timer);
  timer = 0;
  Object.assign(supply, { faces: [], left: null, isEmpty: false, problem: "" });
  answered.clear();
  fill();
}
