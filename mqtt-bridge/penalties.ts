import { ConfabError } from "../lib/errors.ts";
import { TokenBucket } from "../lib/limits/memory.ts";
import type { Rate } from "../lib/limits/mod.ts";
import type { Log } from "../lib/log.ts";
import type { Provisioning } from "./bridge.ts";
import { Expiries } from "./expiries.ts";
import type { Publisher } from "./ports.ts";
import type { Topics } from "./topics.ts";

/** What penalties work with. */
export interface PenaltyOptions {
  topics: Topics;
  publisher: Publisher;
  /** Publishes per device. */
  rate: Rate;
  /**
   * How a device that goes on is stopped: `dynsec` has the broker refuse it, `none` cannot, and the
   * `embedded` broker reads it more slowly by itself.
   */
  provisioning: Provisioning["kind"];
  /** Whether the device is barred has changed. */
  onChanged(device: string): void;
  log: Log;
  /** The term is over: penalties end with it. */
  signal: AbortSignal;
  /** Default 10,000: the first penalty. */
  firstMs?: number;
}

interface Offender {
  /** Publishes beyond the quota that are borne. */
  borne: TokenBucket;
  /** Errors about them. */
  told: TokenBucket;
  /** Penalties in a row. */
  count: number;
  /** When the last one ends or ended, in milliseconds of performance.now(). */
  until: number;
}

const FIRST_MS = 10_000;
const LONGEST_MS = 300_000;
/** Who has been good for so long begins anew. */
const FORGIVEN_MS = 600_000;
/** Borne is a quota beyond the quota, and at once as much as comes of it in so many seconds. */
const BORNE_SECONDS = 2;
const TOLD: Rate = { perSecond: 10, burst: 50 };
const MAX_DEVICES = 20_000;

/**
 * What devices that publish beyond their quotas have to expect. They are told so, ten times a
 * second at most; one that goes on with more than twice the quota is told for how long it is cut
 * off, and the broker does not let it in until then. This is done for those who share the broker
 * and the bridge with it.
 */
export class Penalties {
  readonly #offenders = new Map<string, Offender>();
  readonly #barred = new Set<string>();
  readonly #ends: Expiries;
  #saidNone = false;

  constructor(private readonly o: PenaltyOptions) {
    this.#ends = new Expiries((devices) => this.#lift(devices));
    o.signal.addEventListener("abort", () => this.#ends.stop());
  }

  /** True while the broker is to refuse the device; what still waits of it there is dropped. */
  isBarred(device: string): boolean {
    return this.#barred.has(device);
  }

  /** A publish beyond the quota was refused; true: the device is to be told. */
  refused(device: string): boolean {
    const offender = this.#of(device);
    if (!offender.borne.take().granted) this.#punish(device, offender);
    return !this.isBarred(device) && offender.told.take().granted;
  }

  #punish(device: string, offender: Offender): void {
    const { provisioning, log, signal } = this.o;
    if (provisioning === "embedded" || this.isBarred(device) || signal.aborted) return;
    if (provisioning === "none") {
      if (!this.#saidNone) {
        log.warn("A device publishes far beyond its quota, and cannot be cut off", { device });
      }
      this.#saidNone = true;
      return;
    }
    if (this.#barred.size >= MAX_DEVICES) return;
    const now = performance.now();
    if (now > offender.until + FORGIVEN_MS) offender.count = 0;
    const ms = Math.min(LONGEST_MS, (this.o.firstMs ?? FIRST_MS) * 2 ** offender.count++);
    offender.until = now + ms;
    this.#barred.add(device);
    this.#ends.set(device, ms);
    log.warn("A device publishes far beyond its quota and is cut off", { device, ms });
    void this.#tell(device, Math.ceil(ms / 1000)).finally(() => this.o.onChanged(device));
  }

  /** The last word before its connection ends. */
  async #tell(device: string, retryAfter: number): Promise<void> {
    const { code } = new ConfabError("rate_limited");
    const message = "The device publishes far beyond its quota and is cut off";
    const { publisher, topics, log } = this.o;
    const topic = `${topics.own(device)}#`;
    const payload = JSON.stringify({ code, message, retryAfter, topic });
    await publisher.publish(topics.errors(device), payload).catch((error) => {
      log.debug("A device could not be told that it is cut off", { device, error });
    });
  }

  #lift(devices: string[]): void {
    for (const device of devices) {
      this.#barred.delete(device);
      this.o.onChanged(device);
    }
  }

  #of(device: string): Offender {
    const { perSecond } = this.o.rate;
    const offender = this.#offenders.get(device) ?? {
      borne: new TokenBucket({ perSecond, burst: perSecond * BORNE_SECONDS }),
      told: new TokenBucket(TOLD),
      count: 0,
      until: -Infinity,
    };
    this.#offenders.delete(device);
    this.#offenders.set(device, offender);
    if (this.#offenders.size > MAX_DEVICES) {
      this.#offenders.delete(this.#offenders.keys().next().value!);
    }
    return offender;
  }
}
