// The settings of the panel: every field shows the state, and changes it.

import { Mask } from "./mask.js";
import { roleOf } from "./pictures.js";
import { slider } from "./slider.js";

const $ = (id) => document.getElementById(id);

export class Settings {
  // `trouble(words)` says what is wrong. The model in hand is the one whose curve has handles.
  constructor(store, trouble) {
    this.store = store;
    this.trouble = trouble;
    this.known = { models: [], files: [], directions: {}, presets: {}, kinds: [] };
    this.inHand = 0;
    this.mask = new Mask(store);
    this.#listen();
  }

  welcome(known) {
    Object.assign(this.known, known);
    const rules = { ...this.known.presets, base: "alpha=0", transfer: "alpha=1" };
    $("presets").replaceChildren(...Object.entries(rules).map(([name, text]) => {
      const button = document.createElement("button");
      button.textContent = name;
      button.title = text;
      button.dataset.schedule = text;
      return button;
    }));
    this.show();
  }

  get schedule() { return this.store.state.models[this.inHand + 1].schedule; }

  setSchedule(schedule, moving = false) {
    this.store.setModel(this.inHand + 1, { schedule }, moving);
  }

  // Shows the state; a field that somebody types into is left alone.
  show() {
    const { state } = this.store;
    if (!state) return;
    const models = state.models.map((model) => model.path);
    this.inHand = Math.min(this.inHand, models.length - 2);
    filled($("base"), this.known.models, models[0]);
    this.#transfers(models);
    const sources = models.map((_, i) => roleOf(i));
    for (const name of ["mapping", "noise", "w_avg"]) filled($(name), ["", ...sources], state[name] ?? "", { "": "by the schedule" });
    value($("schedule"), this.schedule);
    for (const button of $("presets").children) button.setAttribute("aria-pressed", this.#isChosen(button));
    value($("seeds"), state.w?.length ? "" : state.pad ? state.pad.seeds.join(",") : state.seeds ?? "0-7");
    filled($("file"), ["", ...this.known.files], state.w?.[0] ?? "", { "": "none" });
    value($("psi"), state.psi ?? 0.7);
    $("psi-value").textContent = Number(state.psi ?? 0.7).toFixed(2);
    $("same-w").checked = Boolean(state.same_w);
    value($("class"), state.class_idx === undefined ? "" : [state.class_idx].flat().join(","));
    this.#kinds(state.kinds ?? []);
    this.#edits(state);
    this.mask.show();
  }

  #isChosen(button) {
    const name = Object.entries(this.known.presets).find(([, text]) => text === button.dataset.schedule)?.[0];
    return [button.dataset.schedule, name].includes(this.schedule);
  }

  #transfers(models) {
    if (!isNew($("transfers"), [models, this.inHand, this.known.models])) return;
    $("transfers").replaceChildren(...models.slice(1).map((name, i) => {
      const row = document.createElement("div");
      row.className = "transfer";
      const dot = document.createElement("span");
      dot.className = `dot m${(i % 4) + 1}`;
      const select = document.createElement("select");
      select.setAttribute("aria-label", `transfer model ${i + 1}`);
      filled(select, this.known.models, name);
      select.addEventListener("change", () => this.store.setModel(i + 1, { path: select.value, sha256: undefined }));
      row.append(dot, select);
      if (models.length > 2) {
        row.append(this.#hand(i), this.#away(i));
      }
      return row;
    }));
  }

  #hand(i) {
    const hand = document.createElement("button");
    hand.textContent = "curve";
    hand.setAttribute("aria-pressed", i === this.inHand);
    hand.addEventListener("click", () => {
      this.inHand = i;
      this.store.set({});
    });
    return hand;
  }

  #away(i) {
    const away = document.createElement("button");
    away.textContent = "×";
    away.setAttribute("aria-label", `take transfer model ${i + 1} away`);
    away.addEventListener("click", () => {
      this.inHand = 0;
      this.store.set({ models: this.store.state.models.filter((_, j) => j !== i + 1) });
    });
    return away;
  }

  #kinds(texts) {
    const given = Object.fromEntries(texts.map((text) => [text.slice(0, text.lastIndexOf("=")), text]));
    const names = [...new Set([...this.known.kinds, ...Object.keys(given)])];
    if ($("kinds").contains(document.activeElement) && $("kinds").children.length === names.length) return;
    $("kinds").replaceChildren(...names.map((name) => {
      const text = given[name]?.slice(name.length + 1) ?? "x1", fixed = !text.startsWith("x");
      const range = { min: 0, max: 1.5, step: 0.05, value: Number(text.replace("x", "")) };
      return slider(name, range, (value) => `${fixed ? "= " : "× "}${Number(value)}`, (value, moving) => {
        const next = names.filter((other) => other !== name && given[other]).map((other) => given[other]);
        if (fixed || Number(value) !== 1) next.push(`${name}=${fixed ? "" : "x"}${value}`);
        this.store.set({ kinds: next.length ? next : undefined }, moving);
      });
    }));
  }

  // A slider for every direction of the file that is chosen.
  #edits(state) {
    const files = Object.keys(this.known.directions);
    $("directions-box").hidden = files.length === 0;
    if (!files.length) return;
    const file = state.directions?.[0] ?? $("directions").value ?? files[0];
    filled($("directions"), files, files.includes(file) ? file : files[0]);
    const names = this.known.directions[$("directions").value] ?? [];
    const given = Object.fromEntries((state.edits ?? []).map((text) => text.split("=")));
    if ($("edits").contains(document.activeElement) && $("edits").children.length === names.length) return;
    $("edits").replaceChildren(...names.map((name) => {
      const range = { min: -4, max: 4, step: 0.1, value: Number.parseFloat(given[name] ?? 0) };
      return slider(name, range, (value) => Number(value).toFixed(1), (value, moving) => {
        const next = { ...given, [name]: value };
        given[name] = value;
        const edits = Object.entries(next).filter(([, strength]) => Number.parseFloat(strength) !== 0);
        const texts = edits.map(([other, strength]) => `${other}=${strength}`);
        const chosen = texts.length ? [$("directions").value] : undefined;
        this.store.set({ edits: texts.length ? texts : undefined, directions: chosen }, moving);
      });
    }));
  }

  #listen() {
    const { store } = this;
    $("base").addEventListener("change", () => store.setModel(0, { path: $("base").value, sha256: undefined }));
    $("add-model").addEventListener("click", () => {
      const used = store.state.models.map((model) => model.path);
      const path = this.known.models.find((name) => !used.includes(name));
      if (!path) return this.trouble("there is no further model: drop its file onto the page");
      this.inHand = used.length - 1;
      store.set({ models: [...store.state.models, { path, schedule: "alpha=0" }] });
    });
    for (const name of ["mapping", "noise", "w_avg"]) {
      $(name).addEventListener("change", () => store.set({ [name]: $(name).value || undefined }));
    }
    $("presets").addEventListener("click", (event) => {
      if (event.target.dataset.schedule) this.setSchedule(event.target.dataset.schedule);
    });
    $("schedule").addEventListener("change", () => this.setSchedule($("schedule").value.trim()));
    $("invert").addEventListener("click", () => this.invert());
    $("seeds").addEventListener("change", () => this.seeds($("seeds").value.trim()));
    $("dice").addEventListener("click", () => this.dice());
    $("grid").addEventListener("click", () => {
      const first = Number.parseInt(store.state.seeds ?? "0") || 0;
      this.seeds(`${first}-${first + 15}`);
    });
    $("file").addEventListener("change", () => this.file($("file").value));
    $("directions").addEventListener("change", () => store.set({ edits: undefined, directions: undefined }));
    const psi = (moving) => store.set({ psi: Number($("psi").value) }, moving);
    $("psi").addEventListener("input", () => psi(true));
    $("psi").addEventListener("change", () => psi(false));
    $("class").addEventListener("change", () => {
      const text = $("class").value.trim(), list = text.split(",").map(Number);
      store.set({ class_idx: text === "" ? undefined : text === "random" ? text : list.length > 1 ? list : list[0] });
    });
    $("same-w").addEventListener("change", () => store.set({ same_w: $("same-w").checked || undefined }));
  }

  invert() {
    const text = this.known.presets[this.schedule] ?? this.schedule;
    this.setSchedule(text.endsWith(":invert") ? text.slice(0, -7) : `${text}:invert`);
  }

  dice() {
    const { state } = this.store, seed = () => Math.floor(Math.random() * 100000);
    if (state.pad) this.store.set({ pad: { ...state.pad, seeds: [seed(), seed(), seed()] } });
    else this.seeds(String(seed()));
  }

  seeds(text) {
    const { state } = this.store;
    const changes = { w: undefined, pad: undefined, ...(state.w?.length ? { psi: 0.7 } : {}) };
    this.store.set({ ...changes, seeds: text });
  }

  file(name) {
    this.store.set(name ? { w: [name], pad: undefined, psi: 1, class_idx: undefined } : { w: undefined, psi: 0.7 });
  }
}

// Whether what an element is made of differs from what it was made of: else it keeps its parts, and the focus in them.
export function isNew(element, data) {
  const text = JSON.stringify(data);
  if (element.dataset.made === text) return false;
  element.dataset.made = text;
  return true;
}

// A list of choices; what is chosen is among them even if nobody knows it.
function filled(select, names, chosen, words = {}) {
  const all = names.includes(chosen) ? names : [...names, chosen];
  if (isNew(select, all)) select.replaceChildren(...all.map((name) => new Option(words[name] ?? name, name)));
  select.value = chosen;
}

function value(input, text) {
  if (document.activeElement !== input) input.value = text;
}
