import type { LogEntry, RoomId, Signal } from "../protocol.ts";
import type { Revocation } from "./mod.ts";

/**
 * What travels between nodes, as one JSON object per publish:
 *
 * ```json
 * {
 *   "n": "id of the sending node",
 *   "h": [["room", 17]],
 *   "e": [{"room": "…", "epoch": "…", "seq": 16, "event": {"type": "…"}}],
 *   "s": [["room", {"type": "typing"}]],
 *   "r": [{"session": "…"}, {"principal": "…"}]
 * }
 * ```
 *
 * `h` are heads without their entries, `e` log entries in the order of the sender, `s` signals and
 * `r` revocations; each may be missing. Fields and items that are not understood are skipped, so
 * that nodes of two versions can run side by side.
 */
export interface Payload {
  node: string;
  heads: [RoomId, number][];
  entries: LogEntry[];
  signals: [RoomId, Signal][];
  revocations: Revocation[];
  /** How many items were not understood. */
  refused: number;
}

/** Items of one payload, each already JSON. */
export interface EncodedItems {
  heads: string[];
  entries: string[];
  signals: string[];
  revocations: string[];
}

/** Joins items that were encoded before. */
export function encodePayload(node: string, items: EncodedItems): string {
  let text = `{"n":${JSON.stringify(node)}`;
  if (items.heads.length > 0) text += `,"h":[${items.heads.join()}]`;
  if (items.entries.length > 0) text += `,"e":[${items.entries.join()}]`;
  if (items.signals.length > 0) text += `,"s":[${items.signals.join()}]`;
  if (items.revocations.length > 0) text += `,"r":[${items.revocations.join()}]`;
  return text + "}";
}

/** Reads a payload; undefined when it is none at all. */
export function decodePayload(text: string): Payload | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (!isObject(value) || typeof value.n !== "string") return undefined;
  const payload: Payload = {
    node: value.n,
    heads: [],
    entries: [],
    signals: [],
    revocations: [],
    refused: 0,
  };
  payload.heads = pick(payload, value.h, isHead);
  payload.entries = pick(payload, value.e, isEntry);
  payload.signals = pick(payload, value.s, isSignal);
  payload.revocations = pick(payload, value.r, isRevocation);
  return payload;
}

function pick<T>(payload: Payload, list: unknown, is: (item: unknown) => item is T): T[] {
  if (list === undefined) return [];
  if (!Array.isArray(list)) {
    payload.refused++;
    return [];
  }
  const good = list.filter(is);
  payload.refused += list.length - good.length;
  return good;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isHead(item: unknown): item is [RoomId, number] {
  return Array.isArray(item) && typeof item[0] === "string" && isSeq(item[1]);
}

function isSeq(value: unknown): boolean {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

function isEntry(item: unknown): item is LogEntry {
  return isObject(item) && typeof item.room === "string" && typeof item.epoch === "string" &&
    isSeq(item.seq) && isObject(item.event) && typeof item.event.type === "string";
}

function isSignal(item: unknown): item is [RoomId, Signal] {
  return Array.isArray(item) && typeof item[0] === "string" && isObject(item[1]) &&
    typeof item[1].type === "string";
}

function isRevocation(item: unknown): item is Revocation {
  return isObject(item) &&
    [item.session, item.principal, item.device].some((id) => typeof id === "string");
}
