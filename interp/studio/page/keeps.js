// What was kept: a strip of small pictures to come back to, two of which, A and B, are the ends of a film.

const $ = (id) => document.getElementById(id);

export class Keeps {
  // `back(state)` is called to show a kept state again.
  constructor(back) {
    this.back = back;
    this.kept = [];
    this.ends = { A: null, B: null };
  }

  add(state, bitmaps, title) {
    if (!bitmaps.length) return;
    const one = { state: structuredClone(state), bitmaps, title };
    this.kept.push(one);
    if (!this.ends.A) this.ends.A = one;
    else this.ends.B = one;
    this.#draw();
  }

  get states() { return this.kept.map((one) => one.state); }

  // What is shown while the button to compare is held; null where nothing was kept.
  get reference() { return this.ends.A?.bitmaps ?? null; }

  #draw() {
    $("film").disabled = !(this.ends.A && this.ends.B);
    $("keyframes").disabled = this.kept.length < 2;
    $("keeps").replaceChildren(...this.kept.map((one) => this.#item(one)));
  }

  #item(one) {
    const item = document.createElement("li");
    const show = button(`show ${one.title}`, () => this.back(structuredClone(one.state)));
    show.className = "show";
    show.replaceChildren(thumbnail(one.bitmaps[0], one.title));
    show.setAttribute("aria-label", `show ${one.title}`);
    const ends = document.createElement("div");
    ends.className = "ends";
    for (const name of ["A", "B"]) {
      const chosen = this.ends[name] === one;
      const end = button(name, () => { this.ends[name] = chosen ? null : one; this.#draw(); });
      end.setAttribute("aria-pressed", chosen);
      end.setAttribute("aria-label", `${name}: ${one.title}`);
      ends.append(end);
    }
    const forget = button("×", () => {
      this.kept = this.kept.filter((other) => other !== one);
      for (const name of ["A", "B"]) if (this.ends[name] === one) this.ends[name] = null;
      this.#draw();
    });
    forget.setAttribute("aria-label", `forget ${one.title}`);
    ends.append(forget);
    item.append(show, ends);
    return item;
  }
}

function button(text, act) {
  const made = document.createElement("button");
  made.textContent = text;
  made.addEventListener("click", act);
  return made;
}

function thumbnail(bitmap, title) {
  const canvas = document.createElement("canvas");
  canvas.width = canvas.height = 84;
  const side = Math.min(bitmap.width, bitmap.height);
  const [left, top] = [(bitmap.width - side) / 2, (bitmap.height - side) / 2];
  canvas.getContext("2d").drawImage(bitmap, left, top, side, side, 0, 0, 84, 84);
  const image = new Image();
  image.src = canvas.toDataURL();
  image.alt = title;
  return image;
}
