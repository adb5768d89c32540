// The project: who labels and how, the classes, files to take away, and where everything lies.
import { $, color, element, some } from "./dom.js";
import { download, tell } from "./server.js";
import { changed, classes, prefer, refresh, state, take } from "./state.js";
import { restart } from "./supply.js";

const EXPORTS = [
  ["csv", "Table (CSV)", "labels.csv", "a face a line"],
  ["folders", "Class folders (ZIP)", "labels.zip", "the pictures, one folder a class"],
  ["label-studio", "Label Studio (ZIP)", "label-studio.zip", "tasks with their pictures, to go on there"],
];
const RULES = {
  diverse: "uncertain and unlike each other", rare: "the same, rare classes first", margin: "two classes nearly level",
  entropy: "least sure", badge: "uncertain and unlike, of all faces", "core-set": "unlike all that was asked", random: "by chance",
};
let said = null;
let note = "";

const card = (title, ...children) => element("section", { className: "card" }, element("h2", { textContent: title }), ...children);

function chosen(text, name, options, change) {
  const select = element("select", {}, ...options.map(([value, words]) => element("option", { value, textContent: words })));
  select.value = options.some(([value]) => value === state[name]) ? state[name] : options[0][0];
  select.addEventListener("change", () => { prefer(name, select.value); change?.(); });
  return element("label", { className: "field" }, element("span", { textContent: text }), select);
}

function you() {
  const name = element("input", { value: state.me, maxLength: 60, autocomplete: "off", required: true });
  const form = element("form", {}, element("label", { className: "field" }, element("span", { textContent: "Your name, as it stands beside your answers" }), name));
  const save = () => {
    const given = name.value.trim().normalize("NFC");
    const wanted = (state.project.annotators ?? []).find((one) => one.toLowerCase() === given.toLowerCase()) ?? given;
    name.value = wanted || state.me;
    if (!wanted || wanted === state.me) return;
    prefer("me", wanted);
    restart();
    refresh();
  };
  form.addEventListener("submit", (event) => { event.preventDefault(); save(); });
  name.addEventListener("change", save);
  const second = element("input", { type: "checkbox", checked: state.second });
  second.addEventListener("change", () => { prefer("second", second.checked); restart(); });
  return card("You", form,
    chosen("The model’s guess is shown", "guess", [["measured", "but not on faces that measure the model"], ["always", "always"], ["never", "never"]]),
    ...(state.project.rules?.length ? [ruleField()] : []),
    element("label", { className: "check" }, second, element("span", { textContent: "Second opinions: ask me about faces that others have answered" })));
}

/** What picks the faces, for everybody. */
function ruleField() {
  const { rule, rules } = state.project;
  const select = element("select", {}, ...rules.map((name) => element("option", { value: name, textContent: RULES[name] ? `${name}: ${RULES[name]}` : name })));
  select.value = rule;
  select.addEventListener("change", async () => {
    await change("v1/rule", { rule: select.value });
    restart();
  });
  return element("label", { className: "field" }, element("span", { textContent: "What picks the faces to ask, for everybody" }), select);
}

async function change(address, body) {
  try {
    take(await tell(address, body));
    note = "";
  } catch (error) { note = error.message; }
  said = null;
  changed();
  draw();
}

function classRow({ name, key }) {
  const dot = element("i", { className: "dot" });
  dot.style.background = color(name);
  const input = element("input", { value: name, ariaLabel: `Name of the class ${name}`, autocomplete: "off", maxLength: 60 });
  input.addEventListener("change", () => {
    const wanted = input.value.trim();
    if (wanted && wanted !== name) change("v1/classes", { rename: [name, wanted] }); else input.value = name;
  });
  const others = classes().filter((one) => one.name !== name);
  const merge = element("select", { ariaLabel: `Merge ${name} into another class` }, element("option", { value: "", textContent: "merge into…" }),
    ...others.map((one) => element("option", { value: one.name, textContent: one.name })));
  merge.addEventListener("change", () => {
    const into = merge.value;
    if (into && confirm(`Every answer “${name}” will count as “${into}”. The answers themselves are kept as they were given. Merge?`)) change("v1/classes", { merge: [name, into] });
    else merge.value = "";
  });
  return element("li", {}, element("kbd", { textContent: key ?? "·" }), dot, input, merge);
}

function classesCard() {
  const input = element("input", { placeholder: "A new class", ariaLabel: "A new class", autocomplete: "off", maxLength: 60, required: true, id: "class-new" });
  const form = element("form", { className: "row" }, input, element("button", { textContent: "Add" }));
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (input.value.trim()) await change("v1/classes", { add: input.value.trim() });
    $("class-new")?.focus();
  });
  return card("Classes", element("ul", { className: "classes" }, ...classes().map(classRow)), form,
    ...(note ? [element("p", { className: "error", role: "alert", textContent: note })] : []),
    element("p", { className: "hint", textContent: "A change holds for all answers, earlier ones too, and is kept on record." }));
}

/** A path as a shell takes it. */
const quoted = (path) => (/^[\w./:\\-]+$/.test(path) ? path : `'${path.replaceAll("'", "'\\''")}'`);

function takeAway() {
  const rows = EXPORTS.map(([format, text, file, hint]) => {
    const button = element("button", { type: "button", textContent: text });
    const about = element("span", { className: "hint", textContent: hint });
    button.addEventListener("click", async () => {
      const isSaved = await state.queue.settled();
      about.textContent = isSaved ? hint : `without ${some(state.queue.waiting.length, "answer")} not saved yet`;
      download("v1/export", { format }, file).catch((error) => { about.textContent = error.message; });
    });
    return element("div", { className: "row" }, button, about);
  });
  return card("Take it away", ...rows,
    element("p", { className: "hint", textContent: "To train the whole recipe by the command line:" }),
    element("pre", { tabIndex: 0, textContent: `halfsmile train ssfer --data ${quoted(state.project.stored)} --init face --labels all --out runs/mine` }));
}

function where() {
  const { stored, annotators, faces, problems } = state.project;
  const files = [["answers.jsonl", "every answer the moment it was given, only ever added to"], ["labels.csv", "the labels as they stand, written at each training"], ["labels.parquet", "the same, for halfsmile train"]];
  return card("What is stored, and where",
    element("p", { textContent: "Everything stays on the computer that serves this page:" }), element("pre", { tabIndex: 0, textContent: stored }),
    element("dl", { className: "files" }, ...files.flatMap(([name, text]) => [element("dt", { textContent: name }), element("dd", { textContent: text })])),
    element("p", { className: "hint", textContent: "Pictures stay where they were. This browser keeps your name, your settings, and answers that are not saved yet; nothing goes anywhere else." }),
    ...(annotators?.length > 1 ? [element("p", { textContent: `${some(faces, "face")}, answered by ${annotators.join(", ")}.` })] : []),
    ...(problems ?? []).map((text) => element("p", { className: "error", textContent: text })));
}

function draw() {
  if (!state.project) return;
  const now = JSON.stringify([state.project.classes, state.project.stored, state.project.rules, state.project.annotators, state.project.rule, state.project.problems, state.me, note]);
  if (now === said || $("project-body").contains(document.activeElement) && said && document.activeElement.matches("input:not([type=checkbox])") && document.activeElement.value !== document.activeElement.defaultValue) return;
  said = now;
  const stack = (...cards) => element("div", { className: "stack" }, ...cards);
  $("project-body").replaceChildren(stack(classesCard(), takeAway()), stack(you(), where()));
}

export function open() {
  said = null;
  draw();
}

export const update = draw;
