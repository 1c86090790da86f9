import type { Log } from "../log.ts";

/** How a beacon runs. */
export interface BeaconOptions {
  /** Seconds between two rounds, ± 20 %. */
  seconds: number;
  /** Seconds while the bus is down. */
  fastSeconds: number;
  /** False while the bus is down. */
  busIsUp: () => boolean;
  /** One round; a failure is logged and the next round tries again. */
  round: () => Promise<void>;
  log: Log;
}

/** Asks the database at regular, jittered intervals what this node may have missed. */
export class Beacon {
  #timer: ReturnType<typeof setTimeout> | undefined;
  #running: Promise<void> | undefined;
  #stopped = false;

  constructor(private readonly options: BeaconOptions) {
    this.#schedule();
  }

  /** Starts a round now, or joins the one under way; none begins after stop(). */
  now(): Promise<void> {
    if (this.#stopped) return Promise.resolve();
    clearTimeout(this.#timer);
    return this.#running ??= this.#run();
  }

  /** Ends the rounds; resolves when none is under way. */
  async stop(): Promise<void> {
    this.#stopped = true;
    clearTimeout(this.#timer);
    await this.#running;
  }

  async #run(): Promise<void> {
    try {
      await this.options.round();
    } catch (error) {
      this.options.log.warn("The beacon could not read the heads", { error });
    } finally {
      this.#running = undefined;
      this.#schedule();
    }
  }

  #schedule(): void {
    if (this.#stopped) return;
    const { seconds, fastSeconds, busIsUp } = this.options;
    const base = busIsUp() ? seconds : Math.min(fastSeconds, seconds);
    this.#timer = setTimeout(() => void this.now(), base * 1000 * (0.8 + Math.random() * 0.4));
  }
}
