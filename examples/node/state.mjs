import { mkdirSync } from "node:fs";
import { readFile, replaceFile } from "./durable_file.mjs";

/** What the device remembers in `{folder}/state.json`: a number that rises, a cursor per room. */
export class State {
  #path;
  #values;

  constructor(folder) {
    mkdirSync(folder, { recursive: true });
    this.#path = `${folder}/state.json`;
    const text = readFile(this.#path);
    // The first number is the time, so that a device whose folder was lost goes on above the
    // numbers it has used. Later ones only count: a clock that is set back does no harm.
    this.#values = text === undefined
      ? { number: Math.floor(Date.now() / 1000), cursors: {} }
      : JSON.parse(text);
  }

  /** A number that this device has never used before, also not before its last start. */
  nextNumber() {
    this.#values.number += 1;
    this.#save();
    return this.#values.number;
  }

  /** How far the log of a room has been handled: `{epoch, seq}`. */
  cursor(room) {
    return this.#values.cursors[room] ?? { epoch: undefined, seq: 0 };
  }

  setCursor(room, cursor) {
    this.#values.cursors[room] = cursor;
    this.#save();
  }

  #save() {
    replaceFile(this.#path, JSON.stringify(this.#values));
  }
}
