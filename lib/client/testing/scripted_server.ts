import type {
  ClientFrame,
  LogEntry,
  Message,
  PublicPrincipal,
  ServerFrame,
} from "../../protocol.ts";
import type { SocketConstructor } from "../link.ts";
import { ScriptedRest } from "./scripted_rest.ts";
import { ScriptedRoom } from "./scripted_room.ts";
import type { ServerSocket } from "./scripted_socket.ts";
import { socketClass } from "./scripted_socket.ts";

/** The person who is signed in. */
export const ME: PublicPrincipal = { id: "me", kind: "user", name: "Me" };
/** Somebody else. */
export const OTHER: PublicPrincipal = { id: "other", kind: "user", name: "Other" };

/**
 * Confab's contract in memory with faults on request. Its rooms are real logs; `intercept` lets
 * a test answer, delay or swallow single frames, and `silent` loses every event on the way.
 */
export class ScriptedServer {
  readonly sockets: ServerSocket[] = [];
  readonly rooms = new Map<string, ScriptedRoom>();
  readonly rest: ScriptedRest;
  readonly fetch: typeof fetch;
  readonly WebSocket: SocketConstructor;
  /** Returns true when the test has dealt with the frame. */
  intercept: (frame: ClientFrame, socket: ServerSocket) => boolean = () => false;
  /** Events are stored but not delivered. */
  silent = false;
  maxReplay = 1000;
  expiresInMs = 15 * 60_000;
  #now: () => number;

  constructor(now: () => number) {
    this.#now = now;
    this.rest = new ScriptedRest(this);
    this.fetch = (input, init) => this.rest.answer(new Request(input, init));
    this.WebSocket = socketClass((socket) => this.accept(socket));
  }

  /** The socket that came last. */
  get socket(): ServerSocket {
    return this.sockets.at(-1)!;
  }

  room(id: string): ScriptedRoom {
    const room = this.rooms.get(id) ?? new ScriptedRoom(id, this.#now);
    this.rooms.set(id, room);
    return room;
  }

  /** A message by somebody else. */
  say(room: string, text: string): LogEntry {
    const { entry } = this.room(room).send(OTHER, crypto.randomUUID(), { text });
    this.deliver(entry);
    return entry;
  }

  /** Hands an entry to everyone who joined its room. */
  deliver(entry: LogEntry): void {
    if (this.silent) return;
    for (const socket of this.sockets) {
      if (socket.joined.has(entry.room)) socket.send({ type: "event", ...visible(entry) });
    }
  }

  accept(socket: ServerSocket): void {
    this.sockets.push(socket);
    socket.onFrame = (frame) => {
      if (!this.intercept(frame, socket)) this.#handle(frame, socket);
    };
    socket.send(this.ready());
  }

  ready(): ServerFrame {
    return {
      type: "ready",
      connection: `connection-${this.sockets.length}`,
      principal: ME,
      epoch: "epoch-1",
      limits: {
        sendsPerSecond: 50,
        sendBurst: 300,
        joinedRooms: 100,
        socketsPerPrincipal: 10,
        socketsPerAddress: 50,
        frameBytes: 65536,
        textBytes: 16384,
        dataBytes: 32768,
        replayEntries: this.maxReplay,
        presenceMembers: 200,
      },
      features: [],
      expiresAt: new Date(this.#now() + this.expiresInMs).toISOString(),
    };
  }

  #handle(frame: ClientFrame, socket: ServerSocket): void {
    if (frame.type === "ping") return socket.send({ type: "pong" });
    if (frame.type === "typing") return;
    const id = frame.id ?? "";
    if (frame.type === "join") return this.#join(frame, socket);
    if (frame.type === "send") {
      const { entry, duplicate } = this.room(frame.room).send(ME, frame.clientId, frame);
      socket.send({ type: "ok", id, seq: entry.seq, at: entry.event.at, duplicate });
      if (!duplicate) this.deliver(entry);
    } else if (frame.type === "edit" || frame.type === "delete") {
      const text = frame.type === "edit" ? frame.text : undefined;
      const entry = this.room(frame.room).change(ME, frame.seq, text);
      socket.send({ type: "ok", id, seq: entry.seq });
      this.deliver(entry);
    } else if (frame.type === "read") {
      const room = this.room(frame.room);
      room.read = Math.max(room.read, frame.seq);
      socket.send({ type: "ok", id, read: room.read, unread: 0 });
    } else socket.send({ type: "ok", id });
  }

  /** The answer and the replay leave as one array, as the real server may do. */
  #join(frame: ClientFrame & { type: "join" }, socket: ServerSocket): void {
    const room = this.room(frame.room);
    const { epoch, head, read } = room;
    socket.joined.add(frame.room);
    const ok = {
      type: "ok",
      id: frame.id,
      room: room.id,
      epoch,
      head,
      read,
      unread: head - read,
    } as const;
    if (frame.after === undefined) return socket.send({ ...ok, role: "member" });
    const after = frame.after;
    const recovered = frame.epoch === epoch && after <= head && after >= room.floor &&
      head - after <= this.maxReplay;
    const missed = recovered ? room.entries.filter((entry) => entry.seq > after) : [];
    socket.send([
      { ...ok, role: "member", recovered },
      ...missed.map((entry) => ({ type: "event" as const, ...visible(entry) })),
    ]);
  }
}

/** Only the sender sees a clientId; here everyone who listens is ME. */
export function visible(entry: LogEntry): LogEntry {
  const copy = structuredClone(entry);
  if ("message" in copy.event) copy.event.message = visibleMessage(copy.event.message);
  return copy;
}

/** See {@link visible}. */
export function visibleMessage(message: Message): Message {
  const { clientId, ...rest } = structuredClone(message);
  return message.sender.id === ME.id && clientId !== undefined ? { ...rest, clientId } : rest;
}
