import type { Log } from "../log.ts";
import type { LogEntry, RoomId, Signal } from "../protocol.ts";
import type { BusListener, BusSink, Revocation } from "./mod.ts";

/**
 * The sinks and listeners of this process: what every bus delivers to at once, whatever becomes of
 * the other nodes. A sink that throws is logged and does not keep the others from their share.
 */
export class LocalDelivery {
  readonly #sinks = new Map<RoomId, Set<BusSink>>();
  readonly #listeners: BusListener[] = [];
  readonly #log: Log | undefined;

  constructor(log?: Log) {
    this.#log = log;
  }

  /** Adds a sink of `room`; the result removes it and may be called again without effect. */
  add(room: RoomId, sink: BusSink): () => void {
    // A wrapper, so that one object given twice counts twice.
    const own: BusSink = {
      entries: (entries) => sink.entries(entries),
      head: (seq) => sink.head(seq),
      signal: (signal) => sink.signal(signal),
    };
    let sinks = this.#sinks.get(room);
    if (sinks === undefined) this.#sinks.set(room, sinks = new Set());
    sinks.add(own);
    return () => {
      if (!sinks.delete(own)) return;
      if (sinks.size === 0 && this.#sinks.get(room) === sinks) this.#sinks.delete(room);
    };
  }

  listen(listener: BusListener): void {
    this.#listeners.push(listener);
  }

  /** Delivers entries of any rooms, in order, as one array per room. */
  entries(entries: LogEntry[]): void {
    const first = entries[0];
    if (first === undefined) return;
    if (entries.every((entry) => entry.room === first.room)) {
      return this.#toRoom(first.room, (sink) => sink.entries(entries));
    }
    for (const [room, own] of Map.groupBy(entries, (entry) => entry.room)) {
      this.#toRoom(room, (sink) => sink.entries(own));
    }
  }

  head(room: RoomId, seq: number): void {
    this.#toRoom(room, (sink) => sink.head(seq));
  }

  signal(room: RoomId, signal: Signal): void {
    this.#toRoom(room, (sink) => sink.signal(signal));
  }

  revoked(revocation: Revocation): void {
    for (const listener of this.#listeners) this.#guard(() => listener.revoked(revocation));
  }

  resumed(): void {
    for (const listener of this.#listeners) this.#guard(() => listener.resumed());
  }

  connected(up: boolean): void {
    for (const listener of this.#listeners) this.#guard(() => listener.connected(up));
  }

  clear(): void {
    this.#sinks.clear();
    this.#listeners.length = 0;
  }

  #toRoom(room: RoomId, deliver: (sink: BusSink) => void): void {
    const sinks = this.#sinks.get(room);
    if (sinks === undefined) return;
    for (const sink of sinks) this.#guard(() => deliver(sink));
  }

  #guard(call: () => void): void {
    try {
      call();
    } catch (error) {
      this.#log?.error("A receiver of the bus failed", { error });
    }
  }
}
