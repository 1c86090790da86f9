import type { Traits } from "../chat/presence.ts";
import type { Log } from "../log.ts";
import type { PrincipalId, RoomId } from "../protocol.ts";
import type { RoomMember } from "../store/presence.ts";
import type { Batch } from "./batch.ts";
import { MemberIndex, PresenceRoom } from "./presence_room.ts";
import type { Subscription } from "./subscription.ts";

/** What watching needs; times in milliseconds. */
export interface PresenceWatchOptions {
  /** Reads the members of rooms; `off` for those that are too large. */
  members: (rooms: RoomId[]) => Promise<Map<RoomId, RoomMember[] | "off">>;
  /** Reads what is known of devices besides; what was told of them stands while that fails. */
  traits?: (devices: PrincipalId[]) => Promise<Traits>;
  /** Reads who of these is online; undefined while that is unknown. Must not reject. */
  online: (principals: PrincipalId[]) => Promise<Set<PrincipalId> | undefined>;
  /** Calls back when somebody came or went, on any node; hints may be lost. The result stops it. */
  hear: (heard: (principals: PrincipalId[]) => void) => Promise<() => void>;
  log: Log;
  /** How often everybody is looked at again, ± 20 %. */
  roundMs: number;
  /** For how long changes are gathered into one signal; 1 s when absent. */
  gatherMs?: number;
  /** Memberships that are watched at most; rooms beyond that are told that presence is off. */
  maxWatched?: number;
}

/** Rooms whose members are read at once. */
const ROOMS = 100;
/** Failed reads in a row after which what was told does not hold any more. */
const DOUBTS = 2;
const RETRY_MS = 1_000;
const NOTHING: Traits = new Map();

/**
 * Tells those on this node who look at a room who of its members comes and goes. Hints say whom to
 * look at; every round looks at everybody, so that what was lost, and who died without a word, shows
 * itself. Only differences to what was told before are told.
 */
export class PresenceWatch {
  readonly #options: PresenceWatchOptions;
  readonly #rooms = new Map<RoomId, PresenceRoom>();
  readonly #index = new MemberIndex();
  readonly #hinted = new Set<PrincipalId>();
  #hearing: Promise<() => void> | undefined;
  #failures = 0;
  /** When everybody is looked at next, and when anybody is. */
  #roundAt = 0;
  #dueAt = Infinity;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #running: Promise<void> | undefined;
  #stopped = false;

  constructor(options: PresenceWatchOptions) {
    this.#options = options;
  }

  /** Rooms whose presence somebody here is told. */
  get size(): number {
    return this.#rooms.size;
  }

  /** From now on this subscriber is told, as long as the subscription lasts and is a member's. */
  look(subscription: Subscription): void {
    if (this.#stopped || subscription.ended) return;
    const { room: id, position = 0 } = subscription;
    let room = this.#rooms.get(id);
    if (room === undefined || room.abandoned()) {
      // A new history may have begun since the last one here has gone.
      room?.end();
      this.#rooms.set(id, room = new PresenceRoom(id, this.#index, position));
    }
    room.subscriptions.add(subscription);
    this.#hearing ??= this.#hear();
    if (!room.settled) this.#soon();
  }

  /** Follows who joins and leaves, from the entries that a subscriber here is given. */
  entries(batch: Batch): void {
    if (this.#rooms.get(batch.entries[0]!.room)?.follow(batch) === true) this.#soon();
  }

  /** Tells nothing more; resolves when no read is under way. */
  async stop(): Promise<void> {
    this.#stopped = true;
    clearTimeout(this.#timer);
    await this.#running;
    for (const room of this.#rooms.values()) room.end();
    this.#rooms.clear();
    await this.#deafen();
  }

  #hear(): Promise<() => void> {
    return this.#options.hear((principals) => {
      const known = principals.filter((principal) => this.#index.of(principal).size > 0);
      for (const principal of known) this.#hinted.add(principal);
      if (known.length > 0) this.#soon();
    }).catch((error) => {
      this.#options.log.warn("Hints of presence are not heard", { error });
      this.#hearing = undefined;
      return () => {};
    });
  }

  async #deafen(): Promise<void> {
    const hearing = this.#hearing;
    this.#hearing = undefined;
    this.#hinted.clear();
    (await hearing)?.();
  }

  #soon(): void {
    this.#at(performance.now() + (this.#options.gatherMs ?? 1_000));
  }

  /** Looks at this time, unless that happens earlier. */
  #at(ms: number): void {
    if (ms >= this.#dueAt) return;
    this.#dueAt = ms;
    if (this.#running !== undefined || this.#stopped) return;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      this.#dueAt = Infinity;
      this.#running = this.#look().finally(() => {
        this.#running = undefined;
        this.#next();
      });
    }, Math.max(0, ms - performance.now()));
  }

  #next(): void {
    for (const [id, room] of this.#rooms) {
      if (!room.abandoned()) continue;
      room.end();
      this.#rooms.delete(id);
    }
    const dueAt = Math.min(this.#dueAt, this.#roundAt);
    this.#dueAt = Infinity;
    if (this.#stopped) return;
    if (this.#rooms.size === 0) return void this.#deafen();
    this.#hearing ??= this.#hear();
    this.#at(dueAt);
  }

  async #look(): Promise<void> {
    const { roundMs, log, online: read } = this.#options;
    await this.#readMembers();
    const now = performance.now();
    const round = now >= this.#roundAt;
    if (round) this.#roundAt = now + roundMs * (0.8 + Math.random() * 0.4);
    const { rooms, asked } = this.#concerned(round);
    if (asked.size === 0 && rooms.size === 0) return;
    const [online, traits] = await Promise.all([read([...asked]), this.#traits(rooms, asked)]);
    this.#failures = online === undefined ? this.#failures + 1 : 0;
    if (online === undefined) {
      // Whoever was asked for is asked for again, with everybody else.
      this.#roundAt = performance.now() + Math.min(RETRY_MS, roundMs) * (0.5 + Math.random());
      if (this.#failures < DOUBTS) return;
    }
    for (const room of online === undefined ? this.#rooms.values() : rooms) {
      try {
        if (online === undefined) room.doubt();
        else room.tell(asked, online, traits);
      } catch (error) {
        log.error("A subscriber failed", { room: room.id, error });
      }
    }
  }

  /** The rooms that there may be something to tell, and whom to ask for. */
  #concerned(round: boolean): { rooms: Set<PresenceRoom>; asked: Set<PrincipalId> } {
    const asked = new Set(this.#hinted);
    this.#hinted.clear();
    const rooms = new Set<PresenceRoom>();
    for (const principal of asked) {
      for (const room of this.#index.of(principal)) rooms.add(room);
    }
    for (const room of this.#rooms.values()) {
      if (!round && room.settled) continue;
      rooms.add(room);
      for (const id of room.members) asked.add(id);
    }
    return { rooms, asked };
  }

  /** Undefined when it is not known. */
  async #traits(
    rooms: ReadonlySet<PresenceRoom>,
    asked: ReadonlySet<PrincipalId>,
  ): Promise<Traits | undefined> {
    const devices = new Set<PrincipalId>();
    for (const room of rooms) for (const id of room.devices) if (asked.has(id)) devices.add(id);
    if (devices.size === 0) return NOTHING;
    return await this.#options.traits?.([...devices]).catch((error) => {
      this.#options.log.warn("Could not read the traits of devices", { error });
      return undefined;
    });
  }

  async #readMembers(): Promise<void> {
    const { members, log, roundMs, maxWatched = 100_000 } = this.#options;
    const stale = [...this.#rooms.values()].filter((room) => room.stale && room.shown);
    for (let at = 0; at < stale.length; at += ROOMS) {
      const part = stale.slice(at, at + ROOMS);
      for (const room of part) room.stale = false;
      try {
        const found = await members(part.map(({ id }) => id));
        for (const room of part) {
          const known = found.get(room.id) ?? [];
          const fits = known === "off" || this.#index.size + known.length <= maxWatched;
          room.know(fits ? known : "off");
        }
      } catch (error) {
        for (const room of part) room.stale = true;
        log.warn("Could not read the members of rooms", { error });
        return this.#at(performance.now() + Math.min(RETRY_MS, roundMs));
      }
    }
  }
}
