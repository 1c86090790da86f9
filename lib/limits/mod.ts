/** The rate of one limit: `burst` at once, then `perSecond`. */
export interface Rate {
  perSecond: number;
  burst: number;
}

/** The answer to one request for quota; `retryAfter` is in seconds and 0 when it was granted. */
export interface Grant {
  granted: boolean;
  retryAfter: number;
}

/**
 * Rate limits shared by all nodes, for rare and costly actions (login, registration).
 * Never fails: when the shared counter is away, each node counts for itself.
 */
export interface Limits extends AsyncDisposable {
  /** Takes `cost` units (default 1) from the quota of `key`. */
  take(key: string, rate: Rate, cost?: number): Promise<Grant>;
}
