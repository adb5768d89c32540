// Ten thousand faces in one sheet: only the rows that are seen exist, and pages come when they are needed.
import { element } from "./dom.js";

const PAGE = 60;
const PAGES = 40; // kept
const SPARE = 2; // rows above and below

export class Scroller {
  total = 0;
  #pages = new Map(); // page to faces, or a promise of them
  #rows = new Map(); // row to its element
  #columns = 1;
  #side = 1;
  #focused = 0;
  #generation = 0;
  #due = 0;

  /**
   * @param {HTMLElement} box that scrolls
   * @param {string} name for screen readers
   * @param {{fetch: (offset: number, limit: number) => Promise<{total: number, faces: object[]}>,
   *   fill: (tile: HTMLElement, face: object) => void, open: (index: number) => void, failed: (error: Error) => void}} by
   */
  constructor(box, name, by) {
    this.by = by;
    this.box = box;
    this.sheet = element("div", { className: "tiles", role: "grid", ariaLabel: name });
    box.replaceChildren(this.sheet);
    box.addEventListener("scroll", () => this.#soon(), { passive: true });
    new ResizeObserver(() => this.#measure()).observe(box);
    this.sheet.addEventListener("keydown", (event) => this.#move(event));
    this.sheet.addEventListener("click", (event) => {
      const tile = event.target.closest(".tile");
      if (tile) this.by.open(Number(tile.dataset.index));
    });
  }

  /** Show other faces, from the top; or the same ones anew, where it stands. */
  async load(isSame = false) {
    const mine = (this.#generation += 1);
    const hadFocus = this.sheet.contains(document.activeElement);
    this.#pages.clear();
    if (!isSame) { this.box.scrollTop = 0; this.#focused = 0; }
    const first = Math.floor((this.box.scrollTop / (this.#high || 1)) * this.#columns / PAGE);
    await this.#page(first);
    if (mine !== this.#generation) return;
    this.#measure();
    if (hadFocus) this.focus(this.#focused);
  }

  /** A face by its place in the list. */
  async face(index) {
    return (await this.#page(Math.floor(index / PAGE)))[index % PAGE] ?? null;
  }

  get #high() { return this.#side + 44; }

  #page(number) {
    if (this.#pages.has(number)) return this.#pages.get(number);
    const mine = this.#generation;
    const coming = this.by.fetch(number * PAGE, PAGE).then((said) => {
      if (mine !== this.#generation) return [];
      this.#pages.set(number, said.faces);
      if (said.total !== this.total) this.#clear();
      this.total = said.total;
      said.faces.forEach((face, i) => {
        const tile = this.#tile(number * PAGE + i);
        if (tile) this.by.fill(tile, face);
      });
      this.#soon();
      return said.faces;
    }, (error) => {
      this.#pages.delete(number);
      if (mine === this.#generation) this.by.failed(error);
      return [];
    });
    this.#pages.set(number, coming);
    const [oldest] = this.#pages.keys();
    if (this.#pages.size > PAGES) this.#pages.delete(oldest);
    return coming;
  }

  #measure() {
    const width = this.box.clientWidth;
    if (!width) return;
    this.#columns = Math.max(2, Math.floor(width / (width < 500 ? 104 : 128)));
    this.#side = Math.floor(width / this.#columns) - 8;
    this.#clear();
    this.#draw();
  }

  #clear() {
    this.#rows.forEach((row) => row.remove());
    this.#rows.clear();
  }

  #tile(index) { return this.sheet.querySelector(`[data-index="${index}"]`); }

  #soon() {
    this.#due ||= requestAnimationFrame(() => { this.#due = 0; this.#draw(); });
  }

  #draw() {
    const rows = Math.ceil(this.total / this.#columns);
    this.sheet.style.height = `${rows * this.#high}px`;
    this.sheet.ariaRowCount = String(rows);
    this.sheet.ariaColCount = String(this.#columns);
    const first = Math.max(0, Math.floor(this.box.scrollTop / this.#high) - SPARE);
    const last = Math.min(rows - 1, Math.ceil((this.box.scrollTop + this.box.clientHeight) / this.#high) + SPARE);
    for (const [number, row] of this.#rows) {
      if ((number < first || number > last) && !row.contains(document.activeElement)) { row.remove(); this.#rows.delete(number); }
    }
    for (let number = first; number <= last; number += 1) if (!this.#rows.has(number)) this.#add(number);
    for (let page = Math.floor(first * this.#columns / PAGE); page * PAGE < Math.min(this.total, (last + 1) * this.#columns); page += 1) this.#page(page);
  }

  #add(number) {
    const row = element("div", { className: "tile-row", role: "row", ariaRowIndex: String(number + 1) });
    row.style.transform = `translateY(${number * this.#high}px)`;
    row.style.gridTemplateColumns = `repeat(${this.#columns}, ${this.#side}px)`;
    for (let column = 0; column < this.#columns; column += 1) {
      const index = number * this.#columns + column;
      if (index >= this.total) break;
      const tile = element("div", { className: "tile", role: "gridcell", tabIndex: index === this.#focused ? 0 : -1, ariaColIndex: String(column + 1) });
      tile.dataset.index = index;
      tile.style.setProperty("--side", `${this.#side}px`);
      const page = this.#pages.get(Math.floor(index / PAGE));
      const face = Array.isArray(page) ? page[index % PAGE] : null;
      if (face) this.by.fill(tile, face); else tile.ariaLabel = "coming";
      row.append(tile);
    }
    this.#rows.set(number, row);
    this.sheet.append(row);
  }

  #move(event) {
    const inView = Math.max(1, Math.floor(this.box.clientHeight / this.#high)) * this.#columns;
    const step = {
      ArrowLeft: -1, ArrowRight: 1, ArrowUp: -this.#columns, ArrowDown: this.#columns, PageUp: -inView, PageDown: inView,
      Home: -this.total, End: this.total,
    }[event.key];
    if (event.key === "Enter" || event.key === " ") this.by.open(this.#focused);
    else if (step === undefined) return;
    else this.focus(this.#focused + step);
    event.preventDefault();
  }

  /** Move the focus to a face, and scroll so that it is seen. */
  focus(index) {
    const at = Math.min(this.total - 1, Math.max(0, index));
    const top = Math.floor(at / this.#columns) * this.#high;
    this.#tile(this.#focused)?.setAttribute("tabindex", "-1");
    this.#focused = at;
    if (top < this.box.scrollTop) this.box.scrollTop = top;
    if (top + this.#high > this.box.scrollTop + this.box.clientHeight) this.box.scrollTop = top + this.#high - this.box.clientHeight;
    this.#draw();
    const tile = this.#tile(at);
    tile?.setAttribute("tabindex", "0");
    tile?.focus({ preventScroll: true });
  }
}
