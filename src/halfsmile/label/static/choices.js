// The classes as buttons: key, name, and behind them the model's guess as a bar; in votes mode with counts.
import { color, element, percent } from "./dom.js";
import { classes, state } from "./state.js";

export class Choices {
  votes = new Map(); // class to count
  #rows = new Map(); // class to its parts
  #known = "";

  /** `pick(name, count)` is called with 1 for a class, −1 to take a vote back. */
  constructor(box, pick) {
    this.box = box;
    this.pick = pick;
    box.addEventListener("keydown", (event) => this.#move(event));
    this.search = element("input", { type: "search", className: "find", placeholder: "Find a class  /", ariaLabel: "Find a class", autocomplete: "off", hidden: true });
    this.search.addEventListener("input", () => this.#filter());
    this.search.addEventListener("keydown", (event) => this.#found(event));
    box.before(this.search);
  }

  /** Show a face's guess and what the person answered before. */
  draw(guess, answer) {
    this.#build();
    const chances = new Map((guess ?? []).map((one) => [one.name, one.probability]));
    const best = guess?.[0]?.name;
    this.box.classList.toggle("voting", state.isVoting);
    for (const [name, parts] of this.#rows) {
      const chance = chances.get(name);
      const count = this.votes.get(name) ?? 0;
      const isMine = state.isVoting ? count > 0 : Boolean(answer && answer.kind !== "skip" && answer.labels?.includes(name));
      parts.bar.style.width = `${chance >= 0.005 ? 100 * chance : 0}%`;
      const isSaid = chance !== undefined && (this.#rows.size <= 10 || chance >= 0.005);
      parts.number.textContent = isSaid ? percent(chance) : "";
      parts.row.classList.toggle("best", name === best);
      parts.row.classList.toggle("mine", isMine);
      parts.count.textContent = state.isVoting && count ? `${count}` : isMine ? "✓" : "";
      parts.less.hidden = !state.isVoting;
      parts.less.disabled = !count;
      if (state.isVoting) parts.pickButton.removeAttribute("aria-pressed");
      else parts.pickButton.ariaPressed = String(isMine);
      parts.pickButton.ariaLabel = [
        name, chance === undefined ? "" : `model says ${percent(chance)}`, state.isVoting ? `${count} votes` : "",
      ].filter(Boolean).join(", ");
    }
  }

  /** The class of a key, or undefined. */
  named(key) {
    return classes().find((one) => one.key === key)?.name;
  }

  /** Go to the field that finds a class; only there where there are many. */
  find() {
    if (!this.search.hidden) this.search.focus();
  }

  /** Show the classes whose names hold what is typed. */
  #filter() {
    const wanted = this.search.value.trim().toLowerCase();
    for (const [name, { row }] of this.#rows) row.hidden = !name.toLowerCase().includes(wanted);
  }

  /** Enter takes the first class that is found, Escape ends it. */
  #found(event) {
    if (event.key !== "Enter" && event.key !== "Escape") return;
    event.preventDefault();
    const first = [...this.#rows].find(([, { row }]) => !row.hidden)?.[0];
    const isChosen = event.key === "Enter" && this.search.value.trim() && first;
    this.search.value = "";
    this.#filter();
    this.search.blur();
    if (isChosen) this.pick(first, 1);
  }

  #build() {
    const wanted = JSON.stringify(classes());
    if (wanted === this.#known) return;
    this.#known = wanted;
    this.#rows.clear();
    for (const { name, key } of classes()) {
      const bar = element("i", { className: "bar" });
      bar.style.background = color(name);
      const number = element("span", { className: "number" });
      const count = element("span", { className: "tally" });
      const dot = element("i", { className: "dot" });
      dot.style.background = color(name);
      const pickButton = element("button", { type: "button", className: "pick" }, bar, element("kbd", { textContent: key ?? "·", className: key ? "" : "keyless" }), dot,
        element("span", { className: "name", textContent: name, title: name }), count, number);
      const less = element("button", { type: "button", className: "less", textContent: "−", ariaLabel: `One vote less for ${name}`, hidden: true });
      const row = element("div", { className: "choice" }, pickButton, less);
      pickButton.addEventListener("click", () => this.pick(name, 1));
      less.addEventListener("click", () => this.pick(name, -1));
      this.#rows.set(name, { row, bar, number, count, pickButton, less });
    }
    this.box.replaceChildren(...[...this.#rows.values()].map((parts) => parts.row));
    this.box.classList.toggle("many", classes().length > 10);
    this.search.hidden = classes().length <= 10;
    this.#filter();
  }

  /** Up and down go from class to class. */
  #move(event) {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (!step || event.target.className !== "pick") return;
    this.focus(step);
    event.preventDefault();
  }

  /** Go to the next class, or first to the one that the model guesses. */
  focus(step) {
    const all = [...this.#rows.values()].filter((parts) => !parts.row.hidden);
    const at = all.findIndex((parts) => parts.pickButton === document.activeElement);
    const best = Math.max(0, all.findIndex((parts) => parts.row.classList.contains("best")));
    all[at < 0 ? best : (at + step + all.length) % all.length]?.pickButton.focus();
  }
}
