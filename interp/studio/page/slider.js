// A line of a name, a slider and its value in words; `changed(value, moving)` is called with what it is moved to.
export function slider(name, range, words, changed) {
  const line = document.createElement("label"), input = document.createElement("input");
  const word = document.createElement("span"), shown = document.createElement("output");
  line.className = "line";
  word.className = "word";
  word.textContent = name;
  Object.assign(input, { type: "range", ...range });
  const moved = (moving) => {
    shown.textContent = words(input.value);
    if (moving !== undefined) changed(input.value, moving);
  };
  input.addEventListener("input", () => moved(true));
  input.addEventListener("change", () => moved(false));
  moved();
  line.append(word, input, shown);
  return line;
}
