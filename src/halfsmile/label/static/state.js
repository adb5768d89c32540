// What the whole page knows: the project, the person who labels, and what this person prefers.
import { giveColors } from "./dom.js";
import { Queue } from "./queue.js";
import { ask, tell } from "./server.js";
import { read, write } from "./storage.js";

const listeners = [];

/** Call this when the project, the preferences or the queue changed. */
export const onChange = (listener) => listeners.push(listener);
export const changed = () => listeners.forEach((listener) => listener());

const kept = (name, otherwise) => read("browser", name) ?? otherwise;

export const state = {
  project: null,
  error: "", // why the project can't be read
  me: kept("name", "me"),
  guess: kept("guess", "measured"), // shown: "always", "measured" (not where a face measures), "never"
  second: kept("second", "") === "yes",
  isVoting: kept("voting", "") === "yes",
  tab: "",
  queue: null,
};

const NAMES = { me: "name", guess: "guess", second: "second", isVoting: "voting" };

/** Change a preference, and keep it. */
export function prefer(name, value) {
  state[name] = value;
  write("browser", NAMES[name], value === true ? "yes" : value === false ? "" : value);
  changed();
}

/** Names and keys; the tenth has the key 0. */
export const classes = () => (state.project?.classes ?? []).map((one, i) => ({ ...one, key: one.key ?? (i === 9 ? "0" : null) }));

/** A name for this tab that outlives a reload, and that no other tab has. */
async function nameTab() {
  const fresh = () => Array.from(crypto.getRandomValues(new Uint8Array(8)), (byte) => byte.toString(16).padStart(2, "0")).join("");
  const own = read("tab", "name") ?? fresh();
  const isMine = !navigator.locks || await new Promise((said) => {
    navigator.locks.request(`halfsmile.label.${own}`, { ifAvailable: true }, (lock) => {
      said(Boolean(lock));
      return lock && new Promise(() => undefined); // held as long as the tab lives
    });
  });
  state.tab = isMine ? own : fresh(); // a tab that was duplicated brings the other's name
  write("tab", "name", state.tab);
}

export const token = () => `${state.tab}-${Date.now().toString(36)}-${(counter += 1).toString(36)}`;
let counter = 0;

export async function begin() {
  await nameTab();
  state.queue = new Queue(state.tab, tell, (said) => {
    if (said && state.project) Object.assign(state.project, { answered: said.answered ?? state.project.answered });
    changed();
  });
  state.queue.adopt();
}

/** What the server says of the project now. */
export function take(project) {
  state.project = project;
  giveColors(project.classes.map((one) => one.name));
}

/** Read the project. */
export async function refresh() {
  try {
    take(await ask("v1/project", { annotator: state.me }));
    state.error = "";
  } catch (error) {
    state.error = error.message;
  }
  changed();
}
