// The live line to the server: the newest question goes out as soon as the last one is answered.

export const token = new URLSearchParams(location.search).get("token") ?? "";

const PATIENCE = 600; // milliseconds after which it is said that a picture is being drawn

export class Line extends EventTarget {
  #socket = null;
  #waiting = null;
  #note = null;
  #number = 0;
  #asked = 0;
  #retry = 500;
  #patience = 0;

  constructor() {
    super();
    this.#open();
  }

  // Asks for a frame; a question that was not sent yet is forgotten. The frame comes back with the `note`.
  ask(question, note) {
    this.#waiting = { question, note };
    this.#send();
  }

  #open() {
    const socket = new WebSocket(`ws://${location.host}/live?token=${encodeURIComponent(token)}`);
    socket.binaryType = "arraybuffer";
    socket.onmessage = ({ data }) => {
      this.#retry = 500;
      if (typeof data === "string") this.#said(JSON.parse(data));
      else this.#frame(data);
    };
    socket.onclose = () => {
      this.#asked = 0;
      this.#tell("trouble", "the studio does not answer: is it still running? Trying again …");
      setTimeout(() => this.#open(), this.#retry);
      this.#retry = Math.min(2 * this.#retry, 8000);
    };
    this.#socket = socket;
  }

  #send() {
    if (!this.#waiting || this.#asked || this.#socket.readyState !== WebSocket.OPEN) return;
    const { question, note } = this.#waiting;
    this.#waiting = null;
    this.#note = note;
    this.#asked = performance.now();
    this.#socket.send(JSON.stringify({ id: ++this.#number, ...question }));
    clearTimeout(this.#patience);
    this.#patience = setTimeout(() => this.#asked && this.#tell("slow", null), PATIENCE);
  }

  #said(message) {
    if ("error" in message) {
      this.#asked = 0;
      this.#tell("trouble", message.error);
      this.#send();
    } else {
      this.#tell("welcome", message);
    }
  }

  #frame(data) {
    const length = new DataView(data).getUint32(0);
    const said = JSON.parse(new TextDecoder().decode(new Uint8Array(data, 4, length)));
    let at = 4 + length;
    for (const picture of said.pictures) {
      picture.blob = new Blob([new Uint8Array(data, at, picture.bytes)], { type: picture.type });
      at += picture.bytes;
    }
    said.took = performance.now() - this.#asked;
    said.note = this.#note;
    this.#asked = 0;
    this.#tell("frame", said);
    this.#send();
  }

  #tell(name, detail) {
    this.dispatchEvent(new CustomEvent(name, { detail }));
  }
}

// Sends something to be done; throws what the server says is wrong.
export async function request(path, options = {}) {
  const answer = await fetch(path, { ...options, headers: { "X-Token": token } });
  if (answer.headers.get("content-type")?.includes("ndjson")) return answer;
  const said = await answer.json();
  if (!answer.ok) throw new Error(said.error ?? said.detail ?? answer.statusText);
  return said;
}
