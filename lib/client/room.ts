import type {
  JoinOk,
  LogEntry,
  Message,
  MessageBody,
  RoomId,
  RoomPresence,
  RoomRole,
  SendOk,
  Signal,
} from "../protocol.ts";
import type { ReadAnswer } from "./answers.ts";
import { Emitter } from "./emitter.ts";
import type { Cursor } from "./catch_up.ts";
import { Following } from "./following.ts";
import type { RoomStatus } from "./following.ts";
import { History } from "./history.ts";
import type { RequestFrame } from "./link.ts";
import { Outbox } from "./outbox.ts";
import { PresenceReader } from "./presence.ts";
import { ReadCursor } from "./read_cursor.ts";
import { repeat } from "./repeat.ts";
import type { MessageChange } from "./rest.ts";
import { RoomCommands } from "./room_commands.ts";
import { RoomDevices } from "./room_devices.ts";
import type { RoomContext, RoomEvents } from "./room_events.ts";
import { Timeline } from "./timeline.ts";

const TYPING_EVERY_MS = 3000;

/** One room as this client follows it. Made by `ConfabClient.room()`. */
export class Room extends Emitter<RoomEvents> {
  readonly id: RoomId;
  readonly timeline: Timeline;
  readonly outbox: Outbox;
  readonly devices: RoomDevices;
  readonly #commands: RoomCommands;
  #context: RoomContext;
  #following: Following;
  #history: History;
  #readCursor: ReadCursor;
  #presence: PresenceReader;
  #unread = 0;
  /** Messages up to here are in the server's count already, also those it replays. */
  #countedTo = 0;
  #role: RoomRole | null | undefined;
  #typedAt = -Infinity;

  constructor(id: RoomId, context: RoomContext) {
    super();
    const { clock, rest, connection } = context;
    this.id = id;
    this.#context = context;
    this.timeline = new Timeline(context.maxMessages);
    this.#following = new Following({
      room: id,
      clock,
      connection,
      fetchLog: ({ epoch, seq }) => rest.log(id, { epoch, after: seq, limit: 200 }),
      apply: (entry) => this.#apply(entry),
      accepted: (ok, reset) => this.#accepted(ok, reset),
      changed: (status) => this.emit("state", status),
      refused: (code) => this.emit("evicted", { code }),
    });
    this.#history = new History({
      clock,
      timeline: this.timeline,
      fetchPage: (query) => rest.messages(id, query),
      loaded: (count) => this.emit("loaded", { count }),
      live: () => this.status === "live",
      stale: (epoch) => epoch !== this.cursor?.epoch,
    });
    this.#readCursor = new ReadCursor(
      clock,
      (seq) => this.#request<ReadAnswer>({ type: "read", room: id, seq }),
      ({ read, unread }) => this.#count(read >= (this.cursor?.seq ?? 0) ? 0 : unread),
    );
    this.devices = new RoomDevices(id, context);
    this.#commands = new RoomCommands(id, context);
    this.#presence = new PresenceReader(() => rest.presence(id));
    this.outbox = new Outbox({
      room: id,
      clock,
      store: context.outboxStore,
      maxItems: context.maxOutboxItems,
      ready: () => this.status === "live",
      send: (clientId, body) => this.#request({ type: "send", room: id, clientId, ...body }),
      changed: () => this.emit("outbox", undefined),
    });
  }

  get status(): RoomStatus {
    return this.#following.status;
  }

  /** How far the log was applied; `undefined` before the first join. */
  get cursor(): Cursor | undefined {
    return this.#following.cursor;
  }

  get read(): number {
    return this.#readCursor.seq;
  }

  get unread(): number {
    return this.#unread;
  }

  /** One's role; `null` for a reader of a public room who is not a member. */
  get role(): RoomRole | null | undefined {
    return this.#role;
  }

  /**
   * Follows the room from now on, through every reconnect. Resolves when it is live.
   *
   * @throws {ConfabClientError} when the server refuses
   */
  join(): Promise<void> {
    return this.#following.follow();
  }

  /** Stops following; the membership stays. */
  close(): void {
    this.#following.stop();
  }

  /** Loads the newest messages, now and after every reset. Resolves when they are there. */
  load(limit = 50): Promise<void> {
    void this.join();
    const loaded = this.#history.want(limit);
    this.#history.load();
    return loaded;
  }

  /** Loads older messages; false when there are none or no more fit. */
  loadEarlier(limit = 50): Promise<boolean> {
    return this.#history.loadEarlier(limit);
  }

  /**
   * Sends a message through the outbox; resolves when it is stored.
   *
   * @throws {ConfabClientError} for a permanent refusal; the message is then `failed` in the outbox
   */
  send(body: MessageBody, clientId: string = crypto.randomUUID()): Promise<SendOk> {
    void this.join();
    this.#typedAt = -Infinity;
    return this.outbox.add(clientId, body);
  }

  /** Changes one's own message; repeated with one `clientId` until answered, 30 s at most. */
  async edit(seq: number, change: MessageChange): Promise<void> {
    const frame = { type: "edit", room: this.id, seq, clientId: crypto.randomUUID(), ...change };
    await repeat(this.#context.clock, () => this.#request(frame as RequestFrame));
  }

  /** Deletes a message; its place in the log stays. Repeated like {@link edit}. */
  async delete(seq: number): Promise<void> {
    const frame = { type: "delete", room: this.id, seq, clientId: crypto.randomUUID() } as const;
    await repeat(this.#context.clock, () => this.#request(frame));
  }

  /** Asks a device to do something. Repeated like {@link edit}; the answer comes as a message. */
  readonly command: RoomCommands["send"] = (...asked) => this.#commands.send(...asked);

  /** The same for a line as somebody types it: `/cmd pump1 start speed=3`. */
  readonly commandLine: RoomCommands["sendLine"] = (...asked) => this.#commands.sendLine(...asked);

  /** Takes a command back that the device has not answered, by its id. */
  readonly cancelCommand: RoomCommands["cancel"] = (command) => this.#commands.cancel(command);

  /**
   * Tells the others that one is typing, at most every 3 s and anew after a message: call it at
   * every key.
   */
  typing(): void {
    const now = this.#context.clock.now();
    if (this.status !== "live" || now - this.#typedAt < TYPING_EVERY_MS) return;
    this.#typedAt = now;
    this.#context.connection.notify({ type: "typing", room: this.id });
  }

  /** Marks everything up to `seq` as read; by default everything that has arrived. */
  markRead(seq?: number): void {
    const arrived = this.cursor?.seq ?? 0;
    const upTo = Math.min(seq ?? arrived, arrived);
    if (this.#readCursor.mark(upTo)) this.#count(upTo === arrived ? 0 : this.#unread);
  }

  /**
   * Who of the members is online. Read it when the room is `live`, anew after every reconnect; in
   * between the event `presence` tells what changes.
   */
  presence(): Promise<RoomPresence> {
    return this.#presence.read();
  }

  /** Called by the client: the connection is ready. */
  connected(): void {
    this.#following.connected();
  }

  /** Called by the client: the connection is gone. */
  disconnected(): void {
    this.#following.disconnected();
  }

  /** Called by the client: an entry from the socket. */
  receive(entry: LogEntry): void {
    this.#following.receive(entry);
  }

  /** Called by the client: the log reaches `seq`. */
  head(seq: number): void {
    this.#following.head(seq);
  }

  /** Called by the client: the server ended the following. */
  evicted(code: string): void {
    this.#following.evicted(code);
  }

  /** Called by the client: something short-lived. */
  signal(signal: Signal): void {
    if (signal.type === "typing") return this.emit("typing", signal.principal);
    if (signal.type === "telemetry") {
      return this.emit("telemetry", { device: signal.device, readings: signal.readings });
    }
    if (signal.type === "presence") return this.#presenceChanged(signal);
    if (signal.type === "state") {
      const { type: _, ...reported } = signal;
      return this.emit("reported", reported);
    }
    if (signal.type === "missed") return this.emit("missed", undefined);
    if (signal.type !== "receipt") return;
    const { principal } = signal;
    const { state } = this.#context.connection;
    const own = state.name === "connected" && state.principal.id === principal.id;
    if (!own) return this.emit("receipt", { principal, read: signal.read });
    this.#readCursor.learn(signal.read);
    this.#count(signal.read >= (this.cursor?.seq ?? 0) ? 0 : this.#unread);
  }

  #presenceChanged({ state, changes }: Extract<Signal, { type: "presence" }>): void {
    this.#presence.receive({ state, changes });
    this.emit("presence", { state, changes });
  }

  #accepted(ok: JoinOk, reset: boolean): void {
    this.#role = ok.role;
    if (reset) {
      this.#history.reset();
      this.#readCursor.reset();
      this.outbox.seen(Infinity);
      this.emit("reset", { epoch: ok.epoch });
    }
    this.#readCursor.learn(ok.read);
    this.#countedTo = ok.head;
    this.#count(ok.unread);
    this.#history.load();
    this.#readCursor.flush();
    this.outbox.wake();
  }

  #apply(entry: LogEntry): void {
    const { event } = entry;
    if (event.type === "message.created") this.#created(event.message);
    else if ("message" in event) {
      if (this.timeline.change(entry.seq, event.message)) this.emit("change", event.message);
    } else if (event.type === "device.state") this.emit("desired", event);
    else if ("member" in event || "principal" in event) this.emit("member", event);
    this.outbox.seen(entry.seq);
    this.emit("entry", entry);
  }

  /** Only what one sent oneself carries a `clientId`; the server counts it as read. */
  #created(message: Message): void {
    const { seq, at, clientId } = message;
    this.timeline.add(message);
    if (clientId !== undefined) {
      this.#readCursor.learn(seq);
      this.#count(0);
      this.outbox.echoed(clientId, { seq, at, duplicate: false });
    } else if (seq > this.read && seq > this.#countedTo) this.#count(this.#unread + 1);
    this.emit("message", message);
  }

  #count(unread: number): void {
    this.#unread = unread;
    this.emit("unread", { read: this.read, unread });
  }

  async #request<Answer>(frame: RequestFrame): Promise<Answer> {
    return await this.#context.connection.request(frame) as Answer;
  }
}
