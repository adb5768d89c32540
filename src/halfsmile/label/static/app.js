// The page's wiring: views by address, keys, what is saved, and the project read now and then.
import * as browse from "./browse.js";
import { $, amount, element, some } from "./dom.js";
import * as grid from "./grid.js";
import * as label from "./label.js";
import * as progress from "./progress.js";
import * as project from "./project.js";
import * as review from "./review.js";
import { server } from "./server.js";
import { closeList, session } from "./session.js";
import { begin, onChange, refresh, state } from "./state.js";
import { fill, keep, restore, supply } from "./supply.js";

const VIEWS = { label: null, grid, browse, review, progress, project };
const KEYS = [
  ["1 … 9, 0", "the class with this number"], ["Enter", "accept the model’s guess; in votes mode: save the votes"],
  ["C", "can’t tell"], ["N", "not a face"], ["S or →", "skip; → goes forward where you went back"],
  ["←", "back to earlier answers"], ["Z or Backspace", "take the last answer back"], ["↑ ↓", "from class to class"],
  ["/", "find a class by its name, where there are more than ten"], ["V", "votes: several answers at once; Shift and a number takes one back"], ["X", "the picture around the face"],
  ["G", "hide or show the guess"], ["+ −", "zoom; drag to move, double click for the detail"],
  ["↑ ↓ ← → Space", "in the grid: move, click out; Enter confirms"], ["?", "this help"],
];
let view = "label";
let number = null; // of the model
let isRefused = false;

/** Show the view of the address. */
function route() {
  const [name, asked = ""] = location.hash.slice(1).split("?");
  if (name === "look" && !session.list) { location.replace("#label"); return; }
  const next = name === "look" ? "label" : name in VIEWS ? name : "label";
  const isNew = next !== view;
  if (isNew) VIEWS[view]?.close?.();
  view = next;
  for (const one of Object.keys(VIEWS)) $(`view-${one}`).hidden = one !== view;
  for (const link of document.querySelectorAll("nav a")) {
    if (link.hash === `#${view}`) link.ariaCurrent = "page"; else link.removeAttribute("aria-current");
  }
  document.title = view === "label" ? "halfsmile label" : `${$(`title-${view}`).textContent} · halfsmile label`;
  if (name === "label" || name === "") closeList();
  VIEWS[view]?.open(new URLSearchParams(asked));
  if (view === "label") label.draw();
  if (isNew) $("main").focus({ preventScroll: true });
}

/** What is saved, what is not, and why. */
function drawSaved() {
  const { waiting, problem, refused } = state.queue;
  const isStuck = Boolean(problem) && waiting.length > 0;
  const count = waiting.filter((one) => one.answer).length;
  $("saved").textContent = isStuck ? `${amount(count)} not saved` : waiting.length ? `Saving ${amount(count)}…` : "All saved";
  $("saved").classList.toggle("bad", isStuck);
  $("saved").classList.toggle("busy", waiting.length > 0 && !isStuck);
  const words = [];
  if (isStuck) words.push(`${some(count, "answer is", "answers are")} not saved yet. ${problem} ${count === 1 ? "It is kept here and sent again by itself" : "They are kept here and sent again by themselves"}.`);
  else if (state.error) words.push(state.error);
  if (refused.length) words.push(`${some(refused.length, "answer was", "answers were")} refused: ${refused[0].reason}`);
  const said = words.join(" ");
  $("banner").hidden = !said;
  if ($("banner").dataset.said === said) return;
  $("banner").dataset.said = said;
  const button = (text, act) => { const made = element("button", { type: "button", textContent: text }); made.addEventListener("click", act); return made; };
  $("banner").replaceChildren(element("p", { textContent: said }), ...(isStuck ? [button("Try now", () => state.queue.retry())] : []),
    ...(refused.length ? [button("Send again", () => state.queue.decide(true)), button("Leave out", () => state.queue.decide(false))] : []));
}

function drawAll() {
  drawSaved();
  if (view === "label") label.draw();
  if (view === "project") project.update();
  const model = state.project?.model?.number ?? null;
  if (model !== number) { number = model; review.count(); }
}

let due = 0;
const soon = () => { due ||= requestAnimationFrame(() => { due = 0; drawAll(); }); };

function onKey(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing || $("help").open || isRefused) return;
  if (event.target.matches("input, select, textarea")) return;
  if (event.key === "?") { openHelp(); event.preventDefault(); return; }
  if ({ label, grid }[view]?.key(event)) event.preventDefault();
}

function openHelp() {
  $("help").showModal();
}

/** Read the project often while something happens, else now and then. */
async function watch() {
  const isBusy = state.project?.training || state.project?.preparing || state.error || !supply.faces.length;
  await new Promise((done) => setTimeout(done, isBusy ? 1000 : 4000));
  if (!document.hidden && !isRefused) await refresh();
  if (!supply.faces.length) fill();
  watch();
}

async function wire() {
  server.refusedKey = () => {
    if (isRefused) return;
    isRefused = true;
    $("key-form").hidden = false;
    $("key").focus();
  };
  $("key-form").addEventListener("submit", async (event) => {
    event.preventDefault();
    server.key = $("key").value.trim();
    isRefused = false;
    await refresh();
    if (isRefused) return;
    $("key-form").hidden = true;
    state.queue.retry();
    fill();
    route();
  });
  $("help-keys").replaceChildren(...KEYS.flatMap(([keys, text]) => [element("dt", {}, ...keys.split(/( or | … |, | )/).map((one) => (/^( or | … |, | )$/.test(one) ? one : element("kbd", { textContent: one })))),
    element("dd", { textContent: text })]));
  $("help-open").addEventListener("click", openHelp);
  $("help-close").addEventListener("click", () => $("help").close());
  $("help").addEventListener("click", (event) => { if (event.target === $("help")) $("help").close(); });
  $("skip").addEventListener("click", (event) => { event.preventDefault(); $("main").focus(); });
  document.addEventListener("keydown", onKey);
  addEventListener("hashchange", route);
  addEventListener("pagehide", keep);
  addEventListener("beforeunload", (event) => { if (state.queue.waiting.length) event.preventDefault(); });
  onChange(soon);
  await begin();
  label.wire();
  browse.wire();
  review.wire();
  grid.wire();
  await refresh();
  restore();
  fill();
  route();
  watch();
}

wire();
