import { presenceOf, type Traits } from "../chat/presence.ts";
import type { MemberPresence, PrincipalId, RoomId, Signal } from "../protocol.ts";
import type { RoomMember } from "../store/presence.ts";
import type { Batch } from "./batch.ts";
import type { Subscription } from "./subscription.ts";

type PresenceSignal = Extract<Signal, { type: "presence" }>;

/** What was told of one member, as bits: there may be a hundred thousand. */
const ONLINE = 1;
const UNSTABLE = 2;

const NONE: ReadonlySet<PresenceRoom> = new Set();

/** The watched rooms of each member. */
export class MemberIndex {
  readonly #rooms = new Map<PrincipalId, Set<PresenceRoom>>();
  /** Memberships in all. */
  size = 0;

  of(principal: PrincipalId): ReadonlySet<PresenceRoom> {
    return this.#rooms.get(principal) ?? NONE;
  }

  add(principal: PrincipalId, room: PresenceRoom): void {
    let rooms = this.#rooms.get(principal);
    if (rooms === undefined) this.#rooms.set(principal, rooms = new Set());
    if (rooms.has(room)) return;
    rooms.add(room);
    this.size++;
  }

  delete(principal: PrincipalId, room: PresenceRoom): void {
    const rooms = this.#rooms.get(principal);
    if (rooms?.delete(room) !== true) return;
    this.size--;
    if (rooms.size === 0) this.#rooms.delete(principal);
  }
}

/** The presence of one room as it has been told on this node. */
export class PresenceRoom {
  readonly subscriptions = new Set<Subscription>();
  /** The members may be others than `members`. */
  stale = true;
  #members = new Set<PrincipalId>();
  /** Those among them. */
  #devices = new Set<PrincipalId>();
  #off = false;
  /** What was told last; nothing, before the first time. */
  #told: PresenceSignal["state"] | undefined;
  #online = new Map<PrincipalId, number>();
  /** The last entry that was looked at. */
  #followed: number;

  /** `position` is the last entry that the first subscriber was given. */
  constructor(readonly id: RoomId, private readonly index: MemberIndex, position: number) {
    this.#followed = position;
  }

  /** Who belongs to the room, as far as its presence is told. */
  get members(): ReadonlySet<PrincipalId> {
    return this.#members;
  }

  /** The devices among the members. */
  get devices(): ReadonlySet<PrincipalId> {
    return this.#devices;
  }

  /** True while somebody looks who may be told: whoever only looks into a public room is not. */
  get shown(): boolean {
    for (const { ended, role } of this.subscriptions) if (!ended && role !== null) return true;
    return false;
  }

  /** False when there is more to tell than what comes and goes. */
  get settled(): boolean {
    if (this.stale) return !this.shown;
    if (this.#off) return this.#told === "off";
    return this.#told === "known" && this.#online.size === this.#members.size;
  }

  /** Forgets who does not look any more; true when nobody is left. */
  abandoned(): boolean {
    for (const one of this.subscriptions) if (one.ended) this.subscriptions.delete(one);
    return this.subscriptions.size === 0;
  }

  /** Takes entries of the room, once for all subscribers; true when the members may have changed. */
  follow(batch: Batch): boolean {
    if (batch.last <= this.#followed) return false;
    // A replay begins where its reader was, perhaps ahead of all others here.
    let changed = batch.first > this.#followed + 1;
    if (changed) this.stale = true;
    for (const { seq, event } of batch.access) {
      if (seq <= this.#followed || !/^member\.(joined|left|removed)$/.test(event.type)) continue;
      changed = this.stale = true;
      if ("principal" in event) this.#forget(event.principal.id);
    }
    this.#followed = batch.last;
    return changed;
  }

  /** Learns the members from the store, unless they have changed since they were asked for. */
  know(members: RoomMember[] | "off"): void {
    if (this.stale) return;
    this.#off = members === "off";
    const known = members === "off" ? [] : members;
    const present = new Set(known.map(({ id }) => id));
    this.#devices = new Set(known.filter(({ device }) => device).map(({ id }) => id));
    for (const principal of this.#members) if (!present.has(principal)) this.#forget(principal);
    for (const principal of present) this.index.add(principal, this);
    this.#members = present;
  }

  /**
   * Tells what has changed: of those `asked` for, the ones in `online` are online. Without `traits`
   * devices are as unstable as they were.
   */
  tell(
    asked: ReadonlySet<PrincipalId>,
    online: ReadonlySet<PrincipalId>,
    traits: Traits | undefined,
  ): void {
    if (this.stale) return;
    if (this.#off) return this.#void("off");
    const members = [...this.#members];
    // After anything but `known` everybody is told of, or nobody yet.
    if (this.#told !== "known" && !members.every((principal) => asked.has(principal))) return;
    const changes: MemberPresence[] = [];
    for (const principal of members) {
      if (!asked.has(principal)) continue;
      const told = this.#online.get(principal);
      const here = online.has(principal);
      const trait = traits?.get(principal);
      const unstable = traits === undefined
        ? ((told ?? 0) & UNSTABLE) !== 0
        : trait?.unstable === true;
      const now = (here ? ONLINE : 0) | (unstable ? UNSTABLE : 0);
      if (told === now) continue;
      this.#online.set(principal, now);
      changes.push(presenceOf(principal, here, { lastSeen: null, ...trait, unstable }));
    }
    this.#told = "known";
    if (changes.length > 0) this.#signal({ type: "presence", state: "known", changes });
  }

  /** Tells that it is not known any more. */
  doubt(): void {
    if (this.#told === "known") this.#void("unknown");
  }

  /** Takes the room out of the index. */
  end(): void {
    for (const principal of this.#members) this.index.delete(principal, this);
    this.#members.clear();
    this.#devices.clear();
  }

  #forget(principal: PrincipalId): void {
    this.index.delete(principal, this);
    this.#members.delete(principal);
    this.#devices.delete(principal);
    this.#online.delete(principal);
  }

  #void(state: "unknown" | "off"): void {
    this.#online.clear();
    if (this.#told === state) return;
    this.#told = state;
    this.#signal({ type: "presence", state, changes: [] });
  }

  #signal(signal: PresenceSignal): void {
    const frame = JSON.stringify({ type: "signal", room: this.id, signal });
    for (const one of [...this.subscriptions]) {
      if (one.ended) this.subscriptions.delete(one);
      else if (one.position !== undefined && one.role !== null) one.subscriber.signal(frame);
    }
  }
}
