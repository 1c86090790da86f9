import type { Bus } from "../bus/mod.ts";
import { ConfabError, type ErrorCode } from "../errors.ts";
import type { Database } from "../database/mod.ts";
import type { Log } from "../log.ts";
import type { LogEntry, RoomId } from "../protocol.ts";
import { HistoryTurns, inTurn } from "../store/history_turns.ts";
import { readJoinViews } from "../store/join_views.ts";
import { READ_BYTES, readEntries, readHeads, rotateEpoch } from "../store/log.ts";
import { overloaded } from "./admission.ts";
import { type Cursor, type Joined, type JoinFound, JoinReads } from "./join_reads.ts";
import { RoomFeed } from "./room_feed.ts";
import { type Subscriber, Subscription } from "./subscription.ts";
import { Turn } from "./turn.ts";

export type { Cursor, Joined } from "./join_reads.ts";

/** What a hub works with. */
export interface HubOptions {
  db: Database;
  bus: Bus;
  log: Log;
  /** Entries that one join replays at most. */
  replayEntries: number;
  /**
   * Bytes that one join replays at most (UTF-16 units count as bytes), well below what may wait
   * for one reader: a replay that overflows would begin again with every reconnect. Default 512 KiB.
   */
  replayBytes?: number;
  /** Joins that may be under way; beyond it they are refused as `overloaded`. Default 10,000. */
  joins?: number;
  /** The epoch in force, shared with whoever announces entries. */
  epoch: { value: string };
}

const REPLAY_BYTES = 512 * 1024;
const JOINS = 10_000;
/** How long a join waits for others of the same principal, in milliseconds. */
const TURN_MS = 5000;

interface Place {
  feed: RoomFeed;
  reads: JoinReads;
  ready: Promise<void>;
  stop: () => void;
  /** Joins under way; the place stays while there are any. */
  joining: number;
}

/**
 * Who is where on this node. Joins subscribers to rooms without a gap between what they read and
 * what comes live, takes them out in log order, and asks the database regularly whether anything
 * was missed.
 */
export class Hub {
  readonly turn: Turn;
  readonly #places = new Map<RoomId, Place>();
  readonly #options: HubOptions;
  /** Keeps one principal from filling the database with reads for many rooms. */
  readonly #turns = new HistoryTurns(Infinity, TURN_MS);
  #joining = 0;

  constructor(options: HubOptions) {
    this.#options = options;
    this.turn = new Turn((error) => options.log.error("A flush failed", { error }));
  }

  /** Rooms that somebody on this node has joined. */
  get rooms(): number {
    return this.#places.size;
  }

  /** Joins under way. */
  get joining(): number {
    return this.#joining;
  }

  /**
   * Subscribes to a room. `begin` is called with the result before any entry is handed over: at
   * first those after the cursor (when `recovered`), then live ones; what it throws fails the
   * join. Throws `not_found`, and `unavailable` or `overloaded` when another try may succeed.
   */
  async join(
    subscriber: Subscriber,
    room: RoomId,
    cursor: Cursor | undefined,
    begin: (joined: Joined) => void,
  ): Promise<Subscription> {
    const { joins = JOINS, epoch } = this.#options;
    if (this.#joining >= joins) throw overloaded();
    const place = this.#open(room);
    const subscription = new Subscription(room, subscriber);
    this.#joining++;
    place.joining++;
    place.feed.subscriptions.add(subscription);
    try {
      await place.ready;
      const { id } = subscriber.principal;
      const found = await this.#turns.run(id, () => place.reads.read(id, cursor));
      if (found === undefined) throw new ConfabError("not_found");
      if (subscription.refusal !== undefined) throw new ConfabError(subscription.refusal);
      if (found.view.epoch !== epoch.value) {
        this.#reset(found.view.epoch);
        throw new ConfabError("unavailable");
      }
      this.#begin(place, subscription, found, begin);
      return subscription;
    } catch (error) {
      this.leave(subscription);
      throw error;
    } finally {
      this.#joining--;
      place.joining--;
      this.#drop(room, place);
    }
  }

  /** Ends a subscription at once; ending it again changes nothing. */
  leave(subscription: Subscription): void {
    subscription.ended = true;
    const place = this.#places.get(subscription.room);
    if (place?.feed.subscriptions.delete(subscription)) this.#drop(subscription.room, place);
  }

  /** Reads the heads of all rooms here, so that nothing stays missing; tells changed ones. */
  async beacon(): Promise<void> {
    // What was served before the question: what comes while it is answered is no contradiction.
    const served = new Map([...this.#places].map(([room, { feed }]) => [room, feed.head ?? 0]));
    if (served.size === 0) return;
    const { value: before } = this.#options.epoch;
    const { epoch, heads } = await readHeads(this.#options.db, [...served.keys()]);
    if (epoch !== this.#options.epoch.value) return this.#reset(epoch);
    for (const [room, head] of heads) {
      // What was served of another history, before a join saw this one, is no contradiction.
      if (before === epoch && head < served.get(room)!) return await this.#restored(epoch);
    }
    this.#tellHeads();
    for (const [room, head] of heads) this.#places.get(room)?.feed.reach(head);
  }

  /** Reads for joins of a room: the herd of one room takes turns with those of others as one. */
  #readsOf(room: RoomId): JoinReads {
    const { db, replayEntries, replayBytes = REPLAY_BYTES, epoch } = this.#options;
    const limits = { maxEntries: replayEntries, maxBytes: READ_BYTES };
    return new JoinReads({
      read: (take) => inTurn(db, room, () => readJoinViews(db, room, take(), limits)),
      epoch: () => epoch.value,
      replayBytes,
    });
  }

  #open(room: RoomId): Place {
    const present = this.#places.get(room);
    if (present !== undefined) return present;
    const { db, log, bus } = this.#options;
    const feed = new RoomFeed(
      room,
      {
        read: (room, from, to) => readEntries(db, room, from, to),
        failed: (room, error) => log.warn("Could not fill a gap yet", { room, error }),
        lost: (room) => {
          log.error("Entries of a room are gone from the store", { room });
          this.#close(room, place);
        },
        threw: (error) => log.error("A subscriber failed", { room, error }),
      },
      this.turn,
      (subscription, code) => this.#evict(subscription, code),
    );
    const place: Place = {
      feed,
      reads: this.#readsOf(room),
      joining: 0,
      stop: () => {},
      ready: Promise.resolve(),
    };
    this.#places.set(room, place);
    place.ready = (async () => {
      place.stop = await bus.serve(room, {
        entries: (entries) => this.#take(feed, entries),
        head: (seq) => feed.reach(seq),
        signal: (signal) => feed.signal(signal),
      });
      const { epoch, heads } = await readHeads(db, [room]);
      if (this.#options.epoch.value !== epoch) this.#reset(epoch);
      const head = heads.get(room);
      if (head === undefined) throw new ConfabError("not_found");
      feed.start(head, epoch);
    })();
    // Whoever joins sees the failure; without this, one nobody waits for would end the process.
    place.ready.catch(() => {});
    return place;
  }

  /**
   * Takes what the bus brings. An entry of another epoch than ours comes from a node that does not
   * know the present one yet, or is ahead of us: either way the store says what holds.
   */
  #take(feed: RoomFeed, entries: LogEntry[]): void {
    const { value } = this.#options.epoch;
    if (entries.every(({ epoch }) => epoch === value)) return feed.entries(entries);
    for (const { seq } of entries) feed.reach(seq);
  }

  #begin(
    place: Place,
    subscription: Subscription,
    { replay, ...joined }: JoinFound,
    begin: (joined: Joined) => void,
  ): void {
    const { head, role, visibleFrom } = joined.view;
    begin(joined);
    if (replay !== undefined) subscription.subscriber.entries(replay);
    const code = subscription.begin(head, role, visibleFrom);
    if (code !== undefined) this.#evict(subscription, code);
    place.feed.reach(head);
  }

  /** Ends a subscription and says why; one that still joins gets the reason as its answer. */
  #evict(subscription: Subscription, code: ErrorCode): void {
    const joining = subscription.position === undefined;
    this.leave(subscription);
    if (joining) subscription.refusal = code === "epoch_changed" ? "unavailable" : code;
    else subscription.subscriber.evicted(subscription.room, code);
  }

  #drop(room: RoomId, place: Place): void {
    if (place.joining > 0 || place.feed.subscriptions.size > 0) return;
    this.#forget(room, place);
  }

  #forget(room: RoomId, place: Place): void {
    if (this.#places.get(room) !== place) return;
    this.#places.delete(room);
    place.feed.close();
    // Not before serve() has returned what stops it.
    void place.ready.catch(() => {}).then(() => place.stop());
  }

  /** Serves a room no more: its subscribers must join again and will be told to reload. */
  #close(room: RoomId, place: Place): void {
    for (const subscription of [...place.feed.subscriptions]) {
      this.#evict(subscription, "epoch_changed");
    }
    // Joins under way keep the place, but it must not serve those that begin now.
    this.#forget(room, place);
  }

  #tellHeads(): void {
    const told = new Map<Subscriber, Record<RoomId, number>>();
    for (const [room, { feed }] of this.#places) {
      if (feed.head === undefined || feed.head === feed.toldHead) continue;
      // Nobody shall take what is on its way to them for missing.
      feed.flush();
      const head = feed.toldHead = feed.handedOver!;
      for (const { subscriber, position } of feed.subscriptions) {
        if (position === undefined) continue;
        let heads = told.get(subscriber);
        if (heads === undefined) told.set(subscriber, heads = {});
        heads[room] = head;
      }
    }
    for (const [subscriber, heads] of told) subscriber.heads(heads);
  }

  /** The history went back without a new epoch: names one, so that no old cursor is trusted. */
  async #restored(epoch: string): Promise<void> {
    const fresh = crypto.randomUUID().replaceAll("-", "").slice(0, 12);
    this.#reset(await rotateEpoch(this.#options.db, epoch, fresh));
  }

  /** The history is another one: closes every room that has been served from the old one. */
  #reset(epoch: string): void {
    this.#options.epoch.value = epoch;
    this.#options.log.warn("The history was reset", { epoch });
    for (const [room, place] of [...this.#places]) {
      if (place.feed.head !== undefined) this.#close(room, place);
    }
  }
}
