import type { PrincipalId, RoomId, ServerFrame } from "../../lib/protocol.ts";
import type { WriteKind, WriteRecord } from "../history.ts";
import type { Random } from "../random.ts";
import type { Recorder } from "../recorder.ts";
import type { Account } from "./account.ts";
import { type Api, type Node, verdict } from "./api.ts";
import type { Writer } from "./client.ts";
import { againMs, reached, wait } from "./waiting.ts";
import { type Closing, RawWebSocket, UpgradeRefused } from "./web_socket.ts";
import { WsOutbox } from "./ws_outbox.ts";
import { WsRooms } from "./ws_rooms.ts";

const OPEN_MS = 5000;
const TICK_MS = 100;
const PING_MS = 1000;
/** Nothing came for so long, although a ping was sent: the connection is dead. */
const DEAD_MS = 6000;
const STUBBORN_MS = 2000;

/** How a socket's client behaves. */
export interface WsClientOptions {
  name: string;
  account: Account;
  api: Api;
  recorder: Recorder;
  signal: AbortSignal;
  random: Random;
  /** Writes without an answer at the same time. Default 16. */
  inFlight?: number;
  /** How long it waits after a refused join. Default 1000. */
  knockMs?: number;
  /** Refreshes its token on the open socket this often. Default: only when told that it expires. */
  renewEveryMs?: number;
  /** Comes back with the token it had although its session has ended. */
  stubborn?: boolean;
}

/** A person's program on a WebSocket: one connection at a time, to a node by chance. */
export class WsClient implements Writer {
  readonly via = "ws";
  readonly writes = ["send", "edit", "delete"] as const;
  readonly name: string;
  readonly principal: PrincipalId;
  readonly #options: WsClientOptions;
  readonly #rooms: WsRooms;
  readonly #outbox: WsOutbox;
  readonly #stop = new AbortController();
  readonly #signal: AbortSignal;
  readonly #done: Promise<void>;
  #socket: RawWebSocket | undefined;
  #ready = false;
  #heardAt = 0;
  #pingedAt = 0;
  #renewedAt = 0;
  #stalled = false;
  #retryAfterMs: number | undefined;
  #token = "";

  constructor(options: WsClientOptions) {
    const { name, account, recorder, random } = options;
    this.#options = options;
    this.name = name;
    this.principal = account.id;
    this.#signal = AbortSignal.any([options.signal, this.#stop.signal]);
    this.#outbox = new WsOutbox(recorder, random, options.inFlight ?? 16);
    this.#rooms = new WsRooms({
      ...options,
      knockMs: options.knockMs ?? 1000,
      send: (frame) => this.#send(frame),
    });
    this.#done = this.#run();
  }

  get backlog(): number {
    return this.#outbox.size;
  }

  get connected(): boolean {
    return this.#ready && this.#socket?.open === true;
  }

  follow(room: RoomId): void {
    this.#rooms.follow(room);
  }

  position(room: RoomId): number | undefined {
    return this.#rooms.position(room);
  }

  write(room: RoomId, what: WriteKind): WriteRecord {
    const record = this.#options.recorder.write(this.principal, room, this.via, what);
    this.#outbox.add(record);
    if (this.#ready && !this.#stalled) this.#outbox.pump((frame) => this.#send(frame));
    return record;
  }

  cut(): number {
    if (this.#socket?.open !== true) return 0;
    this.#socket.drop();
    return 1;
  }

  /** Reads nothing for `ms`, and sends nothing. False when there is no connection now. */
  async stall(ms: number): Promise<boolean> {
    const socket = this.#socket;
    if (!this.connected || socket === undefined || this.#stalled) return false;
    this.#stalled = true;
    socket.pause();
    await wait(ms, this.#signal);
    this.#stalled = false;
    this.#heardAt = performance.now();
    socket.resume();
    return true;
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#done;
  }

  async #run(): Promise<void> {
    const { account, recorder, random, stubborn = false } = this.#options;
    for (let tries = 1; !this.#signal.aborted; tries++) {
      this.#retryAfterMs = undefined;
      const closing = await this.#connect();
      if (this.#signal.aborted) break;
      if (closing !== undefined) {
        recorder.count(`ws closed ${closing.code}`);
        if (this.#ready) tries = 1;
        if (closing.code === 4501) await this.#renew();
        if (closing.code === 4503 || closing.code === 4504) {
          recorder.problem(`${this.name} was closed with ${closing.code} ${closing.reason}`);
          break;
        }
      }
      this.#ready = false;
      if (account.ended) {
        this.#outbox.clear();
        if (!stubborn) break;
      }
      const ms = account.ended ? STUBBORN_MS : this.#retryAfterMs ?? againMs(tries, random);
      await wait(ms, this.#signal);
    }
    this.#outbox.clear();
  }

  /** Resolves when the connection is over; to undefined when there was none. */
  async #connect(): Promise<Closing | undefined> {
    const { account, api, random, recorder } = this.#options;
    const node = api.node();
    this.#ready = false;
    this.#token = await account.token();
    const ticket = random.next() < 0.5 ? await account.ticket() : "";
    const { promise: over, resolve: close } = Promise.withResolvers<Closing>();
    try {
      const socket = await RawWebSocket.open({
        url: node.url,
        ...(ticket === "" ? { token: this.#token } : { ticket }),
        timeoutMs: OPEN_MS,
        onText: (text) => this.#receive(text, node),
        onClose: close,
      });
      recorder.count("ws opened");
      await this.#live(socket, over);
    } catch (error) {
      this.#refused(error);
      return undefined;
    }
    return await over;
  }

  async #live(socket: RawWebSocket, over: Promise<Closing>): Promise<void> {
    this.#socket = socket;
    this.#heardAt = this.#renewedAt = performance.now();
    const timer = setInterval(() => this.#tick(socket), TICK_MS);
    const leave = () => void socket.close();
    this.#signal.addEventListener("abort", leave);
    if (this.#signal.aborted) leave();
    socket.begin();
    await over;
    this.#signal.removeEventListener("abort", leave);
    clearInterval(timer);
    this.#rooms.disconnected();
  }

  #refused(error: unknown): void {
    const { account, recorder } = this.#options;
    if (!(error instanceof UpgradeRefused)) return recorder.count("ws no answer to the upgrade");
    recorder.count(`ws upgrade ${error.code}`);
    const then = verdict(error.code);
    if (then === "token") account.refused(this.#token);
    if (then === "final" && error.status < 500) {
      recorder.problem(`${this.name}: ${error.message}`);
      this.#retryAfterMs = STUBBORN_MS;
    }
  }

  #tick(socket: RawWebSocket): void {
    if (this.#stalled || !socket.open) return;
    const now = performance.now();
    if (now - this.#heardAt > DEAD_MS) {
      this.#options.recorder.count("ws dead");
      return socket.drop();
    }
    if (!this.#ready) return;
    if (now - this.#heardAt > PING_MS && now - this.#pingedAt > PING_MS) {
      this.#pingedAt = now;
      this.#send({ type: "ping" });
    }
    const { renewEveryMs } = this.#options;
    if (renewEveryMs !== undefined && now - this.#renewedAt > renewEveryMs) void this.#renewHere();
    this.#rooms.tick();
    this.#outbox.pump((frame) => this.#send(frame));
  }

  /** A fresh token for the connection that is open. */
  async #renewHere(): Promise<void> {
    this.#renewedAt = performance.now();
    const socket = this.#socket;
    await this.#renew();
    this.#token = await this.#options.account.token();
    if (this.#socket === socket && this.#ready) {
      this.#send({ type: "auth", id: `a${this.#renewedAt}`, token: this.#token });
    }
  }

  async #renew(): Promise<void> {
    const { account } = this.#options;
    if (!account.ended) await account.renew();
  }

  #send(frame: Record<string, unknown>): void {
    this.#socket?.send(JSON.stringify(frame));
  }

  #receive(text: string, node: Node): void {
    this.#heardAt = performance.now();
    const parsed: ServerFrame | ServerFrame[] = JSON.parse(text);
    for (const frame of Array.isArray(parsed) ? parsed : [parsed]) this.#take(frame, node);
  }

  #take(frame: ServerFrame, node: Node): void {
    const { recorder } = this.#options;
    if (this.#rooms.take(frame, node)) return;
    if (frame.type === "ready") {
      this.#ready = true;
      this.#outbox.connected();
      this.#rooms.tick();
      this.#outbox.pump((one) => this.#send(one));
    } else if (frame.type === "expiring") {
      void this.#renewHere();
    } else if (frame.type === "ok" || frame.type === "error") {
      if (this.#outbox.answered(frame)) return this.#outbox.pump((one) => this.#send(one));
      if (frame.type === "ok" && frame.id.startsWith("a")) return recorder.count("ws auth ok");
      if (frame.type === "ok") return recorder.problem(`${this.name}: an ok to nothing asked`);
      recorder.count(`ws error ${frame.code}`);
      if (frame.id === undefined && frame.retryAfter !== undefined) {
        this.#retryAfterMs = frame.retryAfter * 1000;
      }
      if (verdict(frame.code) === "token") this.#options.account.refused(this.#token);
    }
  }

  /** Resolves to true when nothing waits for an answer any more. */
  settled(deadlineMs: number): Promise<boolean> {
    return reached(() => this.backlog === 0, deadlineMs, this.#signal);
  }
}
