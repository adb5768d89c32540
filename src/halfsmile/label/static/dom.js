// Short ways to the document, and words for numbers.

export const $ = (id) => document.getElementById(id);

export function element(tag, properties = {}, ...children) {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...children);
  return made;
}

/** Say something: shown under the face, and read out by screen readers. */
export const say = (text) => { $("live").textContent = text; };

export const percent = (value) => `${Math.round(100 * value)}\u00a0%`;
export const amount = (value) => value.toLocaleString("en-US");
export const some = (number, one, many = `${one}s`) => `${amount(number)} ${number === 1 ? one : many}`;
export const isSet = (value) => value !== null && value !== undefined;

const COLORS = {
  neutral: "#8a8f98", happiness: "#f2b134", surprise: "#2f9bd6", sadness: "#4464b8", anger: "#cf3f52",
  disgust: "#5f9440", fear: "#8a56a8", contempt: "#a5703f", other: "#4aa3a0",
};
const OTHERS = ["#c2689b", "#7d8f2e", "#5b7fd0", "#b5793a", "#8470c9"];

const own = (label) => (Object.hasOwn(COLORS, label) ? COLORS[label] : undefined);

const given = new Map(); // class to color, where the name has none of its own

const place = (label) => [...label].reduce((total, letter) => total + letter.codePointAt(0), 0) % OTHERS.length;

/** Give each class a color that no other has, as long as there are enough; what comes later changes none before. */
export function giveColors(labels) {
  given.clear();
  const taken = new Set(labels.map(own));
  for (const label of labels.filter((one) => !own(one))) {
    const first = place(label);
    const free = [...OTHERS.slice(first), ...OTHERS.slice(0, first)].find((one) => !taken.has(one)) ?? OTHERS[first];
    given.set(label, free);
    taken.add(free);
  }
}

/** The color of a class. */
export const color = (label) => own(label) ?? given.get(label) ?? OTHERS[place(label)];

/** What a person said of a face, in words. */
export function told(answer) {
  if (!answer) return "";
  const words = { not_a_face: "not a face", cant_tell: "can’t tell", skip: "skipped" };
  if (answer.kind === "votes" && answer.votes) {
    const named = Object.entries(answer.votes).filter(([, count]) => count > 0).sort((a, b) => b[1] - a[1]);
    return named.map(([label, count]) => (count > 1 ? `${label} ${count}×` : label)).join(", ");
  }
  return words[answer.kind] ?? (answer.labels ?? []).join(", ");
}
