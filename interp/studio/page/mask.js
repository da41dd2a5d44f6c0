// The mask of the blend: a soft ellipse, as the text form of a recipe.

import { slider } from "./slider.js";

const $ = (id) => document.getElementById(id);
const NAMES = ["x", "y", "width", "height", "soft"];
const USUAL = [0.5, 0.46, 0.34, 0.42, 0.25];

export class Mask {
  constructor(store) {
    this.store = store;
    $("masked").addEventListener("change", () => store.set({ mask: $("masked").checked ? "ellipse" : undefined, mask_at: undefined, mask_sha256: undefined }));
  }

  // Shows the state; sliders that are in hand are left alone.
  show() {
    const { mask } = this.store.state;
    $("masked").checked = Boolean(mask);
    if (!mask) return $("mask").replaceChildren();
    if ($("mask").contains(document.activeElement) && $("mask").children.length) return;
    const values = numbers(mask), end = mask.endsWith(":invert") ? ":invert" : "";
    $("mask").replaceChildren(...NAMES.map((name, i) => {
      const range = { min: i === 4 || i < 2 ? 0 : 0.05, max: 1, step: 0.01, value: values[i] };
      return slider(name, range, (value) => Number(value).toFixed(2), (value, moving) => {
        values[i] = Number(value);
        this.store.set({ mask: `ellipse=${values.slice(0, 4).join(",")}:soft=${values[4]}${end}` }, moving);
      });
    }));
  }
}

// The five numbers of a text; those that it leaves out are the usual ones.
function numbers(text) {
  const [head, ...options] = text.split(":"), given = head.includes("=") ? head.split("=")[1].split(",") : [];
  const named = Object.fromEntries(options.map((option) => option.split("=")));
  return NAMES.map((name, i) => Number(named[name] ?? given[i] ?? USUAL[i]));
}
