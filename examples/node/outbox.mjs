import { closeSync, fsyncSync, openSync, writeSync } from "node:fs";
import { readFile, replaceFile } from "./durable_file.mjs";

/** Messages that may wait for their receipt; whoever has more waits for `space()`. */
const MAX_WAITING = 1000;
/** Only the oldest are under way. 1 keeps their order whatever is refused or lost; slower. */
const WINDOW = 16;
/** Milliseconds without a receipt until a message is published again: at first, and at most. */
const REPEAT_MS = 5_000;
const MAX_REPEAT_MS = 60_000;
/** Lines of the file that no longer matter, until it is written anew. */
const MAX_DONE_LINES = 1000;

/**
 * The messages that have no receipt yet, in a file: what was added is there after a crash. The file
 * has a line for each message, `{key, room, body}`, and one for its end, `{done: key}`.
 */
export class Outbox {
  #path;
  #file;
  #waiting = new Map();
  #doneLines = 0;
  #heldUntil = 0;
  #spaceWaiters = [];

  constructor(folder) {
    this.#path = `${folder}/outbox.jsonl`;
    for (const line of (readFile(this.#path) ?? "").split("\n")) this.#load(line);
    this.#rewrite();
  }

  /** Keys and rooms of what waits, the oldest first. */
  get keys() {
    return [...this.#waiting.keys()];
  }

  has(key) {
    return this.#waiting.has(key);
  }

  /** Resolves when another message may be added. */
  async space() {
    while (this.#waiting.size >= MAX_WAITING) {
      await new Promise((resolve) => this.#spaceWaiters.push(resolve));
    }
  }

  /** Returns when the message is on the disk. */
  add(key, room, body) {
    this.#append({ key, room, body });
    fsyncSync(this.#file);
    this.#waiting.set(key, { room, body, tries: 0, repeatAt: 0 });
  }

  /** What is to be published now, `{key, room, body}`. It is due again when no receipt comes. */
  due(now = Date.now()) {
    if (now < this.#heldUntil) return [];
    const due = [];
    let place = 0;
    for (const [key, message] of this.#waiting) {
      if (++place > WINDOW) break;
      if (now < message.repeatAt) continue;
      message.repeatAt = now + Math.min(REPEAT_MS * 2 ** message.tries++, MAX_REPEAT_MS);
      due.push({ key, room: message.room, body: message.body });
    }
    return due;
  }

  /** It is stored, or refused for good. */
  done(key) {
    if (!this.#waiting.delete(key)) return;
    // Not forced to the disk: if the line is lost, the message is repeated, and stored once.
    this.#append({ done: key });
    if (++this.#doneLines > MAX_DONE_LINES) this.#rewrite();
    this.#spaceWaiters.shift()?.();
  }

  /** The server does not want it now: everything waits. */
  hold(key, milliseconds, now = Date.now()) {
    const message = this.#waiting.get(key);
    if (message === undefined) return;
    message.repeatAt = 0;
    this.#heldUntil = Math.max(this.#heldUntil, now + milliseconds);
  }

  /** The key was used for another message: this one gets a new one, and goes to the end. */
  rename(key, newKey) {
    const message = this.#waiting.get(key);
    if (message === undefined) return;
    this.add(newKey, message.room, message.body);
    this.done(key);
  }

  /** There is a new connection: what the old one may have lost is due at once. */
  restart() {
    for (const message of this.#waiting.values()) Object.assign(message, { tries: 0, repeatAt: 0 });
  }

  #load(line) {
    let entry;
    try {
      entry = JSON.parse(line);
    } catch {
      return; // the last line, cut off by the crash: it was never said to be taken
    }
    if ("done" in entry) this.#waiting.delete(entry.done);
    else {
      this.#waiting.set(entry.key, { room: entry.room, body: entry.body, tries: 0, repeatAt: 0 });
    }
  }

  #append(entry) {
    writeSync(this.#file, `${JSON.stringify(entry)}\n`);
  }

  #rewrite() {
    const lines = [...this.#waiting].map(([key, { room, body }]) =>
      `${JSON.stringify({ key, room, body })}\n`
    );
    if (this.#file !== undefined) closeSync(this.#file);
    replaceFile(this.#path, lines.join(""));
    this.#file = openSync(this.#path, "a");
    this.#doneLines = 0;
  }
}
