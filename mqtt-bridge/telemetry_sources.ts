import { TELEMETRY } from "../lib/telemetry.ts";
import type { Pair, Place, Stay, TelemetryLane } from "./telemetry_ports.ts";
import type { RuleWatch } from "./rule_watch.ts";
import type { PublishedReading } from "./telemetry_payload.ts";
import type { WatchedRule } from "./watched_rule.ts";

/** A device in a room, as far as it is known. */
export interface Source extends Stay {
  /** It may measure there. */
  member: boolean;
  /** It is there, and may only read. */
  reader: boolean;
  /** Names of its metrics, and when those were taken that may not be stored yet. */
  metrics: Map<string, number>;
  /** When the newest reading of each metric was taken that rules have seen, in ms since 1970. */
  judged: Map<string, number>;
  rules: WatchedRule[];
  /** Milliseconds of performance.now(). */
  knownAt: number;
  usedAt: number;
}

const REFRESH_MS = 5000;
/** Of those that said nothing for so long nothing is asked, until they speak again. */
const IDLE_MS = 2 * REFRESH_MS;
/** Of those that do not write in the room: that may change any moment. */
const ABSENT_MS = 2000;
const MAX_SOURCES = 20_000;
/** Names of metrics are stored by then, or the database is away and nothing is learned from it. */
const STORED_MS = 60_000;
/** Devices that one question to the database is about. */
const PAGE = 500;

/**
 * Which devices are in which rooms, with their metrics and rules: asked for when a device says
 * something for the first time, then every few seconds, all of them together.
 */
export class TelemetrySources {
  /** The one that was used last stands last. */
  readonly #known = new Map<string, Source>();
  /** The keys of each device in it. */
  readonly #keysOf = new Map<string, Set<string>>();
  readonly #loading = new Map<string, Promise<Source>>();
  #wanted: Pair[] = [];
  #asking: Promise<Map<string, Place>> | undefined;

  constructor(
    private readonly lane: Pick<TelemetryLane, "places">,
    private readonly rules: Pick<RuleWatch, "adopt">,
    private readonly now: () => number = () => performance.now(),
  ) {}

  /** A device in a room. Throws ConfabError `unavailable` when that cannot be known now. */
  async get(pair: Pair): Promise<Source> {
    const key = keyOf(pair);
    const known = this.#fresh(key);
    if (known !== undefined) {
      known.usedAt = this.now();
      this.#known.delete(key);
      this.#known.set(key, known);
      return known;
    }
    let loading = this.#loading.get(key);
    if (loading === undefined) {
      loading = this.#load(pair).finally(() => this.#loading.delete(key));
      this.#loading.set(key, loading);
    }
    return await loading;
  }

  /** False when get() would have to ask the database, also when it was there a moment ago. */
  knows(pair: Pair): boolean {
    const key = keyOf(pair);
    return this.#known.get(key)?.member || this.#fresh(key) !== undefined;
  }

  /** That stay in the room is over, or it may only read there: what it is now is asked for. */
  gone(stay: Stay): void {
    const known = this.#known.get(keyOf(stay));
    if (known?.joinedSeq !== stay.joinedSeq) return;
    known.member = false;
    known.knownAt = -Infinity;
  }

  /** What is known of a device is outdated. */
  forget(device: string): void {
    for (const key of this.#keysOf.get(device) ?? []) this.#known.delete(key);
    this.#keysOf.delete(device);
  }

  /** Asks again about this one with the next refresh(). */
  expire(pair: Pair): void {
    const known = this.#known.get(keyOf(pair));
    if (known !== undefined) known.knownAt = -Infinity;
  }

  /** Asks anew about those that are in use. When that fails, what is known stays. */
  async refresh(): Promise<void> {
    const now = this.now();
    const old = [...this.#known.values()].filter((source) =>
      source.member && now - source.knownAt > REFRESH_MS && now - source.usedAt < IDLE_MS
    );
    for (let at = 0; at < old.length; at += PAGE) {
      const part = old.slice(at, at + PAGE);
      const found = placesByKey(await this.lane.places(part.map(pairOf)));
      for (const source of part) this.#update(source, found.get(keyOf(source)));
    }
  }

  async #load(pair: Pair): Promise<Source> {
    const known = this.#known.get(keyOf(pair));
    const source: Source = known ?? {
      ...pair,
      joinedSeq: 0,
      member: false,
      reader: false,
      metrics: new Map(),
      judged: new Map(),
      rules: [],
      knownAt: -Infinity,
      usedAt: -Infinity,
    };
    try {
      this.#update(source, (await this.#ask(pair)).get(keyOf(pair)));
    } catch (error) {
      if (known?.member !== true) throw error; // what is known of it holds as long as nobody answers
    }
    source.usedAt = this.now();
    this.#remember(source);
    return source;
  }

  #fresh(key: string): Source | undefined {
    const known = this.#known.get(key);
    if (known === undefined) return undefined;
    const now = this.now();
    const isOld = known.member
      ? now - known.usedAt >= IDLE_MS && now - known.knownAt > REFRESH_MS
      : now - known.knownAt >= ABSENT_MS;
    return isOld ? undefined : known;
  }

  #remember(source: Source): void {
    const key = keyOf(source);
    this.#known.delete(key);
    this.#known.set(key, source);
    const keys = this.#keysOf.get(source.device);
    if (keys === undefined) this.#keysOf.set(source.device, new Set([key]));
    else keys.add(key);
    if (this.#known.size <= MAX_SOURCES) return;
    const oldest = this.#known.values().next().value!;
    this.#known.delete(keyOf(oldest));
    const rest = this.#keysOf.get(oldest.device);
    rest?.delete(keyOf(oldest));
    if (rest?.size === 0) this.#keysOf.delete(oldest.device);
  }

  /** Asks together about all that is wanted in this turn of the event loop. */
  #ask(pair: Pair): Promise<Map<string, Place>> {
    this.#wanted.push(pair);
    this.#asking ??= (async () => {
      await new Promise((resolve) => setTimeout(resolve, 0));
      const wanted = this.#wanted;
      this.#wanted = [];
      this.#asking = undefined;
      return placesByKey(await this.lane.places(wanted));
    })();
    return this.#asking;
  }

  #update(source: Source, place: Place | undefined): void {
    source.knownAt = this.now();
    source.member = place !== undefined && !place.reader;
    source.reader = place?.reader ?? false;
    if (!source.member) source.rules = [];
    if (place === undefined) return;
    source.joinedSeq = place.joinedSeq;
    // Metrics that are not stored yet are known here only; those that are not any more, nowhere
    for (const [metric, takenAt] of source.metrics) {
      if (source.knownAt - takenAt > STORED_MS) source.metrics.delete(metric);
    }
    for (const metric of place.metrics) {
      if (!source.metrics.has(metric)) source.metrics.set(metric, -Infinity);
    }
    const wall = Date.now();
    for (const [metric, at] of Object.entries(place.newest)) {
      // One of the future says more of somebody's clock than of what came when
      if (!source.judged.has(metric) && at <= wall) source.judged.set(metric, Math.floor(at));
    }
    for (const metric of source.judged.keys()) {
      if (!source.metrics.has(metric)) source.judged.delete(metric);
    }
    if (source.member) source.rules = this.rules.adopt(place, source.rules);
  }
}

/** Takes the names of metrics; false when the device had too many with them, then it takes none. */
export function takeNames({ metrics, usedAt }: Source, names: string[]): boolean {
  const fresh = new Set(names.filter((name) => !metrics.has(name)));
  if (fresh.size === 0) return true;
  if (metrics.size + fresh.size > TELEMETRY.metrics) return false;
  for (const name of fresh) metrics.set(name, usedAt);
  return true;
}

/**
 * What the rules shall see of readings that came at `now`, in milliseconds since 1970: in the order
 * of their times, without those from before what the rules have seen of their metric. What came
 * without a time is of now, whatever a clock says that was set back meanwhile.
 */
export function newReadings(
  { judged }: Pick<Source, "judged">,
  readings: PublishedReading[],
  now: number,
): PublishedReading[] {
  return readings.toSorted((a, b) => a.at - b.at).filter(({ metric, at, timed }) => {
    if (timed && at < (judged.get(metric) ?? -Infinity)) return false;
    judged.set(metric, Math.min(at, now));
    return true;
  });
}

function keyOf({ room, device }: Pair): string {
  return `${room}/${device}`;
}

function pairOf({ room, device }: Pair): Pair {
  return { room, device };
}

function placesByKey(places: Place[]): Map<string, Place> {
  return new Map(places.map((place) => [keyOf(place), place]));
}
