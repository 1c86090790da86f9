import type { JoinOk, RoomId, ServerFrame } from "../../lib/protocol.ts";
import type { Random } from "../random.ts";
import type { Recorder } from "../recorder.ts";
import type { Account } from "./account.ts";
import { type Api, type Node, verdict } from "./api.ts";
import { FollowedRoom } from "./followed_room.ts";
import { readHead } from "./pages.ts";
import { againMs } from "./waiting.ts";

/** Known to be behind for so long, with nothing coming: join again with the cursor. */
const BEHIND_MS = 2000;
const JOIN_MS = 8000;

/** What the rooms of a socket need. */
export interface WsRoomsOptions {
  name: string;
  account: Account;
  api: Api;
  recorder: Recorder;
  signal: AbortSignal;
  random: Random;
  knockMs: number;
  send: (frame: Record<string, unknown>) => void;
}

interface Following {
  state: "out" | "joining" | "in";
  room: FollowedRoom;
  /** The id of the join that counts. */
  joinId: string;
  /** When to join next, or again; by the clock of the run. */
  dueAt: number;
  refusals: number;
}

interface Join {
  following: Following;
  after: number | undefined;
  askedAt: number;
}

/** The rooms that one socket's client follows, over all of its connections. */
export class WsRooms {
  readonly #rooms = new Map<RoomId, Following>();
  /** Joins that were asked for, by id; also those that are asked for in vain. */
  readonly #joins = new Map<string, Join>();
  #joinCount = 0;
  /** Counts connections, so that what one began does not act on the next. */
  #connection = 0;

  constructor(private readonly options: WsRoomsOptions) {}

  follow(room: RoomId): void {
    if (!this.#rooms.has(room)) this.#rooms.set(room, this.#following(room));
  }

  position(room: RoomId): number | undefined {
    return this.#rooms.get(room)?.room.seq;
  }

  disconnected(): void {
    this.#connection++;
    this.#joins.clear();
    for (const following of this.#rooms.values()) {
      following.room.close();
      Object.assign(following, { state: "out", dueAt: 0, refusals: 0 });
    }
  }

  /** Joins what is due, and again what is behind. */
  tick(): void {
    const now = this.options.recorder.now();
    for (const following of this.#rooms.values()) {
      const { state, dueAt, room } = following;
      if (state === "in") {
        if (room.behindMs > BEHIND_MS) {
          this.options.recorder.count("ws joined again, being behind");
          this.#join(following, room.cursor?.seq);
        }
      } else if (now >= dueAt) this.#join(following, room.cursor?.seq);
    }
  }

  /** Takes a frame about rooms; false for others. */
  take(frame: ServerFrame, node: Node): boolean {
    switch (frame.type) {
      case "event":
        this.#event(frame, node);
        return true;
      case "heads":
        for (const [room, head] of Object.entries(frame.rooms)) {
          this.#rooms.get(room)?.room.heard(head);
        }
        return true;
      case "evicted":
        this.#evicted(frame.room, frame.code);
        return true;
      case "ok":
      case "error":
        return frame.id !== undefined && this.#answered(frame.id, frame, node);
      default:
        return false;
    }
  }

  #following(room: RoomId): Following {
    const { recorder, account, name } = this.options;
    return {
      state: "out",
      room: new FollowedRoom(recorder, account.id, name, "ws", room),
      joinId: "",
      dueAt: 0,
      refusals: 0,
    };
  }

  #join(following: Following, after: number | undefined): void {
    const { recorder, send } = this.options;
    const { room } = following;
    const id = `j${++this.#joinCount}`;
    const epoch = room.cursor?.epoch;
    following.state = "joining";
    following.dueAt = recorder.now() + JOIN_MS;
    following.joinId = id;
    this.#joins.set(id, { following, after, askedAt: recorder.now() });
    send({
      type: "join",
      id,
      room: room.room,
      ...(after === undefined ? {} : { after }),
      ...(after === undefined || epoch === undefined ? {} : { epoch }),
    });
  }

  #answered(id: string, frame: ServerFrame, node: Node): boolean {
    const join = this.#joins.get(id);
    if (join === undefined) return false;
    this.#joins.delete(id);
    if (frame.type === "error") this.#refused(join.following, id, frame.code, frame.retryAfter);
    else this.#begin(join, frame as unknown as JoinOk, node);
    return true;
  }

  #begin({ following, after, askedAt }: Join, ok: JoinOk, node: Node): void {
    const { room } = following;
    const { epoch, head, recovered } = ok;
    Object.assign(following, { state: "in", refusals: 0 });
    room.open({
      through: node.name,
      askedAt,
      after,
      head,
      ...(recovered === undefined ? {} : { recovered }),
    });
    if (recovered === true && room.cursor !== undefined) {
      room.cursor.epoch ??= epoch;
      return;
    }
    this.options.recorder.count(after === undefined ? "ws began anew" : "ws not recovered");
    room.reset(epoch, head);
    void this.#reload(following);
  }

  #refused(following: Following, id: string, code: string, retryAfter?: number): void {
    const { recorder, random, knockMs } = this.options;
    recorder.count(`ws join ${code}`);
    // An answer to a join that another one has replaced says nothing
    if (following.joinId !== id) return;
    following.state = "out";
    following.refusals++;
    const ms = verdict(code) === "final" ? knockMs : againMs(following.refusals, random);
    following.dueAt = recorder.now() + (retryAfter === undefined ? ms : retryAfter * 1000);
  }

  #event(frame: Extract<ServerFrame, { type: "event" }>, node: Node): void {
    let following = this.#rooms.get(frame.room);
    if (following?.room.record === undefined) {
      this.options.recorder.problem(`${this.options.name} was given an entry before a join`);
      if (following === undefined) {
        this.#rooms.set(frame.room, following = this.#following(frame.room));
      }
    }
    const { type: _, ...entry } = frame;
    following.room.take(entry, true, node.name);
  }

  #evicted(id: RoomId, code: string): void {
    const following = this.#rooms.get(id);
    if (following === undefined) return;
    const { recorder, knockMs } = this.options;
    recorder.count(`ws evicted ${code}`);
    following.room.evicted(code);
    following.state = "out";
    following.dueAt = recorder.now() + (code === "epoch_changed" ? 0 : knockMs);
  }

  /** Reads a fresh page, as long as the connection lasts that asked for it. */
  async #reload({ room }: Following): Promise<void> {
    const connection = this.#connection;
    const wanted = () => connection === this.#connection && room.cursor === undefined;
    const page = await readHead(this.options, room.room, wanted);
    if (page !== undefined && wanted()) room.reloaded(page.head);
  }
}
