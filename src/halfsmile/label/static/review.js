// Piles to look at again: labels that the model doubts, and faces that people see differently.
import { $, amount, element, isSet, some } from "./dom.js";
import { openList } from "./session.js";
import { Scroller } from "./scroller.js";
import { ask } from "./server.js";
import { fillTile } from "./tile.js";

const PILES = {
  doubts: {
    name: "Doubts", said: "Answers that a model which did not learn from them would not have given. Many are right; some are slips.",
    none: "The model doubts no answer so far.",
  },
  disputes: {
    name: "Disputes", said: "Faces that people answered differently.", none: "Nobody disagrees so far. It takes two people on the same faces.",
  },
};
let pile = "doubts";
let scroller;

async function choose(name) {
  pile = name;
  for (const one of Object.keys(PILES)) $(`pile-${one}`).ariaPressed = String(one === name);
  $("review-said").textContent = PILES[name].said;
  $("agreement").hidden = name !== "disputes";
  scroller.sheet.ariaLabel = PILES[name].name;
  await scroller.load();
  const isSome = scroller.total > 0;
  $("pile-open").hidden = !isSome;
  $("review-said").textContent = isSome ? PILES[name].said : PILES[name].none;
  if (name === "disputes") showAgreement();
}

async function showAgreement() {
  const { kappa, alpha, faces, pairs } = await ask("v1/agreement").catch(() => ({}));
  if (!isSet(kappa) && !isSet(alpha)) { $("agreement").replaceChildren(); return; }
  const number = (value) => (isSet(value) ? value.toFixed(2) : "–");
  const rows = (pairs ?? []).map((pair) => element("tr", {}, element("td", { textContent: pair.annotators.join(" and ") }),
    element("td", { textContent: amount(pair.faces) }), element("td", { textContent: number(pair.kappa) })));
  $("agreement").replaceChildren(
    element("p", { textContent: `On ${some(faces ?? 0, "face")} that several people answered: Cohen’s kappa ${number(kappa)}, Krippendorff’s alpha ${number(alpha)} (1: always the same; 0: as by chance).` }),
    ...(rows.length > 1 ? [element("table", {}, element("thead", {}, element("tr", {}, ...["People", "Faces", "Kappa"].map((text) => element("th", { scope: "col", textContent: text })))),
      element("tbody", {}, ...rows))] : []),
  );
}

/** How many there are, for the navigation. */
export async function count() {
  const found = await Promise.all(Object.keys(PILES).map((name) => ask(`v1/${name}`, { limit: 1 }).then((said) => said.total, () => 0)));
  Object.keys(PILES).forEach((name, i) => { $(`pile-${name}`).textContent = found[i] ? `${PILES[name].name} ${amount(found[i])}` : PILES[name].name; });
  const all = found[0] + found[1];
  $("review-count").hidden = !all;
  $("review-count").textContent = all > 999 ? "999+" : all;
}

export function open() {
  choose(pile);
  count();
}

export function wire() {
  const go = (index) => openList(PILES[pile].name, scroller.total, (i) => scroller.face(i), index);
  scroller = new Scroller($("review-scroller"), "Doubts", {
    fetch: (offset, limit) => ask(`v1/${pile}`, { offset, limit }),
    fill: fillTile,
    open: go,
    failed: (error) => { $("review-said").textContent = error.message; },
  });
  for (const name of Object.keys(PILES)) $(`pile-${name}`).addEventListener("click", () => choose(name));
  $("pile-open").addEventListener("click", () => go(0));
}
