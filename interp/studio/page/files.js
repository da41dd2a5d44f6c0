// What leaves the page and what comes to it: saved files, films, copied text, dropped files.

import { request, token } from "./line.js";

const $ = (id) => document.getElementById(id);

export async function save(state, what, end) {
  const body = { state, what };
  if (end !== undefined) body.end = end;
  listed((await request("save", { method: "POST", body: JSON.stringify(body) })).files);
}

// Films the way between two states; `said(done, of)` hears how far it is.
export async function film(first, last, seconds, said) {
  const answer = await request("film", { method: "POST", body: JSON.stringify({ first, last, seconds }) });
  if (!(answer instanceof Response)) return;
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    const lines = (rest + value).split("\n");
    rest = lines.pop();
    for (const line of lines.map((text) => JSON.parse(text))) {
      if (line.error) throw new Error(line.error);
      if (line.files) listed(line.files);
      else said(line.done, line.of);
    }
  }
}

// Writes a film through kept states, `seconds` from each to the next, as keyframes.
export async function keyframes(states, seconds) {
  listed((await request("keyframes", { method: "POST", body: JSON.stringify({ states, seconds }) })).files);
}

// Sends a file to the server, which says what it is: a model, ws, or the state of a picture or recipe.
export async function drop(file) {
  return request(`drop?name=${encodeURIComponent(file.name)}`, { method: "PUT", body: file });
}

export async function copy(text, button) {
  await navigator.clipboard.writeText(text);
  const before = button.textContent;
  button.textContent = "copied";
  setTimeout(() => (button.textContent = before), 1200);
}

function listed(files) {
  for (const file of files) {
    const item = document.createElement("li");
    const link = document.createElement("a");
    link.href = `saved/${encodeURIComponent(file.name)}?token=${encodeURIComponent(token)}`;
    link.download = file.name;
    link.textContent = file.shown;
    item.append("wrote ", link);
    $("saved").prepend(item);
  }
  while ($("saved").children.length > 6) $("saved").lastChild.remove();
}

// Calls `taken(files)` for what is dropped onto the window.
export function watchDrops(taken) {
  let depth = 0;
  const shown = (on) => ($("drop").hidden = !on);
  window.addEventListener("dragenter", (event) => {
    if (event.dataTransfer?.types.includes("Files")) shown(++depth > 0);
  });
  window.addEventListener("dragleave", () => shown((depth = Math.max(depth - 1, 0)) > 0));
  window.addEventListener("dragover", (event) => event.preventDefault());
  window.addEventListener("drop", (event) => {
    event.preventDefault();
    shown((depth = 0) > 0);
    taken([...event.dataTransfer.files]);
  });
}
