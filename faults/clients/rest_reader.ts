import type { LogEntry, PrincipalId, RoomId } from "../../lib/protocol.ts";
import { type Node, verdict } from "./api.ts";
import type { Client } from "./client.ts";
import { FollowedRoom, type Opening } from "./followed_room.ts";
import { type ReaderContext, readHead } from "./pages.ts";
import { againMs, wait } from "./waiting.ts";

const PAGE = 200;
/** So many polls go to one node before the next is chosen. */
const STAY = 10;

/** How a reader of log pages behaves. */
export interface RestReaderOptions extends ReaderContext {
  name: string;
  /** Between two polls that found nothing new. */
  everyMs: number;
}

/** A program that follows rooms by asking for pages of their logs, each room by itself. */
export class RestReader implements Client {
  readonly via = "rest";
  readonly connected = false;
  readonly name: string;
  readonly principal: PrincipalId;
  readonly #options: RestReaderOptions;
  readonly #stop = new AbortController();
  readonly #rooms = new Map<RoomId, { room: FollowedRoom; done: Promise<void> }>();

  constructor(options: RestReaderOptions) {
    this.name = options.name;
    this.principal = options.account.id;
    const signal = AbortSignal.any([options.signal, this.#stop.signal]);
    this.#options = { ...options, signal };
  }

  follow(id: RoomId): void {
    if (this.#rooms.has(id)) return;
    const { recorder } = this.#options;
    const room = new FollowedRoom(recorder, this.principal, this.name, "rest", id);
    this.#rooms.set(id, { room, done: this.#poll(room) });
  }

  position(room: RoomId): number | undefined {
    return this.#rooms.get(room)?.room.seq;
  }

  cut(): number {
    return 0;
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    await Promise.all([...this.#rooms.values()].map(({ done }) => done));
  }

  async #poll(room: FollowedRoom): Promise<void> {
    const { signal, api, account, recorder, everyMs } = this.#options;
    let node = api.node();
    let tries = 0;
    for (let polls = 1; !signal.aborted && !account.ended; polls++) {
      const token = await account.token();
      const path = `/v1/rooms/${room.room}/log?${queryOf(room)}`;
      const askedAt = recorder.now();
      const { code, body, retryAfterMs } = await api.request("GET", path, { token }, node);
      if (code === "") {
        tries = 0;
        this.#take(room, body, { through: node.name, askedAt, after: room.seq });
        if (polls % STAY === 0) node = this.#move(room);
        if (body.hasMore) continue;
      } else {
        tries++;
        recorder.count(`rest log ${code}`);
        node = this.#move(room);
        if (verdict(code) === "token") account.refused(token);
        if (code === "epoch_changed") await this.#reload(room, node);
      }
      const backMs = retryAfterMs ?? Math.max(everyMs, againMs(tries, api.random));
      await wait(code === "" ? everyMs : backMs, signal);
    }
    room.close();
  }

  /** Another node: what it gives is another record. */
  #move(room: FollowedRoom): Node {
    room.close();
    return this.#options.api.node();
  }

  #take(
    room: FollowedRoom,
    page: { entries: LogEntry[]; epoch: string; head: number },
    asked: Opening,
  ): void {
    if (page.entries.length > 0) {
      if (room.record === undefined) room.open(asked);
      for (const entry of page.entries) room.take(entry, false, asked.through);
    }
    if (room.cursor !== undefined) room.cursor.epoch ??= page.epoch;
    room.heard(page.head);
  }

  async #reload(room: FollowedRoom, { name }: Node): Promise<void> {
    const [after, askedAt] = [room.seq, this.#options.recorder.now()];
    const page = await readHead(this.#options, room.room, () => true);
    if (page === undefined) return;
    room.open({ through: name, askedAt, after, head: page.head, recovered: false });
    room.reset(page.epoch, page.head);
    room.reloaded(page.head);
  }
}

function queryOf({ cursor }: FollowedRoom): URLSearchParams {
  return new URLSearchParams({
    after: `${cursor?.seq ?? 0}`,
    limit: `${PAGE}`,
    ...(cursor?.epoch === undefined ? {} : { epoch: cursor.epoch }),
  });
}
