// What the page shows: a recipe and a point of the pad, with a history. The address holds it.

export class Store extends EventTarget {
  #past = [];
  #future = [];
  #settled;

  constructor() {
    super();
    this.state = null;
  }

  // Begins with what the address says, or else with what the server proposes.
  begin(proposed) {
    if (this.state === null) {
      this.state = fromAddress() ?? proposed;
      this.#settled = JSON.stringify(this.state);
      window.addEventListener("hashchange", () => {
        const found = fromAddress();
        if (found && JSON.stringify(found) !== JSON.stringify(this.state)) this.replace(found);
      });
    }
    this.#changed(false);
  }

  // Changes some fields; `undefined` takes one away. While something is dragged it is `moving`, and no step of history.
  set(changes, moving = false) {
    const next = { ...this.state, ...changes };
    for (const key of Object.keys(next)) if (next[key] === undefined) delete next[key];
    this.replace(next, moving);
  }

  replace(next, moving = false) {
    this.state = next;
    if (!moving) this.#settle();
    this.#changed(moving);
  }

  // Changes the i-th model of the recipe.
  setModel(i, changes, moving = false) {
    const models = this.state.models.map((model, j) => (i === j ? { ...model, ...changes } : model));
    this.set({ models }, moving);
  }

  get canUndo() { return this.#past.length > 0; }
  get canRedo() { return this.#future.length > 0; }

  undo() { this.#step(this.#past, this.#future); }
  redo() { this.#step(this.#future, this.#past); }

  #step(from, to) {
    if (!from.length) return;
    to.push(this.#settled);
    this.#settled = from.pop();
    this.state = JSON.parse(this.#settled);
    this.#changed(false);
  }

  #settle() {
    const text = JSON.stringify(this.state);
    if (text === this.#settled) return;
    this.#past.push(this.#settled);
    if (this.#past.length > 500) this.#past.shift();
    this.#future = [];
    this.#settled = text;
  }

  #changed(moving) {
    if (!moving) history.replaceState(null, "", "#" + encodeURIComponent(JSON.stringify(this.state)));
    this.dispatchEvent(new CustomEvent("change", { detail: { moving } }));
  }
}

function fromAddress() {
  try {
    const found = JSON.parse(decodeURIComponent(location.hash.slice(1)));
    return Array.isArray(found?.models) && found.models.length > 1 ? found : null;
  } catch {
    return null;
  }
}
