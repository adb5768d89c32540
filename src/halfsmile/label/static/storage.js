// What the browser keeps for this page; where it refuses to, the page does without.

const kinds = { tab: () => sessionStorage, browser: () => localStorage };
const PREFIX = "halfsmile.label.";

const tried = (act, otherwise = null) => {
  try { return act(); } catch { return otherwise; }
};

/** A text; null if there is none. "tab" outlives a reload, "browser" a closed tab. */
export const read = (kind, name) => tried(() => kinds[kind]().getItem(PREFIX + name));

/** Keep a text; null forgets it. */
export const write = (kind, name, text) => tried(() => {
  if (text === null) kinds[kind]().removeItem(PREFIX + name); else kinds[kind]().setItem(PREFIX + name, text);
});

/** Names that begin so. */
export const names = (kind, start) => tried(() => Object.keys(kinds[kind]())
  .filter((name) => name.startsWith(PREFIX + start)).map((name) => name.slice(PREFIX.length)), []);

/** A kept object; empty if there is none or it can’t be read. */
export const readObject = (kind, name) => tried(() => JSON.parse(read(kind, name) ?? "{}"), {});
