import type { LogEntry, PublicPrincipal, RoomId } from "../protocol.ts";
import type { Clock } from "./clock.ts";
import { systemClock } from "./clock.ts";
import { Connection } from "./connection.ts";
import type { ConnectionState, ReadyFrame, RoomFrame } from "./connection.ts";
import { Emitter } from "./emitter.ts";
import type { SocketConstructor } from "./link.ts";
import type { OutboxStore } from "./outbox.ts";
import { RestClient } from "./rest.ts";
import { Room } from "./room.ts";
import type { TokenProvider } from "./tokens.ts";
import { onWake } from "./wake.ts";

/** Options of {@link ConfabClient}. */
export interface ConfabClientOptions {
  /** Where Confab is served, such as `https://chat.example.org`. */
  url: string;
  tokens: TokenProvider;
  /** For runtimes without a global one, such as Node 20: the class of the package `ws` fits. */
  WebSocket?: SocketConstructor;
  fetch?: typeof fetch;
  /** Keeps unsent messages beyond this process or page. */
  outboxStore?: OutboxStore;
  /** Messages held for each room; 2,000 when absent. */
  maxMessages?: number;
  /** Messages that may wait to be sent in each room; 200 when absent. */
  maxOutboxItems?: number;
  clock?: Clock;
}

/** What a client tells. */
export interface ConfabClientEvents {
  state: ConnectionState;
  ready: ReadyFrame;
  /** Each log entry of every followed room, once, in the order of its room. */
  entry: LogEntry;
}

/**
 * A connection to Confab: one WebSocket for all rooms, which comes back by itself.
 *
 * ```ts ignore
 * const tokens = new SessionTokens({ url });
 * await tokens.login({ username, password });
 * const client = new ConfabClient({ url, tokens });
 * client.connect();
 * const room = client.room(id);
 * room.on("message", (message) => show(message));
 * await room.load();
 * await room.send({ text: "Hello" });
 * ```
 */
export class ConfabClient extends Emitter<ConfabClientEvents> {
  readonly rest: RestClient;
  #options: ConfabClientOptions;
  #clock: Clock;
  #connection: Connection;
  #rooms = new Map<RoomId, Room>();
  #stopWake = () => {};

  constructor(options: ConfabClientOptions) {
    super();
    const { url, tokens } = options;
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.rest = new RestClient({
      url,
      tokens,
      ...(options.fetch === undefined ? {} : { fetch: options.fetch }),
    });
    this.#connection = new Connection({
      url,
      clock: this.#clock,
      WebSocket: options.WebSocket ?? globalThis.WebSocket as unknown as SocketConstructor,
      ticket: async () => (await this.rest.ticket()).ticket,
      token: (wanted) => tokens.accessToken(wanted),
    });
    this.#connection.on("state", (state) => this.#changed(state));
    this.#connection.on("frame", (frame) => this.#route(frame));
    this.#connection.on("ready", (frame) => {
      for (const room of this.#rooms.values()) room.connected();
      this.emit("ready", frame);
    });
  }

  get state(): ConnectionState {
    return this.#connection.state;
  }

  /** Who one is, while connected. */
  get principal(): PublicPrincipal | undefined {
    const { state } = this.#connection;
    return state.name === "connected" ? state.principal : undefined;
  }

  /** Connects and stays connected; `state` tells how it goes. */
  connect(): void {
    this.#stopWake();
    this.#stopWake = onWake(() => this.#connection.retryNow());
    this.#connection.open();
  }

  /** Disconnects; connect() starts again, with all rooms where they were. */
  close(): void {
    this.#stopWake();
    this.#connection.close();
  }

  /** Ends a wait between attempts now. */
  retryNow(): void {
    this.#connection.retryNow();
  }

  /** The room with this id: always the same object until forget(). */
  room(id: RoomId): Room {
    const known = this.#rooms.get(id);
    if (known !== undefined) return known;
    const room = new Room(id, {
      connection: this.#connection,
      rest: this.rest,
      clock: this.#clock,
      outboxStore: this.#options.outboxStore,
      maxMessages: this.#options.maxMessages ?? 2000,
      maxOutboxItems: this.#options.maxOutboxItems ?? 200,
    });
    room.on("entry", (entry) => this.emit("entry", entry));
    this.#rooms.set(id, room);
    return room;
  }

  /** Stops following a room and frees what is held of it. */
  forget(id: RoomId): void {
    this.#rooms.get(id)?.close();
    this.#rooms.delete(id);
  }

  #changed(state: ConnectionState): void {
    if (state.name !== "connected") {
      for (const room of this.#rooms.values()) room.disconnected();
    }
    this.emit("state", state);
  }

  #route(frame: RoomFrame): void {
    if (frame.type === "heads") {
      for (const [id, seq] of Object.entries(frame.rooms)) this.#rooms.get(id)?.head(seq);
      return;
    }
    const room = this.#rooms.get(frame.room);
    if (frame.type === "event") room?.receive(frame);
    else if (frame.type === "signal") room?.signal(frame.signal);
    else room?.evicted(frame.code);
  }
}
