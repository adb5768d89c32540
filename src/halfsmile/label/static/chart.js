// The curve: accuracy on faces picked by chance against the number of answers, with its interval.
import { amount, element, percent } from "./dom.js";

const HIGH = 280;
const NAMES = { finetune: "recipe, fine-tuned", recipe: "recipe, whole" };
const [LEFT, RIGHT, TOP, BOTTOM] = [48, 70, 14, 34];

function drawn(tag, attributes, text = "") {
  const made = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.textContent = text;
  return made;
}

/** A round step so that an axis has about five marks. */
export function step(most) {
  const rough = most / 5;
  const ten = 10 ** Math.floor(Math.log10(rough));
  return Math.max(1, [1, 2, 5, 10].find((one) => one * ten >= rough) * ten);
}

const isRecipe = (point) => (point.what ?? "head") !== "head";

/** The chart of points {answers, accuracy, interval, tested}, so many pixels wide; and the same as a table. */
export function curve(points, width) {
  const most = Math.max(10, points.at(-1).answers);
  const x = (answers) => LEFT + (width - LEFT - RIGHT) * (answers / most);
  const y = (share) => TOP + (HIGH - TOP - BOTTOM) * (1 - share);
  const last = points.at(-1);
  const parts = [];
  for (const share of [0, 0.25, 0.5, 0.75, 1]) {
    parts.push(drawn("line", { class: "rule", x1: LEFT, x2: width - RIGHT, y1: y(share), y2: y(share) }));
    parts.push(drawn("text", { class: "mark", x: LEFT - 8, y: y(share) + 4, "text-anchor": "end" }, percent(share)));
  }
  const marks = step(most);
  for (let answers = 0; answers <= most; answers += marks) {
    parts.push(drawn("text", { class: "mark", x: x(answers), y: HIGH - BOTTOM + 18, "text-anchor": "middle" }, amount(answers)));
  }
  parts.push(drawn("text", { class: "mark", x: width - RIGHT + 10, y: HIGH - BOTTOM + 18 }, "answers"));
  const withBand = points.filter((point) => point.interval);
  if (withBand.length > 1) {
    const edge = (i) => withBand.map((point) => `${x(point.answers)},${y(point.interval[i])}`);
    parts.push(drawn("polygon", { class: "band", points: [...edge(1), ...edge(0).reverse()].join(" ") }));
  }
  parts.push(drawn("polyline", { class: "line", points: points.map((point) => `${x(point.answers)},${y(point.accuracy)}`).join(" ") }));
  if (last.interval) parts.push(drawn("line", { class: "whisker", x1: x(last.answers), x2: x(last.answers), y1: y(last.interval[0]), y2: y(last.interval[1]) }));
  const isShown = (point) => points.length <= 40 || point === last || isRecipe(point);
  for (const point of points.filter(isShown)) {
    const [cx, cy, r] = [x(point.answers), y(point.accuracy), point === last ? 5 : 3];
    if (!isRecipe(point)) parts.push(drawn("circle", { class: "point", cx, cy, r }));
    else {
      if (point.interval) parts.push(drawn("line", { class: "whisker thin", x1: cx, x2: cx, y1: y(point.interval[0]), y2: y(point.interval[1]) }));
      parts.push(drawn("path", { class: "point recipe", d: `M${cx} ${cy - 7}L${cx + 7} ${cy}L${cx} ${cy + 7}L${cx - 7} ${cy}Z` }));
      if (point !== last) parts.push(drawn("text", { class: "mark", x: cx, y: cy - 12, "text-anchor": "middle" }, "recipe"));
    }
  }
  parts.push(drawn("text", { class: "value", x: x(last.answers) + 12, y: y(last.accuracy) + 5 }, percent(last.accuracy)));
  if (isRecipe(last)) parts.push(drawn("text", { class: "mark", x: x(last.answers) + 12, y: y(last.accuracy) + 21 }, "recipe"));
  const picture = drawn("svg", { class: "curve", width: width, height: HIGH, viewBox: `0 0 ${width} ${HIGH}`, role: "img" });
  picture.setAttribute("aria-label", `Accuracy against answers: from ${percent(points[0].accuracy)} at ${amount(points[0].answers)} to ${percent(last.accuracy)} at ${amount(last.answers)}.`);
  picture.append(...parts);
  const cells = (tag, texts) => element("tr", {}, ...texts.map((text) => element(tag, { textContent: text, ...(tag === "th" ? { scope: "col" } : {}) })));
  const rows = points.map((point) => cells("td", [
    amount(point.answers), NAMES[point.what] ?? "quick model", percent(point.accuracy), point.interval ? `${percent(point.interval[0])} to ${percent(point.interval[1])}` : "–", amount(point.tested ?? 0),
  ]));
  return element("div", { className: "chart" }, picture, element("details", {}, element("summary", { textContent: "The same as a table" }),
    element("table", {}, element("thead", {}, cells("th", ["Answers", "Model", "Accuracy", "Interval", "Tested on"])), element("tbody", {}, ...rows))));
}
