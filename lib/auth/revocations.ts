import type { Revocation } from "../bus/mod.ts";
import type { Principal } from "./principal.ts";
import { ACCESS_SECONDS, type AccessToken, CLOCK_TOLERANCE_SECONDS } from "./tokens.ts";

/** Seconds after a revocation during which a token made before it could still be accepted. */
export const KEPT_SECONDS = ACCESS_SECONDS + 2 * CLOCK_TOLERANCE_SECONDS;

/**
 * What this process knows about access that ended before its tokens did. An entry is kept until
 * every token it is about has expired, and at most `max` of each sort: beyond, the oldest is
 * forgotten and its tokens live to their end (15 minutes at most).
 *
 * A process learns of revocations from the bus at once, and from the database by
 * syncRevocations(), which a node calls at its start, on each beacon and after the bus was away.
 */
export class Revocations {
  /** Session → Unix milliseconds when it was noted. */
  readonly #sessions = new Map<string, number>();
  readonly #principals = new Map<string, number>();
  readonly #max: number;

  constructor(max = 50_000) {
    this.#max = max;
  }

  /** Notes a revocation at `now` (Unix milliseconds). A principal's later tokens are not touched. */
  note(revocation: Revocation, now: number): void {
    if ("device" in revocation) return;
    const [noted, id] = "session" in revocation
      ? [this.#sessions, revocation.session]
      : [this.#principals, revocation.principal];
    noted.delete(id);
    noted.set(id, now);
    for (const [oldest, at] of noted) {
      if (noted.size <= this.#max && at > now - KEPT_SECONDS * 1000) break;
      noted.delete(oldest);
    }
  }

  /** True when the session, or everything the principal had when the token was made, is revoked. */
  has({ principal, issuedAt }: AccessToken): boolean {
    if (this.#sessions.has(principal.session)) return true;
    const notedAt = this.#principals.get(principal.id);
    return notedAt !== undefined && issuedAt <= notedAt;
  }

  /** True when access that was established at `since` (Unix milliseconds) ended afterwards. */
  concerns({ id, session }: Principal, since: number): boolean {
    if (session !== undefined && this.#sessions.has(session)) return true;
    const notedAt = this.#principals.get(id);
    return notedAt !== undefined && since <= notedAt;
  }

  /** Entries that are held. */
  get size(): number {
    return this.#sessions.size + this.#principals.size;
  }
}
