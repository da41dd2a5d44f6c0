// α over resolution: a line for each transfer model, and a handle at every resolution of the one in hand.

const LEFT = 42, RIGHT = 14, TOP = 12, BOTTOM = 24, HEIGHT = 190;
const SVG = "http://www.w3.org/2000/svg";

export class Curve {
  // `changed(alphas, moving)` is called with the values of the model in hand.
  constructor(svg, changed) {
    this.svg = svg;
    this.changed = changed;
    this.resolutions = [];
    this.lines = [];
    this.inHand = 0;
    this.beyond = false;
    this.dragging = false;
    svg.addEventListener("pointerdown", (event) => this.#grab(event));
    new ResizeObserver(() => this.draw()).observe(svg);
  }

  // Shows the lines, unless one of them is being dragged.
  show(resolutions, lines, inHand, beyond) {
    if (this.dragging) return;
    const before = document.activeElement?.dataset?.index;
    const kept = this.svg.contains(document.activeElement);
    Object.assign(this, { resolutions, lines: lines.map((line) => [...line]), inHand, beyond });
    this.draw();
    if (kept) this.svg.querySelector(`[data-index="${before}"]`)?.focus();
  }

  get #range() { return this.beyond ? [-0.5, 1.5] : [0, 1]; }
  get #width() { return this.svg.clientWidth || 320; }

  #x(i) { return LEFT + (i * (this.#width - LEFT - RIGHT)) / Math.max(this.resolutions.length - 1, 1); }

  #y(alpha) {
    const [low, high] = this.#range;
    const share = (Math.min(Math.max(alpha, low), high) - low) / (high - low);
    return HEIGHT - BOTTOM - share * (HEIGHT - TOP - BOTTOM);
  }

  draw() {
    const { svg } = this;
    svg.setAttribute("viewBox", `0 0 ${this.#width} ${HEIGHT}`);
    svg.replaceChildren();
    for (const alpha of this.beyond ? [-0.5, 0, 0.5, 1, 1.5] : [0, 0.5, 1]) {
      const y = this.#y(alpha);
      svg.append(shape("line", { x1: LEFT, x2: this.#width - RIGHT, y1: y, y2: y, class: "axis" }));
      svg.append(shape("text", { x: LEFT - 14, y: y + 4, "text-anchor": "end" }, String(alpha)));
    }
    this.resolutions.forEach((r, i) => {
      svg.append(shape("text", { x: this.#x(i), y: HEIGHT - 6, "text-anchor": "middle" }, String(r)));
    });
    this.lines.forEach((line, k) => {
      if (k !== this.inHand) svg.append(this.#path(line, k));
    });
    const line = this.lines[this.inHand];
    if (!line) return;
    svg.append(this.#path(line, this.inHand));
    line.forEach((alpha, i) => svg.append(this.#handle(alpha, i)));
  }

  #path(line, k) {
    const d = line.map((alpha, i) => `${i ? "L" : "M"}${this.#x(i)} ${this.#y(alpha)}`).join("");
    return shape("path", { d, class: `m${(k % 4) + 1}` });
  }

  #handle(alpha, i) {
    const [low, high] = this.#range;
    const handle = shape("g", {
      class: "handle", role: "slider", tabindex: 0, "data-index": i, transform: `translate(${this.#x(i)} ${this.#y(alpha)})`,
      "aria-label": `α at ${this.resolutions[i]}×${this.resolutions[i]}`, "aria-orientation": "vertical",
      "aria-valuemin": Math.min(low, alpha), "aria-valuemax": Math.max(high, alpha), "aria-valuenow": round(alpha),
    });
    handle.append(shape("circle", { r: 16, class: "grasp" }));
    handle.append(shape("circle", { r: 7, class: `m${(this.inHand % 4) + 1}` }));
    handle.append(shape("title", {}, `${round(alpha)} at ${this.resolutions[i]}`));
    handle.addEventListener("keydown", (event) => this.#key(event, i));
    return handle;
  }

  #grab(event) {
    if (event.button || !this.lines[this.inHand]) return;
    event.preventDefault();
    const at = this.#place(event);
    const distances = this.resolutions.map((_, i) => Math.abs(this.#x(i) - at.x));
    const i = distances.indexOf(Math.min(...distances));
    this.svg.setPointerCapture(event.pointerId);
    this.dragging = true;
    const move = (moved) => this.#set(i, this.#alpha(this.#place(moved).y), true);
    const end = () => {
      this.dragging = false;
      this.svg.removeEventListener("pointermove", move);
      this.svg.removeEventListener("pointerup", end);
      this.svg.removeEventListener("pointercancel", end);
      this.#set(i, this.lines[this.inHand][i], false);
    };
    this.svg.addEventListener("pointermove", move);
    this.svg.addEventListener("pointerup", end);
    this.svg.addEventListener("pointercancel", end);
    move(event);
    this.svg.querySelector(`[data-index="${i}"]`)?.focus({ focusVisible: false });
  }

  #place(event) {
    const box = this.svg.getBoundingClientRect();
    return { x: ((event.clientX - box.left) * this.#width) / box.width, y: ((event.clientY - box.top) * HEIGHT) / box.height };
  }

  #alpha(y) {
    const [low, high] = this.#range;
    const share = (HEIGHT - BOTTOM - y) / (HEIGHT - TOP - BOTTOM);
    return low + Math.min(Math.max(share, 0), 1) * (high - low);
  }

  #key(event, i) {
    const [low, high] = this.#range, alpha = this.lines[this.inHand][i], step = event.shiftKey ? 0.01 : 0.05;
    const to = {
      ArrowUp: alpha + step, ArrowDown: alpha - step, PageUp: alpha + 0.25, PageDown: alpha - 0.25, Home: low, End: high,
    }[event.key];
    const beside = { ArrowLeft: i - 1, ArrowRight: i + 1 }[event.key];
    if (to === undefined && beside === undefined) return;
    event.preventDefault();
    if (to !== undefined) this.#set(i, Math.min(Math.max(to, low), high), false);
    this.svg.querySelector(`[data-index="${beside ?? i}"]`)?.focus();
  }

  #set(i, alpha, moving) {
    this.lines[this.inHand][i] = round(alpha);
    const kept = this.svg.contains(document.activeElement);
    this.draw();
    if (kept) this.svg.querySelector(`[data-index="${i}"]`)?.focus({ focusVisible: !moving });
    this.changed([...this.lines[this.inHand]], moving);
  }
}

function round(alpha) { return Math.round(alpha * 100) / 100; }

function shape(name, attributes, text) {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  if (text !== undefined) made.textContent = text;
  return made;
}
