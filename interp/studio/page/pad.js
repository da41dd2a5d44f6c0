// The plane through the w of three seeds: the first below at the left, the second at the right, the third above.

export class Pad {
  // `changed({x, y}, moving)` is called with the point.
  constructor(element, changed) {
    this.element = element;
    this.changed = changed;
    this.x = this.y = 0;
    element.addEventListener("pointerdown", (event) => this.#grab(event));
    element.addEventListener("keydown", (event) => this.#key(event));
  }

  show(x, y) {
    Object.assign(this, { x, y });
    const dot = this.element.firstElementChild;
    dot.style.left = `${100 * x}%`;
    dot.style.bottom = `calc(${100 * y}% - 9px)`;
    dot.style.marginBottom = "0";
    this.element.setAttribute("aria-valuenow", Math.round(100 * x));
    this.element.setAttribute("aria-valuetext", `${Math.round(100 * x)} % to the second seed, ${Math.round(100 * y)} % to the third`);
  }

  #grab(event) {
    if (event.button) return;
    this.element.setPointerCapture(event.pointerId);
    const move = (moved) => {
      const box = this.element.getBoundingClientRect();
      this.#set((moved.clientX - box.left) / box.width, (box.bottom - moved.clientY) / box.height, true);
    };
    const end = () => {
      this.element.removeEventListener("pointermove", move);
      this.element.removeEventListener("pointerup", end);
      this.element.removeEventListener("pointercancel", end);
      this.#set(this.x, this.y, false);
    };
    this.element.addEventListener("pointermove", move);
    this.element.addEventListener("pointerup", end);
    this.element.addEventListener("pointercancel", end);
    move(event);
  }

  #key(event) {
    const step = event.shiftKey ? 0.01 : 0.05;
    const by = { ArrowLeft: [-step, 0], ArrowRight: [step, 0], ArrowUp: [0, step], ArrowDown: [0, -step] }[event.key];
    if (!by) return;
    event.preventDefault();
    this.#set(this.x + by[0], this.y + by[1], false);
  }

  #set(x, y, moving) {
    const within = (value) => Math.round(1000 * Math.min(Math.max(value, 0), 1)) / 1000;
    this.show(within(x), within(y));
    this.changed({ x: this.x, y: this.y }, moving);
  }
}
