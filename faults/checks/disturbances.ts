import type { History } from "../history.ts";
import type { ReadingRecord } from "../history_metering.ts";

/**
 * Milliseconds before a fault in which readings may be lost with a bridge's memory, and after it in
 * which what the bridge had taken may come to it, or to the next one, once more.
 */
const BEFORE_MS = 3000;
const AFTER_MS = 5000;
/** What has no PUBACK may come for so long. */
const UNANSWERED_MS = 10_000;

const FAULTS = /^(bridge-|mosquitto-|postgres-|room-lock|clients-cut)/;
const PROCESSES = /^(bridge|mosquitto|postgres)/;

/** When the way of readings was disturbed, from the device to the database. */
export class Disturbances {
  readonly #spans: { from: number; to: number }[];

  constructor({ faults, exits, metering: { wholeFrom = Infinity } }: History) {
    const ended = exits.filter(({ name, at }) => PROCESSES.test(name) && at < wholeFrom)
      .map(({ at, told }) => ({ from: told?.at ?? at, to: at }));
    const faulty = faults.filter(({ class: name, target }) =>
      FAULTS.test(name) || target.includes("mosquitto")
    );
    this.#spans = [...faulty, ...ended].map(({ from, to }) => ({
      from: from - BEFORE_MS,
      to: to + AFTER_MS,
    }));
  }

  /** How many there were in a time. */
  during(from: number, to: number): number {
    return this.#spans.filter((span) => span.from <= to && from <= span.to).length;
  }

  /** How often a reading may count, at least and at most. */
  bounds({ sentAt, ackedAt }: ReadingRecord): { least: number; most: number } {
    const count = this.during(sentAt, ackedAt ?? sentAt + UNANSWERED_MS);
    const isSure = count === 0 && ackedAt !== undefined;
    return { least: isSure ? 1 : 0, most: 1 + count };
  }
}
