import type { ClientFrame, PublicPrincipal, ServerFrame } from "../protocol.ts";
import { SUBPROTOCOL } from "../protocol.ts";
import { Backoff } from "./backoff.ts";
import type { Clock } from "./clock.ts";
import { Emitter } from "./emitter.ts";
import { ConfabClientError, toClientError } from "./errors.ts";
import { Link } from "./link.ts";
import type { LinkEnd, Ok, RequestFrame, SocketConstructor } from "./link.ts";
import { Renewal } from "./renewal.ts";

/** Where a connection stands. `retryAt` is in Unix milliseconds. */
export type ConnectionState =
  | { name: "idle" }
  | { name: "connecting"; attempt: number }
  | { name: "connected"; connection: string; principal: PublicPrincipal }
  | { name: "waiting"; retryAt: number; reason: string }
  | { name: "closed"; reason: string; code: number | undefined };

/** The first frame of a connection. */
export type ReadyFrame = Extract<ServerFrame, { type: "ready" }>;
/** Frames about one room or some rooms. */
export type RoomFrame = Extract<ServerFrame, { type: "event" | "signal" | "heads" | "evicted" }>;

/** What a connection tells. */
export interface ConnectionEvents {
  state: ConnectionState;
  ready: ReadyFrame;
  frame: RoomFrame;
}

/** Options of {@link Connection}. */
export interface ConnectionOptions {
  url: string;
  clock: Clock;
  WebSocket: SocketConstructor;
  /** A fresh single-use ticket; a {@link ConfabClientError} that is not transient closes. */
  ticket(): Promise<string>;
  token(options: { refresh: boolean }): Promise<string>;
}

/** A connection that has held this long has proved itself: waits start short again. */
const STABLE_MS = 10_000;

/** One lasting connection made of many links: comes back by itself until it is closed. */
export class Connection extends Emitter<ConnectionEvents> {
  #options: ConnectionOptions;
  #backoff: Backoff;
  #renewal: Renewal;
  #state: ConnectionState = { name: "idle" };
  #link: Link | undefined;
  #generation = 0;
  #refreshed = false;
  #cancelTimer = () => {};

  constructor(options: ConnectionOptions) {
    super();
    this.#options = options;
    this.#backoff = new Backoff(options.clock);
    this.#renewal = new Renewal(options.clock, () => this.#authenticate());
  }

  get state(): ConnectionState {
    return this.#state;
  }

  /** Connects, unless that is under way; after `closed` it starts afresh. */
  open(): void {
    const { name } = this.#state;
    if (name !== "idle" && name !== "closed") return;
    this.#backoff.reset();
    this.#refreshed = false;
    this.#attempt();
  }

  /** Disconnects and stays away until opened again. */
  close(reason = "Closed by the client"): void {
    this.#stop({ name: "closed", reason, code: undefined });
  }

  /** Ends a wait now, and checks that a connection is alive. */
  retryNow(): void {
    if (this.#state.name === "waiting") this.#attempt();
    if (this.#state.name === "connected") this.#link?.probe();
  }

  /** See {@link Link.request}; rejects with `disconnected` when there is no link. */
  request(frame: RequestFrame, onOk?: (ok: Ok) => void): Promise<Ok> {
    if (this.#link !== undefined && this.#state.name === "connected") {
      return this.#link.request(frame, onOk);
    }
    return Promise.reject(new ConfabClientError("disconnected", "There is no connection"));
  }

  /** See {@link Link.notify}. */
  notify(frame: ClientFrame): void {
    if (this.#state.name === "connected") this.#link?.notify(frame);
  }

  #attempt(): void {
    this.#cancelTimer();
    const generation = ++this.#generation;
    this.#enter({ name: "connecting", attempt: this.#backoff.attempts + 1 });
    this.#dial(generation).catch((error) => {
      if (generation !== this.#generation) return;
      const failure = toClientError(error);
      if (failure.transient) return this.#wait(failure.message, failure.retryAfter);
      this.#stop({ name: "closed", reason: failure.message, code: undefined });
    });
  }

  async #dial(generation: number): Promise<void> {
    const ticket = await this.#options.ticket();
    if (generation !== this.#generation) return;
    const url = new URL("/v1/socket", this.#options.url);
    url.protocol = url.protocol.replace("http", "ws");
    url.searchParams.set("ticket", ticket);
    const socket = new this.#options.WebSocket(url.href, [SUBPROTOCOL]);
    this.#link = new Link(socket, this.#options.clock, {
      frame: (frame) => this.#receive(frame),
      ended: (end) => {
        if (generation === this.#generation) this.#ended(end);
      },
    });
  }

  #receive(frame: ServerFrame): void {
    if (frame.type === "ready") return this.#ready(frame);
    if (frame.type === "expiring") return void this.#renewal.now();
    if (
      frame.type === "event" || frame.type === "signal" || frame.type === "heads" ||
      frame.type === "evicted"
    ) this.emit("frame", frame);
  }

  #ready(frame: ReadyFrame): void {
    const expiresAt = Date.parse(frame.expiresAt);
    if (Number.isFinite(expiresAt)) this.#renewal.plan(expiresAt);
    this.#cancelTimer = this.#options.clock.after(STABLE_MS, () => {
      this.#backoff.reset();
      this.#refreshed = false;
    });
    const { connection, principal } = frame;
    this.#enter({ name: "connected", connection, principal });
    this.emit("ready", frame);
  }

  #ended(end: LinkEnd): void {
    this.#generation++;
    this.#renewal.stop();
    this.#cancelTimer();
    this.#link = undefined;
    const reason = end.reason === "" ? `The connection ended (${end.code})` : end.reason;
    if (end.code === 4501 && !this.#refreshed) return this.#refreshThenRetry(reason);
    if (end.code >= 4500 && end.code < 5000) {
      return this.#enter({ name: "closed", reason, code: end.code });
    }
    this.#wait(reason, end.retryAfter);
  }

  /** The server refused the token: a new one may help, once. */
  #refreshThenRetry(reason: string): void {
    this.#refreshed = true;
    const generation = this.#generation;
    this.#enter({ name: "connecting", attempt: this.#backoff.attempts + 1 });
    this.#options.token({ refresh: true }).then(
      () => {
        if (generation === this.#generation) this.#attempt();
      },
      (error) => {
        if (generation !== this.#generation) return;
        const failure = toClientError(error);
        if (failure.transient) return this.#wait(failure.message, failure.retryAfter);
        this.#enter({ name: "closed", reason, code: 4501 });
      },
    );
  }

  #wait(reason: string, retryAfter: number | undefined): void {
    const delayMs = this.#backoff.next(retryAfter);
    this.#cancelTimer = this.#options.clock.after(delayMs, () => this.#attempt());
    this.#enter({ name: "waiting", retryAt: this.#options.clock.now() + delayMs, reason });
  }

  #stop(state: ConnectionState): void {
    this.#generation++;
    this.#renewal.stop();
    this.#cancelTimer();
    const link = this.#link;
    this.#link = undefined;
    link?.end(1000, "");
    this.#enter(state);
  }

  async #authenticate(): Promise<number | undefined> {
    const token = await this.#options.token({ refresh: true });
    const ok = await this.request({ type: "auth", token });
    const expiresAt = typeof ok.expiresAt === "string" ? Date.parse(ok.expiresAt) : NaN;
    return Number.isFinite(expiresAt) ? expiresAt : undefined;
  }

  #enter(state: ConnectionState): void {
    this.#state = state;
    this.emit("state", state);
  }
}
