/** Milliseconds after which a request without an answer is repeated. */
const ANSWER_MS = 10_000;
/** Milliseconds until the next try when an error names no `retryAfter`. */
const RETRY_MS = 2_000;
/** Errors that pass; after others nothing is asked until the room says something again. */
const PASSING = ["rate_limited", "overloaded", "unavailable", "restarting", "internal"];

/**
 * Follows the log of one room: every entry once and in order, whatever was missed meanwhile. Entries
 * come by themselves; when one is missing, or the room's head is ahead, the rest is asked for.
 */
export class Follower {
  #o;
  #cursor;
  /** The highest seq that the room has shown, and the request that is under way. */
  #seen = 0;
  #asked;
  #askAfter = 0;

  /**
   * `cursor` is `{epoch, seq}`, as `save(cursor)` got it last. `ask(request)` publishes
   * `{type, after, limit, epoch?}` and returns its requestId, or undefined without a connection.
   * `handle(entry)` is called before the cursor is saved: after a crash, again.
   */
  constructor({ cursor, ask, save, handle }) {
    this.#o = { ask, save, handle };
    this.#cursor = cursor;
  }

  /** An entry `{epoch, seq, event}` came by itself. */
  event(entry) {
    this.#notice(entry);
    const { epoch, seq } = this.#cursor;
    if (entry.epoch === epoch && entry.seq === seq + 1) {
      this.#o.handle(entry);
      this.#move({ epoch, seq: entry.seq });
    } else this.#catchUp();
  }

  /** The room's head `{epoch, seq}` came. */
  head(head) {
    this.#notice(head);
    this.#catchUp();
  }

  /** An answer came: `{requestId, epoch, entries, hasMore}` or `{requestId, error}`. */
  response({ requestId, epoch, entries, hasMore, error }) {
    if (this.#asked?.requestId !== requestId) return;
    this.#asked = undefined;
    if (error !== undefined) return this.#refused(error);
    for (const entry of entries) {
      if (entry.seq > this.#cursor.seq) this.#o.handle(entry);
    }
    const last = entries.at(-1)?.seq ?? 0;
    this.#move({ epoch, seq: Math.max(this.#cursor.seq, last) });
    // What the room has shown beyond an empty page is not for us.
    if (entries.length === 0) this.#seen = this.#cursor.seq;
    if (hasMore) this.#seen = Math.max(this.#seen, this.#cursor.seq + 1);
    this.#catchUp();
  }

  /** The connection is over, and with it the request. */
  disconnected() {
    this.#asked = undefined;
  }

  /** To be called now and then. */
  tick(now = Date.now()) {
    if (this.#asked !== undefined && now > this.#asked.at + ANSWER_MS) this.#asked = undefined;
    this.#catchUp(now);
  }

  #notice({ epoch, seq }) {
    // Another history: what we know of the old one is worthless.
    if (this.#cursor.epoch !== undefined && epoch !== this.#cursor.epoch) this.#startOver();
    this.#seen = Math.max(this.#seen, seq);
  }

  #startOver() {
    this.#cursor = { epoch: undefined, seq: 0 };
    this.#seen = 1;
    this.#asked = undefined;
  }

  #refused({ code, retryAfter }) {
    if (code === "epoch_changed") this.#startOver();
    else if (PASSING.includes(code)) {
      this.#askAfter = Date.now() + (retryAfter === undefined ? RETRY_MS : retryAfter * 1000);
    } else this.#seen = this.#cursor.seq;
    this.#catchUp();
  }

  #catchUp(now = Date.now()) {
    if (this.#asked !== undefined || this.#seen <= this.#cursor.seq || now < this.#askAfter) return;
    const { epoch, seq } = this.#cursor;
    const known = epoch === undefined ? {} : { epoch };
    const requestId = this.#o.ask({ type: "log", ...known, after: seq, limit: 200 });
    if (requestId !== undefined) this.#asked = { requestId, at: now };
  }

  #move(cursor) {
    this.#cursor = cursor;
    this.#o.save(cursor);
  }
}
