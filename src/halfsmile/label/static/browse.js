// Browsing all faces: by answer, guess, person and whoever answered, in several orders.
import { $, element, some } from "./dom.js";
import { openList } from "./session.js";
import { Scroller } from "./scroller.js";
import { ask } from "./server.js";
import { classes, state } from "./state.js";
import { fillTile } from "./tile.js";

const FIELDS = ["show", "label", "guess", "person", "annotator", "sort"];
const SHOWN = { open: { answered: "false" }, answered: { answered: "true" }, disputed: { disputed: "true" } };
let scroller;
let shown = null;

const form = () => $("filters").elements;
const asked = () => Object.fromEntries(FIELDS.map((name) => [name, form()[name].value.trim()]));

/** What is chosen, as the server is asked. */
const query = ({ show, ...others }) => ({ ...(SHOWN[show] ?? { kind: show }), ...others });

/** What is chosen, in words. */
function words(wanted) {
  const chosen = form().show.selectedOptions[0]?.textContent ?? "";
  const said = [
    chosen.replace(/^./, (letter) => letter.toUpperCase()),
    wanted.label, wanted.guess && `guess ${wanted.guess}`, wanted.person && `person ${wanted.person}`,
    wanted.annotator && `by ${wanted.annotator}`,
    { uncertainty: "uncertain first", disagreement: "disagreement first", doubt: "doubtful first", newest: "last answered first" }[wanted.sort],
  ];
  return said.filter(Boolean).join(", ");
}

function options(select, first, names) {
  const value = select.value;
  select.replaceChildren(element("option", { value: "", textContent: first }), ...names.map((name) => element("option", { value: name, textContent: name })));
  select.value = names.includes(value) ? value : "";
}

/** Show the view; `given` are the filters of its address. */
export function open(given) {
  const names = classes().map((one) => one.name);
  const people = state.project?.annotators ?? [];
  options(form().label, "any", names);
  options(form().guess, "any", names);
  options(form().annotator, "anybody", people);
  $("annotator-filter").hidden = people.length < 2;
  for (const name of FIELDS) form()[name].value = given.get(name) ?? "";
  const wanted = JSON.stringify(asked());
  showPersons();
  scroller.load(wanted === shown);
  shown = wanted;
}

async function showPersons() {
  const { persons } = await ask("v1/persons").catch(() => ({ persons: [] }));
  $("persons").replaceChildren(...persons.map(({ name, faces }) => element("option", { value: name, label: some(faces, "face") })));
}

export function wire() {
  scroller = new Scroller($("browse-scroller"), "Faces", {
    fetch: async (offset, limit) => {
      const said = await ask("v1/faces", { ...query(asked()), offset, limit });
      $("browse-count").textContent = said.total ? some(said.total, "face") : "No face is like this.";
      return said;
    },
    fill: fillTile,
    open: (index) => openList(words(asked()), scroller.total, (i) => scroller.face(i), index),
    failed: (error) => { $("browse-count").textContent = error.message; },
  });
  const changed = () => {
    const chosen = new URLSearchParams(Object.entries(asked()).filter(([, value]) => value));
    location.hash = chosen.size ? `#browse?${chosen}` : "#browse";
  };
  $("filters").addEventListener("change", changed);
  $("filters").addEventListener("submit", (event) => { event.preventDefault(); changed(); });
  $("filters").addEventListener("reset", () => { location.hash = "#browse"; });
}

