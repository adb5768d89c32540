// How far one is: the curve, what is left to gain, labels per class, and the training.
import { curve } from "./chart.js";
import { $, amount, color, element, isSet, percent, some } from "./dom.js";
import { ask, tell } from "./server.js";
import { refresh, state } from "./state.js";

let said = null; // what is drawn
let timer = 0;

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

function training({ training: running, last }, error) {
  const { model } = state.project;
  const seconds = last && !last.error ? ` in ${last.seconds < 10 ? last.seconds.toFixed(1) : Math.round(last.seconds)} s` : "";
  const words = model ? `Model ${model.number} learned from ${some(model.answers, "answer")}${seconds}. It learns again by itself.`
    : "No model yet. It learns by itself after some answers.";
  const bar = element("progress", { max: 1, value: running?.share ?? 0, ariaLabel: "Training" });
  const ways = [["head", "Train now", "seconds: what the answers add to the face network"], ["recipe", "Train the whole recipe", "minutes: the network learns, too"]];
  const buttons = ways.map(([what, text, note]) => {
    const button = element("button", { type: "button", textContent: text, title: note, disabled: running?.what === what });
    button.id = `train-${what}`;
    button.addEventListener("click", () => train(what));
    return button;
  });
  const doing = running && `${running.says || "learning"}: ${percent(running.share)}. You can label on meanwhile.`.replace(/^./, (letter) => letter.toUpperCase());
  return element("div", { className: "stack" }, element("p", { textContent: doing || words }),
    ...(running ? [bar] : []), ...(error || last?.error ? [element("p", { className: "error", role: "alert", textContent: error || last.error })] : []), element("div", { className: "row" }, ...buttons),
    element("p", { className: "hint", textContent: "Train now takes seconds; the whole recipe takes minutes and pays with more answers." }));
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

const card = (title, ...children) => element("section", { className: "card" }, element("h2", { textContent: title }), ...children);

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
  const now = JSON.stringify([found, trained, error, state.project?.answered, $("progress-body").clientWidth]);
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
      card("Accuracy on faces picked by chance", picture), card("Answers per class", perClass(found.per_class)), card("Training", training(trained, error))),
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
