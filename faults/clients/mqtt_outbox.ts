import type { PrincipalId, RoomId } from "../../lib/protocol.ts";
import type { WriteRecord } from "../history.ts";
import type { Random } from "../random.ts";
import type { Recorder } from "../recorder.ts";
import { verdict } from "./api.ts";
import { againMs } from "./waiting.ts";

/** Without a receipt for so long, a message is published again. */
const RECEIPT_MS = 4000;
const IN_FLIGHT = 8;

interface Pending {
  record: WriteRecord;
  clientId: string;
  text: string;
  sentAt: number;
  notBefore: number;
}

/** The body of a receipt, or of an error about a message. */
export interface DeviceReply {
  clientId?: string;
  room?: RoomId;
  seq?: number;
  duplicate?: boolean;
  code?: string;
  retryAfter?: number;
}

/** What a device has to say: published again, with the same key, until the receipt comes. */
export class MqttOutbox {
  readonly #pending = new Map<string, Pending>();

  constructor(
    private readonly recorder: Recorder,
    private readonly random: Random,
    private readonly device: PrincipalId,
  ) {}

  get size(): number {
    return this.#pending.size;
  }

  add(record: WriteRecord): void {
    const { what, room } = record;
    if (what.type !== "send") throw new TypeError(`A device cannot ${what.type}`);
    const { clientId, text } = what;
    const pending = { record, clientId, text, sentAt: -Infinity, notBefore: 0 };
    this.#pending.set(`${room} ${clientId}`, pending);
  }

  /** A new connection: whatever has no receipt goes out again. */
  connected(): void {
    for (const pending of this.#pending.values()) pending.sentAt = -Infinity;
  }

  clear(): void {
    this.#pending.clear();
  }

  /** Publishes what may be published now. */
  pump(publish: (room: RoomId, payload: string) => void): void {
    const now = this.recorder.now();
    const waiting = new Set<RoomId>();
    let inFlight = 0;
    for (const pending of this.#pending.values()) {
      if (inFlight >= IN_FLIGHT) return;
      const { record, clientId, text } = pending;
      if (now - pending.sentAt < RECEIPT_MS) {
        inFlight++;
        continue;
      }
      if (pending.notBefore > now) waiting.add(record.room);
      if (waiting.has(record.room)) continue;
      pending.sentAt = now;
      if (record.tries++ === 0) record.startedAt = now;
      inFlight++;
      publish(record.room, JSON.stringify({ text, clientId }));
    }
  }

  /** Takes a receipt; one that comes twice proves the same thing twice. */
  receipt({ clientId, room, seq, duplicate }: DeviceReply): void {
    const key = `${room} ${clientId}`;
    const pending = this.#pending.get(key);
    if (pending === undefined) return this.recorder.count("mqtt late receipt");
    pending.record.acks.push({ at: this.recorder.now(), seq: seq!, duplicate: duplicate! });
    this.#pending.delete(key);
  }

  /** Takes a refusal. */
  refused({ clientId, room, code = "", retryAfter }: DeviceReply): void {
    this.recorder.count(`mqtt ${code}`);
    const key = `${room} ${clientId}`;
    const pending = this.#pending.get(key);
    if (pending === undefined) return;
    const { record } = pending;
    const at = this.recorder.now();
    if (verdict(code) === "final") {
      record.refusal = { at, code };
      this.#pending.delete(key);
    } else {
      const ms = retryAfter === undefined ? undefined : retryAfter * 1000;
      pending.notBefore = at + (ms ?? againMs(record.tries, this.random));
      pending.sentAt = -Infinity;
    }
  }
}
