import type { ErrorCode } from "../../lib/errors.ts";
import type { LogEntry, RoomId } from "../../lib/protocol.ts";
import { Batch } from "../../lib/realtime/batch.ts";
import type { LogOrder } from "../../lib/realtime/log_order.ts";
import type { Subscription } from "../../lib/realtime/subscription.ts";
import type { Surroundings } from "./surroundings.ts";

/** Whom a feed tells. */
export interface FeedListener {
  lost(): void;
  ended(subscription: Subscription, code: ErrorCode): void;
}

/** Small, so that short schedules meet the bounds. */
const BOUNDS = { pageEntries: 2, maxPending: 3 };

/** The glue of `lib/realtime/room_feed.ts` around the same LogOrder, without its time. */
export class ModelFeed {
  readonly subscriptions = new Set<Subscription>();
  toldHead = 0;
  readonly #order: LogOrder;
  #closed = false;

  constructor(
    private readonly world: Surroundings,
    readonly room: RoomId,
    private readonly name: string,
    private readonly listener: FeedListener,
  ) {
    this.#order = new world.pieces.LogOrder(BOUNDS);
  }

  get head(): number | undefined {
    return this.#order.head;
  }

  /** True when flush() has something to do. */
  get waits(): boolean {
    return this.#order.waiting > 0;
  }

  start(head: number, epoch: string | undefined): void {
    this.toldHead = head;
    this.#order.start(head, epoch);
    this.#fill();
  }

  entries(entries: LogEntry[]): void {
    this.#order.entries(entries);
    this.#fill();
  }

  reach(seq: number): void {
    this.#order.reach(seq);
    this.#fill();
  }

  flush(): void {
    if (this.#order.waiting === 0) return;
    const batch = new Batch(this.#order.take());
    for (const subscription of this.subscriptions) {
      const code = subscription.take(batch);
      if (code !== undefined) this.listener.ended(subscription, code);
    }
  }

  close(): void {
    this.#closed = true;
  }

  #fill(): void {
    if (this.#closed) return;
    const wish = this.#order.wish();
    if (wish === undefined) return;
    if (wish === "lost") return this.listener.lost();
    this.world.ask(
      `${this.name} needs ${this.room} ${wish.from} to ${wish.to}`,
      () => this.world.store.entries(this.room, wish.from, wish.to),
      (found) => {
        if (this.#closed) return;
        this.#order.read(wish, found);
        this.#fill();
      },
      () => this.#order.failed(),
    );
  }
}
