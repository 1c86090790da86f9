import type { ErrorCode } from "../../lib/errors.ts";
import type { LogEntry, RoomId } from "../../lib/protocol.ts";
import { Batch } from "../../lib/realtime/batch.ts";
import type { Cursor, Joined } from "../../lib/realtime/hub.ts";
import type { Subscriber, Subscription } from "../../lib/realtime/subscription.ts";
import type { ModelConnection } from "./connection.ts";
import { ModelFeed } from "./feed.ts";
import type { ModelStore } from "./store.ts";
import type { Surroundings } from "./surroundings.ts";

/** What a join tells: `begin` answers false when nobody waits for it any more. */
export interface JoinListener {
  begin(joined: Joined): boolean;
  joined(subscription: Subscription): void;
  refused(code: ErrorCode): void;
}

interface Place {
  feed: ModelFeed;
  served: boolean;
  /** Undefined while it opens. */
  ready: boolean | undefined;
  /** Joins that wait until it has opened. */
  waiting: (() => void)[];
  joining: number;
}

const REPLAY_ENTRIES = 5;

type Found = NonNullable<ReturnType<ModelStore["logAs"]>>;

/**
 * One node: the glue of `lib/realtime/hub.ts` and `join_reads.ts` (joins, beacon, epochs) as
 * callbacks instead of promises, around the same Subscription and LogOrder. Change it when the hub
 * changes. Each join reads for itself here; there, those of one room share a read.
 */
export class ModelNode {
  epoch: string;
  readonly places = new Map<RoomId, Place>();

  constructor(private readonly world: Surroundings, readonly name: string) {
    this.epoch = world.store.epoch;
  }

  /** As `Hub.join`. */
  join(
    subscriber: ModelConnection,
    room: RoomId,
    cursor: Cursor | undefined,
    listener: JoinListener,
  ): void {
    const { pieces, store } = this.world;
    const place = this.#open(room);
    const subscription = new pieces.Subscription(room, subscriber);
    place.joining++;
    if (pieces.placeFirst) place.feed.subscriptions.add(subscription);
    const refuse = (code: ErrorCode) => {
      this.leave(subscription);
      listener.refused(code);
      place.joining--;
      this.#drop(room, place);
    };
    const read = () => {
      if (place.ready !== true) return refuse("unavailable");
      const limit = cursor === undefined ? 0 : REPLAY_ENTRIES + 1;
      this.world.ask(
        `${this.name} joins ${subscriber.principal.id} to ${room}`,
        () => store.logAs(room, subscriber.who, cursor?.after ?? 0, limit),
        (found) => {
          const code = this.#refusal(subscription, found);
          if (code !== undefined) return refuse(code);
          if (!pieces.placeFirst) place.feed.subscriptions.add(subscription);
          if (!this.#begin(place, subscription, found!, cursor, listener)) {
            return refuse("not_joined");
          }
          listener.joined(subscription);
          place.joining--;
          this.#drop(room, place);
        },
        () => refuse("unavailable"),
      );
    };
    if (place.ready === undefined) place.waiting.push(read);
    else read();
  }

  leave(subscription: Subscription): void {
    subscription.ended = true;
    const place = this.places.get(subscription.room);
    if (place?.feed.subscriptions.delete(subscription)) this.#drop(subscription.room, place);
  }

  /** As `Hub.beacon`. */
  beacon(): void {
    const { pieces, store } = this.world;
    const served = new Map([...this.places].map(([room, { feed }]) => [room, feed.head ?? 0]));
    if (served.size === 0 || !pieces.beacons) return;
    const { epoch: before } = this;
    this.world.ask(
      `${this.name} reads all heads`,
      () => store.heads(served.keys()),
      ({ epoch, heads }) => {
        if (pieces.epochs && epoch !== this.epoch) return this.#reset(epoch);
        const comparable = pieces.epochs && (before === epoch || !pieces.oneHistory);
        for (const [room, head] of heads) {
          if (comparable && head < served.get(room)!) return this.#reset(store.rotate(epoch));
        }
        this.#tellHeads();
        for (const [room, head] of heads) this.places.get(room)?.feed.reach(head);
      },
      () => {},
    );
  }

  /** What the bus brings; rooms that are not served here are passed over. As `Hub.#take`. */
  take(room: RoomId, entries: LogEntry[]): void {
    const place = this.places.get(room);
    if (place?.served !== true) return;
    if (entries.every(({ epoch }) => epoch === this.epoch)) return place.feed.entries(entries);
    for (const { seq } of entries) place.feed.reach(seq);
  }

  /** What the bus brings instead of entries that are too large. */
  head(room: RoomId, seq: number): void {
    const place = this.places.get(room);
    if (place?.served === true) place.feed.reach(seq);
  }

  /** Hands over what all feeds have accepted; true when that was anything. */
  flush(): boolean {
    let any = false;
    for (const { feed } of this.places.values()) {
      any ||= feed.waits;
      feed.flush();
    }
    return any;
  }

  #open(room: RoomId): Place {
    const present = this.places.get(room);
    if (present !== undefined) return present;
    const feed = new ModelFeed(this.world, room, this.name, {
      lost: () => this.#close(room, place),
      ended: (subscription, code) => this.#evict(subscription, code),
    });
    const place: Place = { feed, joining: 0, served: false, ready: undefined, waiting: [] };
    this.places.set(room, place);
    const settle = (ready: boolean) => {
      place.ready = ready;
      for (const go of place.waiting.splice(0)) go();
    };
    const fail = () => settle(false);
    const start = () =>
      this.world.ask(
        `${this.name} opens ${room}`,
        () => this.world.store.heads([room]),
        ({ epoch, heads }) => {
          if (this.epoch !== epoch && this.world.pieces.epochs) this.#reset(epoch);
          feed.start(heads.get(room)!, epoch);
          settle(true);
        },
        fail,
      );
    this.world.ask(`${this.name} serves ${room}`, () => void (place.served = true), start, fail);
    return place;
  }

  #refusal(subscription: Subscription, found: Found | undefined): ErrorCode | undefined {
    if (found === undefined) return "not_found";
    if (subscription.refusal !== undefined) return subscription.refusal;
    if (found.view.epoch === this.epoch || !this.world.pieces.epochs) return undefined;
    this.#reset(found.view.epoch);
    return "unavailable";
  }

  #begin(
    place: Place,
    subscription: Subscription,
    { view, entries }: Found,
    cursor: Cursor | undefined,
    listener: JoinListener,
  ): boolean {
    const { subscriber } = subscription;
    const whole = entries.length <= REPLAY_ENTRIES || !this.world.pieces.wholeReplays;
    const recovered = cursor && whole &&
      (cursor.epoch === undefined || cursor.epoch === view.epoch) &&
      cursor.after >= view.floor && cursor.after <= view.head;
    if (!listener.begin(recovered === undefined ? { view } : { view, recovered })) return false;
    if (recovered && entries.length > 0) subscriber.entries(new Batch(entries));
    const code = subscription.begin(view.head, view.role, view.visibleFrom);
    if (code !== undefined) this.#evict(subscription, code);
    place.feed.reach(view.head);
    return true;
  }

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
    if (this.places.get(room) !== place) return;
    this.places.delete(room);
    place.feed.close();
  }

  #close(room: RoomId, place: Place): void {
    for (const subscription of [...place.feed.subscriptions]) {
      this.#evict(subscription, "epoch_changed");
    }
    this.#forget(room, place);
  }

  #tellHeads(): void {
    const told = new Map<Subscriber, Record<RoomId, number>>();
    for (const [room, { feed }] of this.places) {
      if (feed.head === undefined || feed.head === feed.toldHead) continue;
      feed.toldHead = feed.head;
      feed.flush();
      for (const { subscriber, position } of feed.subscriptions) {
        if (position === undefined) continue;
        let heads = told.get(subscriber);
        if (heads === undefined) told.set(subscriber, heads = {});
        heads[room] = feed.head;
      }
    }
    for (const [subscriber, heads] of told) subscriber.heads(heads);
  }

  #reset(epoch: string): void {
    this.world.tell(() => `${this.name} takes up epoch ${epoch}`);
    this.epoch = epoch;
    for (const [room, place] of [...this.places]) {
      if (place.feed.head !== undefined) this.#close(room, place);
    }
  }
}
