// One picture, large: zoomed by keys, wheel, two fingers or a double click, moved by dragging.
const LARGEST = 8;

export class Stage {
  #image = null;
  #scale = 1;
  #x = 0; // of the picture's middle, in shares of the stage
  #y = 0;
  #fingers = new Map();

  constructor(box) {
    this.box = box;
    box.addEventListener("wheel", (event) => {
      if (!event.ctrlKey && this.#scale === 1 && event.deltaY > 0) return; // the page may scroll on
      event.preventDefault();
      this.zoom(Math.exp(-event.deltaY / 300), event);
    }, { passive: false });
    box.addEventListener("dblclick", (event) => { if (this.#scale > 1) this.reset(); else this.zoom(2.5, event); });
    box.addEventListener("pointerdown", (event) => {
      if (event.button > 0) return;
      this.#fingers.set(event.pointerId, event);
      box.setPointerCapture(event.pointerId);
    });
    box.addEventListener("pointermove", (event) => this.#drag(event));
    for (const end of ["pointerup", "pointercancel"]) box.addEventListener(end, (event) => this.#fingers.delete(event.pointerId));
  }

  /** Show a decoded image; null shows none. */
  show(image, name) {
    if (image === this.#image && this.box.ariaLabel === name) return;
    this.#image = image;
    this.box.replaceChildren(...(image ? [image] : []));
    this.box.ariaLabel = name;
    this.reset();
  }

  reset() {
    [this.#scale, this.#x, this.#y] = [1, 0, 0];
    this.#place();
  }

  /** Make it larger around a point of the screen, or around the middle. */
  zoom(factor, at = null) {
    const area = this.box.getBoundingClientRect();
    const before = this.#scale;
    this.#scale = Math.min(LARGEST, Math.max(1, before * factor));
    const grown = this.#scale / before;
    const x = at ? (at.clientX - area.left) / area.width - 0.5 : 0;
    const y = at ? (at.clientY - area.top) / area.height - 0.5 : 0;
    this.#x = x - (x - this.#x) * grown;
    this.#y = y - (y - this.#y) * grown;
    this.#place();
  }

  #drag(event) {
    const last = this.#fingers.get(event.pointerId);
    if (!last) return;
    const others = [...this.#fingers.values()].filter((one) => one.pointerId !== event.pointerId);
    this.#fingers.set(event.pointerId, event);
    if (others.length) {
      const [other] = others;
      const apart = (one) => Math.hypot(one.clientX - other.clientX, one.clientY - other.clientY);
      const middle = { clientX: (event.clientX + other.clientX) / 2, clientY: (event.clientY + other.clientY) / 2 };
      this.zoom(apart(event) / Math.max(1, apart(last)), middle);
      return;
    }
    const area = this.box.getBoundingClientRect();
    this.#x += (event.clientX - last.clientX) / area.width;
    this.#y += (event.clientY - last.clientY) / area.height;
    this.#place();
  }

  #place() {
    const most = (this.#scale - 1) / 2;
    this.#x = Math.min(most, Math.max(-most, this.#x));
    this.#y = Math.min(most, Math.max(-most, this.#y));
    this.box.classList.toggle("zoomed", this.#scale > 1);
    if (this.#image) this.#image.style.transform = `translate(${100 * this.#x}%, ${100 * this.#y}%) scale(${this.#scale})`;
  }
}
