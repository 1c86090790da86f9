import type { LogEntry, PrincipalId, RoomId } from "../../lib/protocol.ts";
import { type Node, verdict } from "./api.ts";
import type { Client } from "./client.ts";
import { EventParser, type StreamEvent } from "./event_stream.ts";
import { FollowedRoom, type Opening } from "./followed_room.ts";
import { type ReaderContext, readHead } from "./pages.ts";
import { againMs, wait } from "./waiting.ts";

const OPEN_MS = 8000;
/** The server writes a comment every 15 s. */
const DEAD_MS = 20_000;
const STUBBORN_MS = 2000;

/** How a reader of event streams behaves. */
export interface SseClientOptions extends ReaderContext {
  name: string;
  /** How long it waits after a refused stream. Default 1000. */
  knockMs?: number;
  /** Comes back with the token it had although its session has ended. */
  stubborn?: boolean;
}

/** A person's program that follows rooms by their event streams, one stream for each. */
export class SseClient implements Client {
  readonly via = "sse";
  readonly name: string;
  readonly principal: PrincipalId;
  readonly #streams = new Map<RoomId, RoomStream>();
  readonly #stop = new AbortController();
  readonly #options: SseClientOptions;

  constructor(options: SseClientOptions) {
    this.name = options.name;
    this.principal = options.account.id;
    const signal = AbortSignal.any([options.signal, this.#stop.signal]);
    this.#options = { ...options, signal };
  }

  follow(room: RoomId): void {
    if (!this.#streams.has(room)) this.#streams.set(room, new RoomStream(room, this.#options));
  }

  position(room: RoomId): number | undefined {
    return this.#streams.get(room)?.room.seq;
  }

  get connected(): boolean {
    return [...this.#streams.values()].some(({ live }) => live);
  }

  cut(): number {
    return [...this.#streams.values()].filter((stream) => stream.cut()).length;
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    await Promise.all([...this.#streams.values()].map(({ done }) => done));
  }
}

/** One room's stream, over all of its connections. */
class RoomStream {
  readonly room: FollowedRoom;
  readonly done: Promise<void>;
  /** A stream is open and has begun. */
  live = false;
  #connection: AbortController | undefined;
  /** What the end of the stream says about when to come back. */
  #backMs: number | undefined;
  #over = false;

  constructor(id: RoomId, private readonly options: SseClientOptions) {
    const { recorder, account, name } = options;
    this.room = new FollowedRoom(recorder, account.id, name, "sse", id);
    this.done = this.#run();
  }

  cut(): boolean {
    if (!this.live) return false;
    this.#connection?.abort();
    return true;
  }

  async #run(): Promise<void> {
    const { signal, account, api, stubborn = false } = this.options;
    for (let tries = 1; !signal.aborted && !this.#over; tries++) {
      this.#backMs = undefined;
      if (await this.#connect()) tries = 1;
      this.live = false;
      this.room.close();
      if (account.ended && !stubborn) break;
      const ms = this.#backMs ?? (account.ended ? STUBBORN_MS : againMs(tries, api.random));
      await wait(ms, signal);
    }
  }

  /** Resolves when the stream is over; to false when there was none. */
  async #connect(): Promise<boolean> {
    const { account, api, signal } = this.options;
    const node = api.node();
    const token = await account.token();
    const connection = this.#connection = new AbortController();
    const abort = () => connection.abort();
    signal.addEventListener("abort", abort);
    let timer = setTimeout(abort, OPEN_MS);
    const heard = () => {
      clearTimeout(timer);
      timer = setTimeout(abort, DEAD_MS);
    };
    try {
      if (signal.aborted) return false;
      const asked = {
        through: node.name,
        askedAt: this.options.recorder.now(),
        after: this.room.cursor?.seq,
      };
      const response = await this.#open(node, token, connection.signal);
      if (response.status !== 200) {
        this.#refused(await response.json(), token);
        return false;
      }
      await this.#read(response, asked, heard);
      return true;
    } catch {
      return this.live;
    } finally {
      clearTimeout(timer);
      signal.removeEventListener("abort", abort);
    }
  }

  #open(node: Node, token: string, signal: AbortSignal): Promise<Response> {
    const { cursor, room } = this.room;
    const known = cursor?.epoch !== undefined;
    const query = cursor === undefined || known ? "" : `?after=${cursor.seq}`;
    return fetch(`${node.url}/v1/rooms/${room}/stream${query}`, {
      headers: {
        authorization: `Bearer ${token}`,
        ...(known ? { "last-event-id": `${cursor!.epoch}:${cursor!.seq}` } : {}),
      },
      signal,
    });
  }

  #refused(problem: { code?: string; retryAfter?: number }, token: string): void {
    const { recorder, account } = this.options;
    const code = problem.code ?? "";
    recorder.count(`sse ${code}`);
    const then = verdict(code);
    if (then === "token") account.refused(token);
    this.#backMs = problem.retryAfter === undefined
      ? then === "final" ? this.options.knockMs ?? 1000 : undefined
      : problem.retryAfter * 1000;
  }

  async #read(response: Response, asked: Opening, heard: () => void): Promise<void> {
    const parser = new EventParser((event) => this.#take(event, asked));
    const decoder = new TextDecoder();
    for await (const piece of response.body!) {
      heard();
      parser.push(decoder.decode(piece, { stream: true }));
    }
  }

  #take({ name, data }: StreamEvent, asked: Opening): void {
    const { recorder } = this.options;
    switch (name) {
      case "ready":
        return this.#begin(data, asked);
      case "message":
        return this.room.take(data as LogEntry, true, asked.through);
      case "reset":
        recorder.count("sse reset");
        return;
      case "evicted":
        recorder.count(`sse evicted ${data.code}`);
        this.room.evicted(data.code);
        this.#backMs = data.code === "epoch_changed" ? 0 : this.options.knockMs ?? 1000;
        return;
      case "closing":
        recorder.count(`sse closing ${data.code}`);
        if (data.retryAfter !== undefined) this.#backMs = data.retryAfter * 1000;
        if (data.code === 4501) void this.options.account.renew();
        if (data.code === 4503 || data.code === 4504) {
          recorder.problem(`${this.options.name}: the stream was closed with ${data.code}`);
          this.#over = true;
        }
    }
  }

  #begin(
    { epoch, head, recovered }: { epoch: string; head: number; recovered?: boolean },
    asked: Opening,
  ): void {
    this.live = true;
    this.room.open({ ...asked, head, ...(recovered === undefined ? {} : { recovered }) });
    if (recovered === true && this.room.cursor !== undefined) {
      this.room.cursor.epoch ??= epoch;
      return;
    }
    this.options.recorder.count(asked.after === undefined ? "sse began anew" : "sse not recovered");
    this.room.reset(epoch, head);
    void this.#reload();
  }

  async #reload(): Promise<void> {
    const connection = this.#connection;
    const wanted = () => connection === this.#connection && this.live;
    const page = await readHead(this.options, this.room.room, wanted);
    if (page !== undefined && wanted()) this.room.reloaded(page.head);
  }
}
