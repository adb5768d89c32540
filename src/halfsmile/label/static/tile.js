// A face in a sheet: its picture, what was answered, and what the model says.
import { color, element, percent, told } from "./dom.js";
import { show } from "./server.js";
import { visibleGuess } from "./session.js";
import { state } from "./state.js";

/** The answer that counts for a tile: one's own, or else anybody's. */
export const answerOf = (face) => face.answers?.[state.me] ?? Object.values(face.answers ?? {})[0] ?? null;

export function picture(face) {
  const image = element("img", { alt: "", decoding: "async", draggable: false });
  const fail = () => image.replaceWith(element("span", { className: "no-picture", textContent: "can’t be read" }));
  image.addEventListener("error", fail);
  show(image, face.image).catch(fail);
  return image;
}

/** Fill a tile. Captions: the answer in ink, the guess softly. */
export function fillTile(tile, face) {
  const answer = answerOf(face);
  const [best] = visibleGuess(face) ?? [];
  const label = answer ? answer.labels?.[0] : best?.name;
  const dot = element("i", { className: "dot" });
  dot.style.background = label ? color(label) : "transparent";
  let first = answer ? told(answer) : best ? `${best.name} ${percent(best.probability)}` : "not answered";
  const people = Object.entries(face.answers ?? {});
  let second = answer && best && best.name !== answer.labels?.[0] ? `model: ${best.name} ${percent(best.probability)}` : "";
  if (face.suggested) second = `model: ${face.suggested}`;
  const said = people.map(([who, one]) => `${who}: ${told(one)}`).join(", ");
  const voices = [...new Set(people.map(([, one]) => told(one)))];
  if (voices.length > 1) first = voices.join(" / ");
  tile.classList.toggle("answered", Boolean(answer));
  tile.ariaLabel = [`Face ${face.id}`, answer ? said : first, second].filter(Boolean).join(", ");
  tile.title = tile.ariaLabel;
  tile.replaceChildren(picture(face), element("span", { className: "caption" }, dot, element("b", { textContent: first }),
    element("small", { textContent: second })));
}
