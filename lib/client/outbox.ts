import type { MessageBody, RoomId, SendOk } from "../protocol.ts";
import { Backoff } from "./backoff.ts";
import type { Clock } from "./clock.ts";
import { ConfabClientError, toClientError } from "./errors.ts";

/** A message that is not in the timeline yet. */
export interface OutboxItem {
  clientId: string;
  body: MessageBody;
  /** Unix milliseconds. */
  createdAt: number;
  /** `sent`: acknowledged, its entry has not arrived yet. `failed`: waits for retry or discard. */
  state: "pending" | "sent" | "failed";
  /** The seq of a sent message. */
  seq?: number;
  /** Why it failed. */
  error?: { code: string; message: string };
}

/** Keeps unsent messages beyond this process or page. One key per message suits it best. */
export interface OutboxStore {
  load(room: RoomId): OutboxItem[] | Promise<OutboxItem[]>;
  put(room: RoomId, item: OutboxItem): void | Promise<void>;
  remove(room: RoomId, clientId: string): void | Promise<void>;
}

/** What an outbox needs. */
export interface OutboxOptions {
  room: RoomId;
  clock: Clock;
  store: OutboxStore | undefined;
  maxItems: number;
  /** True when a send has a chance now. */
  ready(): boolean;
  send(clientId: string, body: MessageBody): Promise<SendOk>;
  changed(): void;
}

interface Settle {
  resolve(ok: SendOk): void;
  reject(error: ConfabClientError): void;
}

/** An answer of `internal` may be the message's own fault: no endless repeats. */
const MAX_INTERNAL = 5;

/**
 * The messages of one room on their way, one at a time so that their order holds whatever
 * fails. A transient failure is repeated with the same `clientId`, which the server stores once.
 */
export class Outbox {
  #options: OutboxOptions;
  #backoff: Backoff;
  #items: OutboxItem[] = [];
  #settles = new Map<string, Settle>();
  #busy = true;
  #internal = 0;
  #cancelTimer: (() => void) | undefined;

  constructor(options: OutboxOptions) {
    this.#options = options;
    this.#backoff = new Backoff(options.clock);
    this.#restore();
  }

  /** In the order they will be stored. */
  get items(): readonly OutboxItem[] {
    return this.#items;
  }

  /**
   * Queues a message; resolves when it is stored.
   *
   * @throws {ConfabClientError} `outbox_full`, `discarded`, or the server's permanent refusal
   */
  add(clientId: string, body: MessageBody): Promise<SendOk> {
    if (this.#items.length >= this.#options.maxItems) {
      return Promise.reject(new ConfabClientError("outbox_full", "Too many messages wait already"));
    }
    const createdAt = this.#options.clock.now();
    const item: OutboxItem = { clientId, body, createdAt, state: "pending" };
    this.#items = [...this.#items, item];
    this.#keep(item);
    const settled = new Promise<SendOk>((resolve, reject) => {
      this.#settles.set(clientId, { resolve, reject });
    });
    this.#options.changed();
    this.pump();
    return settled;
  }

  /** Tries a failed message again, with the same `clientId`. */
  retry(clientId: string): void {
    this.#update(clientId, ({ error: _, ...item }) => ({ ...item, state: "pending" }));
    this.pump();
  }

  /** Gives a message up, if it is not stored already. */
  discard(clientId: string): void {
    this.#drop(clientId);
    this.#settle(clientId)?.reject(new ConfabClientError("discarded", "The message was given up"));
  }

  /** One's own message came back in the log: it is stored, whatever was answered. */
  echoed(clientId: string, ok: SendOk): void {
    this.#drop(clientId);
    this.#settle(clientId)?.resolve(ok);
  }

  /** The log was applied up to `seq`: what was sent up to there is in the timeline. */
  seen(seq: number): void {
    for (const item of this.#items) {
      if (item.state === "sent" && item.seq! <= seq) this.#drop(item.clientId);
    }
  }

  /** Sends what waits, if it can. */
  pump(): void {
    if (this.#busy || this.#cancelTimer !== undefined || !this.#options.ready()) return;
    const item = this.#items.find((each) => each.state === "pending");
    if (item === undefined) return;
    this.#busy = true;
    this.#options.send(item.clientId, item.body).then(
      (ok) => this.#stored(item, ok),
      (error) => this.#refused(item, toClientError(error)),
    ).finally(() => {
      this.#busy = false;
      this.pump();
    });
  }

  /** Ends a wait between attempts: the connection is new. */
  wake(): void {
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
    this.pump();
  }

  #stored(item: OutboxItem, ok: SendOk): void {
    this.#backoff.reset();
    this.#internal = 0;
    this.#update(item.clientId, (held) => ({ ...held, state: "sent", seq: ok.seq }), false);
    this.#forget(item.clientId);
    this.#settle(item.clientId)?.resolve(ok);
  }

  #refused(item: OutboxItem, error: ConfabClientError): void {
    if (error.code === "internal") this.#internal++;
    const again = error.code === "not_joined" || error.transient && this.#internal < MAX_INTERNAL;
    if (again) {
      const delayMs = this.#backoff.next(error.retryAfter);
      this.#cancelTimer = this.#options.clock.after(delayMs, () => this.wake());
      return;
    }
    this.#internal = 0;
    const { code, message } = error;
    this.#update(item.clientId, (held) => ({ ...held, state: "failed", error: { code, message } }));
    this.#settle(item.clientId)?.reject(error);
  }

  #settle(clientId: string): Settle | undefined {
    const settle = this.#settles.get(clientId);
    this.#settles.delete(clientId);
    return settle;
  }

  #update(clientId: string, change: (item: OutboxItem) => OutboxItem, keep = true): void {
    const at = this.#items.findIndex((item) => item.clientId === clientId);
    const held = this.#items[at];
    if (held === undefined) return;
    const item = change(held);
    this.#items = this.#items.with(at, item);
    if (keep) this.#keep(item);
    this.#options.changed();
  }

  #drop(clientId: string): void {
    if (!this.#items.some((item) => item.clientId === clientId)) return;
    this.#items = this.#items.filter((item) => item.clientId !== clientId);
    this.#forget(clientId);
    this.#options.changed();
  }

  /** The store is a convenience: when it fails, messages are still sent. */
  async #restore(): Promise<void> {
    const { store, room } = this.#options;
    try {
      const stored = await store?.load(room) ?? [];
      const known = new Set(this.#items.map((item) => item.clientId));
      const earlier = stored.filter((item) => !known.has(item.clientId));
      earlier.sort((a, b) => a.createdAt - b.createdAt);
      this.#items = [...earlier.slice(-this.#options.maxItems), ...this.#items];
      if (earlier.length > 0) this.#options.changed();
    } catch { /* Nothing was restored. */ }
    this.#busy = false;
    this.pump();
  }

  async #keep(item: OutboxItem): Promise<void> {
    try {
      await this.#options.store?.put(this.#options.room, item);
    } catch { /* It is still in memory. */ }
  }

  async #forget(clientId: string): Promise<void> {
    try {
      await this.#options.store?.remove(this.#options.room, clientId);
    } catch { /* It will be sent again, and stored once. */ }
  }
}
