/**
 * Remembers what was verified until it expires, so that a busy client costs one signature check
 * and not one per request. Holds at most `max` tokens; the one that came first makes room.
 */
export class VerifiedTokens<T> {
  readonly #entries = new Map<string, { value: T; expiresAt: number }>();
  readonly #max: number;

  constructor(max = 10_000) {
    this.#max = max;
  }

  /** What `token` stands for, unless it has expired at `now` (Unix milliseconds) or is not known. */
  get(token: string, now: number): T | undefined {
    const entry = this.#entries.get(token);
    if (entry === undefined) return undefined;
    if (entry.expiresAt > now) return entry.value;
    this.#entries.delete(token);
    return undefined;
  }

  /** Keeps `value` for `token` until `expiresAt` (Unix milliseconds). */
  add(token: string, value: T, expiresAt: number): void {
    if (this.#entries.size >= this.#max && !this.#entries.has(token)) {
      const [oldest] = this.#entries.keys();
      this.#entries.delete(oldest!);
    }
    this.#entries.set(token, { value, expiresAt });
  }

  /** Tokens that are held. */
  get size(): number {
    return this.#entries.size;
  }
}
