import type { Json, Metadata, PrincipalId } from "../protocol.ts";

/** A command as it was typed: `/cmd pump1 start speed=3 mode="slow and steady"`. */
export interface CommandLine {
  device: PrincipalId;
  name: string;
  args: Metadata;
}

/** Why a line that begins with `/cmd ` is no command; `about` is the part that is wrong. */
export interface CommandLineProblem {
  problem:
    | "no_device"
    | "unknown_device"
    | "ambiguous_device"
    | "no_command"
    | "invalid_command"
    | "invalid_argument"
    | "repeated_argument";
  about: string;
}

/** A device of the room. */
export interface NamedDevice {
  id: PrincipalId;
  name: string;
}

const NAME = /^[a-z0-9][a-z0-9_.-]{0,63}$/;
const NUMBER = /^-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?$/;

/** True for a text that is meant as a command: `/cmd`, alone or with more after a space. */
export function isCommandLine(text: string): boolean {
  return /^\/cmd(\s|$)/.test(text);
}

/**
 * Reads `/cmd <device> <command> key=value …`. The device goes by its id or by its name, whatever
 * its case; a name with spaces may stand in quotes. A value is a number, `true`, `false`, `null`, a
 * JSON array or object, a text in quotes ("…" as in JSON, '…' as it stands), or else a word. A name of
 * an argument with spaces, quotes or "=" stands in quotes, as in JSON.
 * Undefined for a text that is not meant as a command.
 */
export function parseCommandLine(
  text: string,
  devices: readonly NamedDevice[],
): CommandLine | CommandLineProblem | undefined {
  if (!isCommandLine(text)) return undefined;
  const rest = new Rest(text.slice(4));
  const device = readDevice(rest, devices);
  if (typeof device !== "string") return device;
  const name = rest.word();
  if (name === "") return wrong("no_command", "");
  if (!NAME.test(name)) return wrong("invalid_command", name);
  const args = new Map<string, Json>();
  while (!rest.over) {
    const [key, value] = rest.pair();
    if (value === undefined) return wrong("invalid_argument", key);
    if (args.has(key)) return wrong("repeated_argument", key);
    args.set(key, value);
  }
  return { device, name, args: Object.fromEntries(args) };
}

function wrong(problem: CommandLineProblem["problem"], about: string): CommandLineProblem {
  return { problem, about: about.slice(0, 80) };
}

function readDevice(
  rest: Rest,
  devices: readonly NamedDevice[],
): PrincipalId | CommandLineProblem {
  if (rest.over) return wrong("no_device", "");
  const quoted = rest.quoted();
  // The longest name wins: "pump 1" before "pump".
  const name = quoted ?? devices.map((device) => device.name)
    .filter((name) => rest.startsWith(name))
    .reduce((longest, name) => name.length > longest.length ? name : longest, "");
  if (quoted === undefined && name !== "") rest.skip(name.length);
  const word = name === "" && quoted === undefined ? rest.word() : name;
  const byId = devices.find(({ id }) => id === word);
  if (byId !== undefined) return byId.id;
  const [found, another] = devices.filter((device) => sameName(device.name, word));
  if (found === undefined) return wrong("unknown_device", word);
  return another === undefined ? found.id : wrong("ambiguous_device", word);
}

function sameName(one: string, other: string): boolean {
  return one.toLowerCase() === other.toLowerCase();
}

/** What is left of a line. */
class Rest {
  #text: string;

  constructor(text: string) {
    this.#text = text.trim();
  }

  get over(): boolean {
    return this.#text === "";
  }

  /** True when `name` stands here as a whole word. */
  startsWith(name: string): boolean {
    return name !== "" && sameName(this.#text.slice(0, name.length), name) &&
      /^(\s|$)/.test(this.#text.slice(name.length));
  }

  skip(chars: number): string {
    const skipped = this.#text.slice(0, chars);
    this.#text = this.#text.slice(chars).trimStart();
    return skipped;
  }

  word(): string {
    return this.skip(/^\S*/.exec(this.#text)![0].length);
  }

  /** A text in quotes that ends a word; undefined when none stands here. */
  quoted(): string | undefined {
    const [all, json, plain] = /^(?:("(?:[^"\\]|\\.)*")|'([^']*)')(?=\s|$)/.exec(this.#text) ?? [];
    if (all === undefined) return undefined;
    const value = json === undefined ? plain : parsed(json);
    if (typeof value !== "string") return undefined;
    this.skip(all.length);
    return value;
  }

  /** `key=value`; the value is undefined when this is not of that form, the key then is the word. */
  pair(): [string, Json | undefined] {
    const [all, json, plain] = /^(?:("(?:[^"\\]|\\.)*")|([^\s"'=]{1,64}))=/.exec(this.#text) ?? [];
    const key = json === undefined ? plain : parsed(json);
    if (all === undefined || typeof key !== "string") return [this.word(), undefined];
    this.#text = this.#text.slice(all.length);
    return [key, this.#value()];
  }

  #value(): Json | undefined {
    const first = this.#text[0] ?? "";
    if (first === '"' || first === "'") return this.quoted();
    if (first === "[" || first === "{") return this.#structure();
    const word = this.word();
    if (word === "true" || word === "false") return word === "true";
    if (word === "null") return null;
    // A number that would lose digits stays what was typed.
    const exact = NUMBER.test(word) && Number.isFinite(Number(word)) &&
      (!/^-?\d+$/.test(word) || Number.isSafeInteger(Number(word)));
    return exact ? Number(word) : word;
  }

  /** The shortest beginning that is JSON and ends a word. */
  #structure(): Json | undefined {
    for (const { index } of this.#text.matchAll(/[\]}](?=\s|$)/g)) {
      const value = parsed(this.#text.slice(0, index + 1));
      if (value === undefined) continue;
      this.skip(index + 1);
      return value;
    }
    return undefined;
  }
}

function parsed(json: string): Json | undefined {
  try {
    return JSON.parse(json);
  } catch {
    return undefined;
  }
}
