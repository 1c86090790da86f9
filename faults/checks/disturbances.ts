import type { History } from "../history.ts";
import type { ReadingRecord } from "../history_metering.ts";

/** Milliseconds of readings that may go with a bridge's memory: about one, and what it takes. */
const BEFORE_MS = 3000;
/** After a fault, what the bridge had taken may so late come to it, or to the next one, once more. */
const AFTER_MS = 5000;
/** What has no PUBACK may come for so long. */
const UNANSWERED_MS = 10_000;

/** Bridges that end, and what a broker had not written, take readings along. */
const LOSING = /^(bridge-kill|bridge-leave|mosquitto-kill)/;
/** A bridge that loses its connection to the broker is given again what it had not acknowledged. */
const REPEATING = /^(bridge-|mosquitto-|.*-bridge-mosquitto$)/;
const PROCESSES = /^(bridge|mosquitto)/;

interface Span {
  from: number;
  to: number;
  loses: boolean;
  repeats: boolean;
}

/** When the way of readings was disturbed, from the broker to the database. */
export class Disturbances {
  readonly #spans: Span[];

  constructor({ faults, exits, metering: { wholeFrom = Infinity } }: History) {
    const ended = exits.filter(({ name, at }) => PROCESSES.test(name) && at < wholeFrom)
      .map(({ at, told }) => ({ from: told?.at ?? at, to: at, loses: true, repeats: true }));
    const faulty = faults.map(({ class: name, from, to }) => ({
      ...{ from, to, loses: LOSING.test(name), repeats: REPEATING.test(name) },
    }));
    this.#spans = [...faulty, ...ended].map((span) => ({
      ...span,
      from: span.from - BEFORE_MS,
      to: Math.min(span.to + AFTER_MS, wholeFrom),
    }));
  }

  /** How often what was published in a time may have come once more. */
  repeats(from: number, to: number): number {
    return this.#during(from, to).filter(({ repeats }) => repeats).length;
  }

  /** How often a reading may count, at least and at most. */
  bounds({ sentAt, ackedAt }: ReadingRecord): { least: number; most: number } {
    const to = ackedAt ?? sentAt + UNANSWERED_MS;
    const isSure = ackedAt !== undefined && !this.#during(sentAt, to).some(({ loses }) => loses);
    return { least: isSure ? 1 : 0, most: 1 + this.repeats(sentAt, to) };
  }

  #during(from: number, to: number): Span[] {
    return this.#spans.filter((span) => span.from <= to && from <= span.to);
  }
}
