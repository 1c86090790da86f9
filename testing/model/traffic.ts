import type { LogEntry, RoomId } from "../../lib/protocol.ts";
import type { ModelNode } from "./node.ts";
import { ROOMS } from "./rooms.ts";
import type { Command } from "./schedule.ts";
import type { Change } from "./stored_room.ts";
import type { Surroundings } from "./surroundings.ts";

const ROLES = ["member", "reader", "admin"] as const;

interface Publish {
  room: RoomId;
  entries: LogEntry[];
  /** The bus carries this head only, because the entries are too large. */
  head: number | undefined;
}

/** Commits what commands say, and carries it over the bus, or not. */
export class Traffic {
  /** What each node has not received yet. */
  readonly #bus: Publish[][];

  constructor(private readonly world: Surroundings, private readonly nodes: readonly ModelNode[]) {
    this.#bus = nodes.map(() => []);
  }

  /** One to three messages that are committed and announced together. */
  send({ a, b, c }: Command): void {
    const room = ROOMS[b % 4 === 3 ? 1 : 0];
    const who = c % 3;
    const changes = Array.from({ length: 1 + (b >> 2) % 3 }, (): Change => ({ kind: "send", who }));
    this.#commit(room, changes, a, c >> 2, this.nodes[a % this.nodes.length]!.epoch);
  }

  /** A change of a message, of a membership or of the room. */
  change({ kind, a, b, c }: Command): void {
    const room = ROOMS[b % 4 === 3 ? 1 : 0];
    const change = kind === "change" ? this.#edit(room, b >> 2, c) : this.#member(room, b >> 2, c);
    // Announced as the store has it, so with its epoch
    this.#commit(room, [change], a, c >> 4, this.world.store.epoch);
  }

  #edit(room: RoomId, pick: number, c: number): Change {
    const target = this.world.store.newest(room, pick % 6);
    return { kind: c % 4 === 0 ? "delete" : "edit", who: c % 2, target };
  }

  #member(room: RoomId, pick: number, c: number): Change {
    const who = 1 + c % 2;
    const role = ROLES[(c >> 1) % ROLES.length]!;
    if (room === ROOMS[1] && pick % 2 === 0) return { kind: "privacy", who: 0 };
    if (this.world.store.role(room, who) === null) return { kind: "add", who, role };
    const kind = (["remove", "leave", "role", "remove"] as const)[pick % 4]!;
    return kind === "role" ? { kind, who, role } : { kind, who };
  }

  /** `luck` decides whether the commit succeeds, and how it is announced. */
  #commit(room: RoomId, changes: Change[], how: number, luck: number, epoch: string): void {
    const before = this.world.store.head(room);
    const aborted = luck % 8 === 7;
    if (aborted) {
      if (this.world.pieces.committedFirst) return;
      return this.#announceOnly(room, before + 1, epoch);
    }
    for (const change of changes) {
      const seq = this.world.store.commit(room, change);
      if (seq !== undefined) {
        this.world.tell(() => `commit ${seq} of ${room}: ${JSON.stringify(change)}`);
      }
    }
    const head = this.world.store.head(room);
    if (head === before || how % 4 === 3) return;
    const entries: LogEntry[] = [];
    for (let seq = before + 1; seq <= head; seq++) {
      entries.push(this.world.store.entry(room, seq, epoch));
    }
    this.#publish({ room, entries, head: luck % 8 === 6 ? head : undefined });
  }

  /** The defect: announces what the store will not hold. */
  #announceOnly(room: RoomId, seq: number, epoch: string): void {
    const { event } = this.world.store.entry(room, 4);
    this.#publish({
      room,
      entries: [{ room, epoch, seq, event: { ...event, at: "aborted" } }],
      head: undefined,
    });
  }

  #publish(publish: Publish): void {
    for (const queue of this.#bus) queue.push(publish);
  }

  /** Takes one publish out of order, delivers, repeats or loses it. */
  carry(index: number, pick: number, luck: number): void {
    const [queue, node] = [this.#bus[index]!, this.nodes[index]!];
    if (queue.length === 0) return;
    const at = pick % queue.length;
    const { room, entries, head } = queue[at]!;
    if (luck % 8 !== 7) queue.splice(at, 1);
    const lost = luck % 8 === 6;
    const seqs = entries.map(({ seq }) => seq).join();
    this.world.tell(() => `the bus ${lost ? "loses" : "brings"} ${room} ${seqs} to ${node.name}`);
    if (lost) return;
    if (head === undefined) node.take(room, entries);
    else node.head(room, head);
  }

  /** Loses everything that is on the bus. */
  lose(): void {
    for (const queue of this.#bus) queue.length = 0;
  }
}
