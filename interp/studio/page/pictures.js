// Pictures on the page: the blend, and beside it the models it is made of.

const $ = (id) => document.getElementById(id);

export class Pictures {
  #last = { blend: [], base: [] };
  #order = 0;

  // `chosen(i)` is called when one of several pictures is clicked.
  constructor(chosen) {
    this.chosen = chosen;
  }

  // Shows what a frame brings; `names` are those of the models, the base's first. The blend's place may be `held`.
  async show(frame, names, held) {
    const order = ++this.#order;
    const made = await Promise.all(frame.pictures.map((picture) => createImageBitmap(picture.blob)));
    if (order !== this.#order) return;
    const roles = {};
    frame.pictures.forEach((picture, i) => (roles[picture.role] ??= []).push(made[i]));
    Object.assign(this.#last, roles);
    if (roles.blend && !held) this.#fill($("blend"), roles.blend, (i) => `blend, ${frame.labels[i]}`);
    names.forEach((name, i) => {
      const role = roleOf(i);
      if (roles[role]) this.#fill(this.#parent(role, name), roles[role], (j) => `${name}, ${frame.labels[j]}`);
    });
    for (const figure of [...$("parents").children]) {
      if (!names.some((_, i) => roleOf(i) === figure.dataset.role)) figure.remove();
    }
  }

  // Shows other pictures in the place of the blend for as long as something is held.
  compare(bitmaps) {
    const pictures = bitmaps ?? this.#last.blend;
    this.#fill($("blend"), pictures, () => (bitmaps ? "for comparison" : "blend"));
  }

  get blend() { return this.#last.blend; }
  get base() { return this.#last.base; }

  #parent(role, name) {
    let figure = $("parents").querySelector(`[data-role="${role}"]`);
    if (!figure) {
      figure = document.createElement("figure");
      figure.dataset.role = role;
      figure.append(document.createElement("div"), document.createElement("figcaption"));
      figure.firstChild.className = "pictures";
      $("parents").append(figure);
    }
    figure.lastChild.textContent = role === "base" ? `base: ${name}` : `transfer: ${name}`;
    return figure.firstChild;
  }

  #fill(place, bitmaps, label) {
    const across = Math.ceil(Math.sqrt(bitmaps.length));
    place.style.setProperty("--across", across);
    place.classList.toggle("many", bitmaps.length > 1 && place.id === "blend");
    while (place.children.length > bitmaps.length) place.lastChild.remove();
    bitmaps.forEach((bitmap, i) => {
      let canvas = place.children[i];
      if (!canvas) {
        canvas = document.createElement("canvas");
        canvas.setAttribute("role", "img");
        canvas.addEventListener("click", () => place.classList.contains("many") && this.chosen(i));
        place.append(canvas);
      }
      if (canvas.width !== bitmap.width) canvas.width = bitmap.width;
      if (canvas.height !== bitmap.height) canvas.height = bitmap.height;
      canvas.style.aspectRatio = `${bitmap.width} / ${bitmap.height}`;
      const context = canvas.getContext("2d");
      context.clearRect(0, 0, canvas.width, canvas.height);
      context.drawImage(bitmap, 0, 0);
      canvas.setAttribute("aria-label", label(i));
    });
  }
}

export function roleOf(i) {
  return i === 0 ? "base" : i === 1 ? "transfer" : `transfer${i}`;
}
