import { newId } from "../lib/ids.ts";
import type { Publisher } from "./ports.ts";
import { OWN_MARK, type Topics } from "./topics.ts";

/** What sending markers through the broker needs. */
export interface BacklogMarkerOptions {
  topics: Topics;
  publisher: Publisher;
  /** Everything that the broker had at this time, in milliseconds of `now`, has been received. */
  caughtUp(at: number): void;
  /** The broker lets no markers through: nothing is known of what waits there. */
  refused(error: unknown): void;
  now: () => number;
  /** Between two markers while no device speaks: a Mosquitto writes its file for each. */
  idleMs: number;
}

/** When one that has not come back is given up: a broker whose queue is full drops messages. */
const LOST_MS = 15_000;
/** Markers that may still come back. */
const MAX_SENT = 4;

/**
 * Finds out up to when the broker has handed on everything: sends messages through it to the bridge
 * itself, which come behind all that waits for the bridge, there and on the way. One counts when the
 * one after it is back, too: a broker that was paused does not have at once what devices have sent.
 */
export class BacklogMarker {
  /** When each was sent, by its topic, the oldest first. */
  readonly #sent = new Map<string, number>();
  #back: number | undefined;
  #lastSentAt = -Infinity;
  #isIdle = true;

  constructor(private readonly o: BacklogMarkerOptions) {}

  /** A device has spoken: what else has come is asked for at the next tick. */
  hurry(): void {
    this.#isIdle = false;
  }

  /** To be called about once a second while there is a connection. */
  tick(): void {
    const now = this.o.now();
    if (this.#sent.size > 0 && now < this.#lastSentAt + LOST_MS) return;
    if (this.#isIdle && now < this.#lastSentAt + this.o.idleMs) return;
    this.#isIdle = true;
    const topic = this.o.topics.status(newId());
    this.#lastSentAt = now;
    this.#sent.set(topic, now);
    if (this.#sent.size > MAX_SENT) this.#sent.delete(this.#sent.keys().next().value!);
    this.o.publisher.publish(topic, "", { correlationData: OWN_MARK }).catch((error) => {
      if (this.#sent.delete(topic)) this.o.refused(error);
    });
  }

  /** Something that the bridge sent has come back. */
  received(topic: string): void {
    const at = this.#sent.get(topic);
    if (at === undefined) return;
    for (const [other, sentAt] of this.#sent) if (sentAt <= at) this.#sent.delete(other);
    if (this.#back !== undefined) this.o.caughtUp(this.#back);
    this.#back = at;
  }

  /** The connection is over: what was sent means nothing on the next. */
  forget(): void {
    this.#sent.clear();
    this.#back = undefined;
    this.#lastSentAt = -Infinity;
  }
}
