import type { Principal } from "../lib/auth/principal.ts";
import { TokenBucket } from "../lib/limits/memory.ts";
import type { Grant, Rate } from "../lib/limits/mod.ts";
import type { BridgeActions } from "./ports.ts";

interface Known {
  principal: Principal | undefined;
  /** Milliseconds of performance.now(). */
  until: number;
}

const TTL_MS = 30_000;
const UNKNOWN_TTL_MS = 2000;
const MAX_DEVICES = 20_000;
/** So much of one device may have waited at the broker, at its full rate; by default all of its queue. */
const LATE_SECONDS = 600;
/** How long after the connection to the broker what comes may have waited for it. */
const LATE_MS = 60_000;

/**
 * What the bridge remembers of devices between two messages: who they are, so that a message costs
 * no question, and how much they have sent. Membership is never remembered: the append checks it,
 * and so it does whether who speaks is disabled. (Of a person's credentials it knows nothing.)
 */
export class KnownDevices {
  readonly #known = new Map<string, Known>();
  /** How often something was forgotten: an answer to a question from before is not kept. */
  #forgotten = 0;
  readonly #buckets = new Map<string, TokenBucket>();
  /** What was granted beyond the rate since the connection began. */
  readonly #late = new Map<string, number>();
  #lateUntil = -Infinity;

  constructor(
    private readonly actions: Pick<BridgeActions, "device">,
    private readonly rate: Rate,
  ) {}

  /** The device as who it acts; undefined when it is unknown or disabled. */
  async principal(id: string): Promise<Principal | undefined> {
    const known = this.#known.get(id);
    if (known !== undefined && known.until > performance.now()) return known.principal;
    const forgotten = this.#forgotten;
    const principal = await this.actions.device(id);
    if (forgotten !== this.#forgotten) return principal;
    const ttlMs = principal === undefined ? UNKNOWN_TTL_MS : TTL_MS;
    remember(this.#known, id, { principal, until: performance.now() + ttlMs });
    return principal;
  }

  /** The connection to the broker is new: what waited for it comes at once, also once more. */
  connected(): void {
    this.#late.clear();
    this.#lateUntil = performance.now() + LATE_MS;
  }

  /** What waited for it has come: what comes now was sent now. */
  caughtUp(): void {
    this.#lateUntil = -Infinity;
  }

  /**
   * Takes one publish from the device's quota; at QoS 0 nothing waits for a connection. All
   * credentials of one person share the person's, as far as it is known whose they are.
   */
  take(device: string, qos: number): Grant {
    const id = this.#known.get(device)?.principal?.id ?? device;
    const bucket = this.#buckets.get(id) ?? new TokenBucket(this.rate);
    remember(this.#buckets, id, bucket);
    const grant = bucket.take();
    if (grant.granted || qos === 0 || performance.now() > this.#lateUntil) return grant;
    const late = (this.#late.get(id) ?? 0) + 1;
    if (late > this.rate.perSecond * LATE_SECONDS) return grant;
    remember(this.#late, id, late);
    return { granted: true, retryAfter: 0 };
  }

  /** The device has changed: ask again. */
  forget(id: string): void {
    this.#forgotten++;
    this.#known.delete(id);
  }
}

/** Keeps the newest entries; whoever falls out starts anew. */
function remember<V>(map: Map<string, V>, key: string, value: V): void {
  map.delete(key);
  map.set(key, value);
  if (map.size > MAX_DEVICES) map.delete(map.keys().next().value!);
}
