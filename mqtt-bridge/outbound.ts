import { backoffMs, pause } from "../lib/backoff.ts";
import type { Log } from "../lib/log.ts";
import type { PrincipalId, RoomId } from "../lib/protocol.ts";
import type { Desired } from "./desired.ts";
import { Heads } from "./heads.ts";
import type { Leftovers } from "./leftovers.ts";
import { LiveEntries } from "./live_entries.ts";
import type { OpenCommands } from "./open_commands.ts";
import { OutboundRoom } from "./outbound_room.ts";
import type { BridgeRoom, BridgeStore, LeaseHold, Publisher, WatchRoom } from "./ports.ts";
import { RoomDelivery } from "./room_delivery.ts";
import type { Topics } from "./topics.ts";

/** What outbound works with; one per term of the lease. */
export interface OutboundOptions {
  topics: Topics;
  store: BridgeStore;
  publisher: Publisher;
  desired: Pick<Desired, "publish" | "showAll">;
  commands?: Pick<OpenCommands, "takes">;
  leftovers?: Pick<Leftovers, "found">;
  lease: LeaseHold;
  log: Log;
  /** Tells of new entries; without it the beacon finds them. */
  watch?: WatchRoom | undefined;
  beaconSeconds: number;
  /** The term is over. */
  signal: AbortSignal;
  /** The database says that somebody else holds the lease. */
  onDeposed(): void;
}

const TICK_MS = 1000;
const SOON_MS = 50;

/**
 * Carries the rooms' logs to their devices, by one stored cursor per room, in order, at least
 * once: after a crash the entries since the last checkpoint are published again. An entry counts
 * as delivered when the broker has acknowledged it for every device.
 */
export class Outbound {
  readonly #rooms = new Map<RoomId, OutboundRoom>();
  readonly #live = new LiveEntries();
  readonly #delivery: RoomDelivery;
  readonly #heads: Heads;
  #epoch: string | undefined;
  #hurry: () => void = () => {};

  constructor(private readonly o: OutboundOptions) {
    this.#delivery = new RoomDelivery(
      { ...o, live: this.#live },
      (room) => this.#heads.changed(room),
    );
    this.#heads = new Heads(this.#rooms, (device, room) => this.#delivery.head(device, room));
  }

  /** Runs until the signal; then what was delivered is stored once more. */
  async run(): Promise<void> {
    await Promise.all([
      this.#beaconLoop(),
      this.#each(TICK_MS, "Heads", () => this.#heads.tick()),
      this.#each(TICK_MS, "Cursors", () => this.#checkpoint()),
    ]);
    for (const room of this.#rooms.values()) room.unwatch?.();
    await this.#checkpoint().catch(() => {});
  }

  /** A room has entries up to `head`. */
  notice(id: RoomId, head: number): void {
    const room = this.#rooms.get(id);
    if (room === undefined) this.#hurry();
    else this.#reach(room, head);
  }

  /** Rooms or members may have changed. */
  refreshSoon(): void {
    this.#live.clear();
    this.#hurry();
  }

  /** The connection to the broker is new: go on, and show every head again. */
  connected(): void {
    this.#live.clear();
    this.#delivery.wake();
    for (const room of this.#rooms.values()) {
      this.#heads.changed(room);
      this.#delivery.start(room);
    }
  }

  /** A device has come and wants to know where its rooms stand. */
  born(device: PrincipalId): void {
    this.#heads.born(device);
  }

  /** A device's access has ended: it gets nothing more, and no head waits for it at the broker. */
  forget(device: PrincipalId): void {
    for (const room of this.#rooms.values()) {
      // Who is in the room may just be being read, from before.
      if (room.busy) room.stale = true;
      if (room.devices?.delete(device)) this.#delivery.clearHead(device, room);
    }
  }

  /** Devices of these rooms have access again: who is in them is read anew. */
  returned(rooms: RoomId[]): void {
    for (const id of rooms) {
      const room = this.#rooms.get(id);
      if (room === undefined) continue;
      room.stale = true;
      this.#delivery.start(room);
    }
  }

  /** Rooms that are looked after, and entries known to wait for delivery. */
  health(): { rooms: number; behind: number } {
    let behind = 0;
    for (const room of this.#rooms.values()) behind += Math.max(0, room.target - room.cursor);
    return { rooms: this.#rooms.size, behind };
  }

  async #beaconLoop(): Promise<void> {
    const { signal, beaconSeconds } = this.o;
    for (let attempt = 0; !signal.aborted;) {
      const hurried = new AbortController();
      this.#hurry = () => hurried.abort();
      try {
        await this.#refresh();
        attempt = 0;
      } catch (error) {
        if (!signal.aborted) this.o.log.warn("The rooms of devices cannot be read", { error });
        await pause(backoffMs(++attempt, { baseMs: 100, capMs: 5000 }), signal);
        continue;
      }
      const spread = 0.8 + Math.random() * 0.4;
      await pause(beaconSeconds * 1000 * spread, AbortSignal.any([signal, hurried.signal]));
      if (hurried.signal.aborted) await pause(SOON_MS, signal);
    }
  }

  /** Not one loop for both: a broker that takes no heads must not keep the cursors back. */
  async #each(ms: number, what: string, work: () => Promise<void>): Promise<void> {
    const { signal, log } = this.o;
    while (!signal.aborted) {
      await pause(ms, signal);
      if (signal.aborted) return;
      await work().catch((error) => log.warn(`${what} wait for the next second`, { error }));
    }
  }

  async #refresh(): Promise<void> {
    const before = new Map([...this.#rooms.values()].map((room) => [room.id, room.cursor]));
    const { epoch, rooms } = await this.o.store.rooms();
    if (this.o.signal.aborted) return;
    if (this.#epoch !== undefined && this.#epoch !== epoch) this.#startOver();
    this.#epoch = epoch;
    const listed = new Set(rooms.map(({ room }) => room));
    for (const room of this.#rooms.values()) if (!listed.has(room.id)) this.#drop(room);
    const empty: RoomId[] = [];
    for (const row of rooms) {
      const room = this.#rooms.get(row.room) ?? this.#track(row, epoch);
      if (row.head < (before.get(row.room) ?? 0)) {
        this.o.log.error("A room's log is shorter than what was delivered of it", { ...row });
        Object.assign(room, { cursor: row.head, target: row.head, devices: undefined });
      }
      this.#reach(room, row.head);
      const done = !room.busy && room.cursor >= row.head && room.devices?.size === 0;
      if (row.firstJoined === undefined && done) {
        this.#drop(room);
        empty.push(room.id);
      }
    }
    if (empty.length > 0) await this.o.store.dropCursors(this.o.lease, empty);
  }

  #track(row: BridgeRoom, epoch: string): OutboundRoom {
    const room = new OutboundRoom(row.room);
    room.epoch = epoch;
    room.saved = row.cursor;
    room.cursor = row.cursor ?? (row.firstJoined ?? row.head + 1) - 1;
    if (row.cursor !== undefined && row.cursor > row.head) room.cursor = row.head;
    this.#rooms.set(room.id, room);
    this.o.watch?.(room.id, {
      entries: (entries) => {
        this.#live.add(room.id, entries);
        this.notice(room.id, entries.at(-1)?.seq ?? 0);
      },
      head: (seq) => this.notice(room.id, seq),
    }).then((unwatch) => {
      if (this.#rooms.get(room.id) === room && !this.o.signal.aborted) room.unwatch = unwatch;
      else unwatch();
    }, (error) => this.o.log.warn("A room is found by the beacon only", { error }));
    this.#heads.changed(room);
    this.#delivery.start(room);
    return room;
  }

  #drop(room: OutboundRoom): void {
    room.dropped = true;
    this.#rooms.delete(room.id);
    this.#live.drop(room.id);
    room.unwatch?.();
  }

  /** Another history: what is remembered of the old one means nothing. */
  #startOver(): void {
    this.o.log.warn("The history was reset; devices are told the new epoch");
    for (const room of [...this.#rooms.values()]) this.#drop(room);
    this.o.desired.showAll();
  }

  #reach(room: OutboundRoom, head: number): void {
    room.target = Math.max(room.target, head);
    this.#delivery.start(room);
  }

  async #checkpoint(): Promise<void> {
    const moved = [...this.#rooms.values()].filter((room) => room.cursor !== room.saved);
    for (let i = 0; i < moved.length; i += 5000) {
      const part = new Map(moved.slice(i, i + 5000).map((room) => [room.id, room.cursor]));
      if (!await this.o.store.saveCursors(this.o.lease, part)) return this.o.onDeposed();
      for (const [id, cursor] of part) {
        const room = this.#rooms.get(id);
        if (room !== undefined) room.saved = cursor;
      }
    }
  }
}
