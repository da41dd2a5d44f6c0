// The page of the studio: joins the line to the server, the state, the pictures and the settings.

import { Curve } from "./curve.js";
import { copy, drop, film, keyframes, save, watchDrops } from "./files.js";
import { Keeps } from "./keeps.js";
import { Line } from "./line.js";
import { Pad } from "./pad.js";
import { Pictures, roleOf } from "./pictures.js";
import { isNew, Settings } from "./settings.js";
import { Store } from "./store.js";

const $ = (id) => document.getElementById(id);
const REST = 250; // milliseconds after which what moved has come to rest

const store = new Store();
const line = new Line();
const settings = new Settings(store, trouble);
const keeps = new Keeps((state) => store.replace(state));
const pictures = new Pictures((i) => settings.seeds(String(latest.labels[i]).replace("seed ", "")));
const curve = new Curve($("curve"), (alphas, moving) => settings.setSchedule(text(alphas), moving));
const pad = new Pad($("pad"), (point, moving) => store.set({ pad: { ...store.state.pad, ...point } }, moving));
let latest = null; // the newest frame
let parents = ""; // what the models beside the blend show, as text
let rest = 0;
let held = false;

function text(alphas) {
  if (alphas.every((alpha) => alpha === alphas[0])) return `alpha=${alphas[0]}`;
  return `alpha=${latest.resolutions.map((r, i) => `${r}=${alphas[i]}`).join(" ")}`;
}

// Asks for the blend, and for the models beside it where they would look otherwise than they do.
function ask(moving) {
  const { state } = store, { models, seeds, psi, w, pad, class_idx, same_w, edits, styles } = state;
  const plane = pad && [pad, state.mapping, models.map((model) => model.schedule)]; // in W of the mapping's source
  const theirs = JSON.stringify([models.map((model) => model.path), seeds, psi, w, class_idx, same_w, plane, edits, styles]);
  const show = ["blend", ...(moving || theirs === parents ? [] : models.map((_, i) => roleOf(i)))];
  document.body.dataset.shows = "something older";
  line.ask({ state, show, moving }, { theirs, state, moving });
}

function trouble(words) {
  $("trouble").textContent = words ?? "";
  $("trouble").hidden = !words;
}

function act(id, work) {
  $(id).addEventListener("click", () => tried(work));
}

async function tried(work) {
  try {
    await work();
  } catch (error) {
    trouble(error.message);
  }
}

store.addEventListener("change", ({ detail: { moving } }) => {
  settings.show();
  showPad();
  $("undo").disabled = !store.canUndo;
  $("redo").disabled = !store.canRedo;
  ask(moving);
  clearTimeout(rest);
  if (moving) rest = setTimeout(() => ask(false), REST);
});

line.addEventListener("welcome", ({ detail }) => {
  trouble();
  settings.welcome(detail);
  parents = "";
  store.begin(detail.state);
});

line.addEventListener("trouble", ({ detail }) => {
  trouble(detail);
  $("pace").textContent = "";
});

line.addEventListener("slow", () => ($("pace").textContent = "drawing …"));

line.addEventListener("frame", async ({ detail: frame }) => {
  latest = frame;
  trouble();
  if (frame.pictures.some((picture) => picture.role === "base")) parents = frame.note.theirs;
  await pictures.show(frame, store.state.models.map((model) => model.path), held);
  if (frame.note.state.models === store.state.models) showCurve(); // else the handles have moved on meanwhile
  $("class-line").hidden = !frame.conditional;
  const pace = (1000 * frame.pictures.length) / Math.max(frame.took, 1);
  $("pace").textContent = `${Math.round(frame.ms)} ms, ${Math.round(pace)} img/s`;
  $("caption").textContent = `blend: ${frame.labels.length > 4 ? `${frame.labels.length} pictures` : frame.labels.join(", ")}`;
  $("command").value = frame.command;
  const sources = `mapping from ${frame.sources.mapping}, noise from ${frame.sources.noise}`;
  $("notes").textContent = [sources, ...frame.notes].join("; ");
  if (frame.note.state === store.state && !frame.note.moving) document.body.dataset.shows = "the state";
});

// The plane between three seeds.
function showPad() {
  const point = store.state.pad;
  $("pad-box").open = Boolean(point);
  if (!point) return;
  pad.show(point.x, point.y);
  if (!isNew($("corners"), point.seeds)) return;
  $("corners").replaceChildren(...point.seeds.map((seed, i) => {
    const input = document.createElement("input");
    Object.assign(input, { type: "number", min: 0, max: 4294967295, value: seed });
    input.setAttribute("aria-label", ["seed at the left", "seed at the right", "seed above"][i]);
    input.addEventListener("change", () => {
      const seeds = store.state.pad.seeds.map((other, j) => (i === j ? Number(input.value) : other));
      store.set({ pad: { ...store.state.pad, seeds } });
    });
    return input;
  }));
}

$("pad-box").addEventListener("toggle", () => {
  if ($("pad-box").open === Boolean(store.state?.pad)) return;
  const first = Number.parseInt(store.state.seeds ?? "0") || 0;
  store.set({ pad: $("pad-box").open ? { seeds: [first, first + 1, first + 2], x: 0, y: 0 } : undefined });
});

function showCurve() {
  curve.show(latest.resolutions, latest.alphas, settings.inHand, $("beyond").checked);
}
$("beyond").addEventListener("change", showCurve);

// Holding the button or the key B compares.
function hold(on) {
  if (held === on || !latest) return;
  held = on;
  pictures.compare(on ? keeps.reference ?? pictures.base : null);
}
$("compare").addEventListener("pointerdown", () => hold(true));
for (const name of ["pointerup", "pointercancel", "blur"]) window.addEventListener(name, () => hold(false));

const keep = () => keeps.add(store.state, pictures.blend, `${settings.schedule}, ${latest.labels.join(", ")}`);
act("undo", () => store.undo());
act("redo", () => store.redo());
act("keep", keep);
act("link", () => copy(location.href, $("link")));
act("copy-command", () => copy(latest.command, $("copy-command")));
act("copy-python", () => copy(latest.python, $("copy-python")));
for (const button of document.querySelectorAll("[data-save]")) {
  button.addEventListener("click", () => tried(async () => {
    button.disabled = true;
    try {
      const what = button.dataset.save;
      await save(store.state, what, what === "model" ? $("form").value : undefined);
    } finally {
      button.disabled = false;
    }
  }));
}
act("keyframes", () => keyframes(keeps.states, Number($("seconds").value)));
act("film", async () => {
  const button = $("film"), words = button.textContent;
  button.disabled = true;
  try {
    const { A, B } = keeps.ends;
    await film(A.state, B.state, Number($("seconds").value), (done, of) => (button.textContent = `frame ${done} of ${of}`));
  } finally {
    button.disabled = false;
    button.textContent = words;
  }
});

async function take(files) {
  for (const file of files) {
    const { kind, what, ...known } = await drop(file);
    settings.welcome(known);
    if (kind === "directions") $("directions-box").open = true;
    else if (kind === "state") store.replace(what);
    else if (kind === "w") settings.file(what);
    else store.setModel(settings.inHand + 1, { path: what });
  }
}
watchDrops((files) => tried(() => take(files)));
$("open").addEventListener("change", () => tried(async () => {
  await take([...$("open").files]);
  $("open").value = "";
}));

const KEYS = { d: () => settings.dice(), i: () => settings.invert(), k: keep };
window.addEventListener("keydown", (event) => {
  const types = event.target.matches("input:not([type=range], [type=checkbox]), select");
  if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "z" && !types) {
    event.preventDefault();
    if (event.shiftKey) store.redo();
    else store.undo();
    return;
  }
  if (types || event.ctrlKey || event.metaKey || event.altKey || !latest) return;
  const key = event.key.toLowerCase();
  if (key === "b") hold(true);
  else if (!event.repeat) KEYS[key]?.();
});
window.addEventListener("keyup", (event) => event.key.toLowerCase() === "b" && hold(false));
