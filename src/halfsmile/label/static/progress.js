// How far one is: the curve, what is left to gain, labels per class, and the training.
import { curve } from "./chart.js";
import { $, amount, color, element, isSet, percent, some } from "./dom.js";
import { ask, tell } from "./server.js";
import { refresh, state } from "./state.js";

const KINDS = { finetune: "fine-tuned", recipe: "the whole recipe" };
let said = null; // what is drawn
let timer = 0;

const card = (title, ...children) => element("section", { className: "card" }, element("h2", { textContent: title }), ...children);

function figure(value, name, note = "") {
  return element("div", { className: "figure" }, element("b", { textContent: value }), element("span", { textContent: name }), element("small", { textContent: note }));
}

function figures(found) {
  const { project } = state;
  const last = found.points.at(-1);
  const made = [figure(`${amount(project.answered)}`, "answered", `of ${some(project.faces, "face")}`)];
  if (last) {
    made.unshift(figure(percent(last.accuracy), "accuracy", last.interval
      ? `${percent(last.interval[0])} to ${percent(last.interval[1])}, on ${some(last.tested, "face")} picked by chance` : ""));
  }
  if (isSet(found.expected_gain)) {
    const points = 100 * found.expected_gain;
    made.push(figure(`${points < 0 ? "−" : "+"}${Math.abs(points).toFixed(1)}`, "points of accuracy", "that the next hundred answers should bring"));
  }
  if (isSet(found.per_minute)) made.push(figure(Math.round(found.per_minute), "answers a minute"));
  if (isSet(found.agreement_with_model)) made.push(figure(percent(found.agreement_with_model), "as the model guessed", "of your last answers"));
  return element("div", { className: "figures" }, ...made);
}

function advice({ advised, reason }) {
  return element("div", { className: advised ? "advice stop" : "advice", role: "note" },
    element("span", { className: "sign", ariaHidden: "true", textContent: advised ? "✓" : "→" }),
    element("div", {}, element("h2", { textContent: advised ? "You can stop here" : "Go on" }), element("p", { textContent: reason ?? "" })));
}

function perClass(counts) {
  const most = Math.max(1, ...Object.values(counts));
  const list = element("dl", { className: "bars" });
  for (const [name, count] of Object.entries(counts)) {
    const fill = element("i");
    fill.style.width = `${(100 * count) / most}%`;
    fill.style.background = color(name);
    list.append(element("dt", { textContent: name }), element("dd", { className: "meter", ariaHidden: "true" }, fill),
      element("dd", { className: "number", textContent: amount(count) }));
  }
  return list;
}

const MINUTES = 90; // seconds from which minutes are said
const lasted = (seconds) => (seconds < 10 ? `${seconds.toFixed(1)} s` : seconds < MINUTES ? `${Math.round(seconds)} s` : `${Math.round(seconds / 60)} minutes`);

/** The recipe: whether it pays, how far it is, and what became of it. */
function recipe({ recipe: running, recipe_last: last, recipe_pays: pays }) {
  const button = (what, text, hint, isMain = false) => {
    const made = element("button", { type: "button", textContent: text, title: hint, className: isMain ? "primary" : "", disabled: Boolean(running) && what !== "stop" });
    made.id = `train-${what}`;
    made.addEventListener("click", () => train(what));
    return made;
  };
  if (running) {
    return card("The recipe", element("p", { textContent: `${running.says}: ${percent(running.share)}. You can label on meanwhile.`.replace(/^./, (letter) => letter.toUpperCase()) }),
      element("progress", { max: 1, value: running.share, ariaLabel: "Training the recipe" }),
      element("div", { className: "row" }, button("stop", "Stop it", "It goes on from there when you start it again.")));
  }
  const ended = last && !last.error ? `It has learned from ${last.says}.` : "";
  return card("The recipe",
    element("p", { textContent: "The quick model leaves the face network as it is. The recipe trains the network itself, in a process of its own; its model takes over when it is done." }),
    ...(pays ? [element("p", { className: pays.advised ? "pays" : "hint", textContent: pays.reason })] : []),
    ...(ended ? [element("p", { textContent: ended })] : []),
    ...(last?.error ? [element("p", { className: last.error.includes("was stopped") ? "hint" : "error", role: "status", textContent: last.error })] : []),
    element("div", { className: "row" },
      button("finetune", "Fine-tune the network", "Stage II: minutes", pays?.advised),
      button("recipe", "The whole recipe", "Stage III too: faces without labels teach as well; much longer")),
    element("p", { className: "hint", textContent: "Fine-tuning takes minutes. The whole recipe also learns from the faces that nobody has labeled, and takes several times as long." }));
}

function training({ training: running, last }, error) {
  const { model, features } = state.project;
  const seconds = last && !last.error && (model?.what ?? "head") === "head" ? ` in ${lasted(last.seconds)}` : "";
  const kind = model && (model.what ?? "head") !== "head" ? `, ${KINDS[model.what] ?? model.what},` : "";
  const words = model ? `Model ${model.number}${kind} learned from ${some(model.answers, "answer")}${seconds}. ${kind ? "Answers that come now are learned on top." : "It learns again by itself."}`
    : features ? `No model yet. The faces are being looked at first: ${percent(features.done / features.total)}.` : "No model yet. It learns by itself after some answers.";
  const bar = element("progress", { max: 1, value: running?.share ?? 0, ariaLabel: "Training" });
  const button = element("button", { type: "button", textContent: "Train now", title: "seconds: what the answers add", disabled: Boolean(running) });
  button.id = "train-head";
  button.addEventListener("click", () => train("head"));
  const doing = running && `${running.says || "learning"}: ${percent(running.share)}. You can label on meanwhile.`.replace(/^./, (letter) => letter.toUpperCase());
  return element("div", { className: "stack" }, element("p", { textContent: doing || words }),
    ...(running ? [bar] : []), ...(error || last?.error ? [element("p", { className: "error", role: "alert", textContent: error || last.error })] : []), element("div", { className: "row" }, button));
}

async function train(what) {
  try {
    await tell("v1/train", { what });
  } catch (error) {
    said = null;
    await draw(error.message);
    return;
  }
  await refresh();
  await draw();
}

async function draw(error = "") {
  let found;
  let trained;
  try {
    [found, trained] = await Promise.all([ask("v1/curve"), ask("v1/training")]);
  } catch (failed) {
    $("progress-body").replaceChildren(element("p", { className: "error", textContent: failed.message }));
    said = null;
    return;
  }
  const now = JSON.stringify([found, trained, error, state.project?.answered, state.project?.features, $("progress-body").clientWidth]);
  if (now === said || !state.project || $("view-progress").hidden) return;
  said = now;
  const focused = document.activeElement?.id;
  const isOpen = $("progress-body").querySelector("details")?.open;
  const picture = found.points.length ? curve(found.points, $("progress-body").clientWidth - 38)
    : element("p", { className: "hint", textContent: "The curve begins with the first model. Every now and then a face picked by chance is asked; it is kept apart, so the curve shows a real accuracy." });
  $("progress-body").replaceChildren(
    advice(found.stop ?? state.project.stop ?? {}),
    figures(found),
    element("div", { className: "cards" },
      card("Accuracy on faces picked by chance", picture), card("Answers per class", perClass(found.per_class)), element("div", { className: "stack" }, card("Training", training(trained, error)), recipe(trained))),
  );
  if (isOpen) $("progress-body").querySelector("details").open = true;
  if (focused) $(focused)?.focus();
}

export function open() {
  said = null;
  draw();
  clearInterval(timer);
  timer = setInterval(() => { if (!document.hidden) draw(); }, 2000);
}

export const close = () => clearInterval(timer);
