import { TELEMETRY } from "../lib/telemetry.ts";
import type { Pair, Place, TelemetryLane } from "./telemetry_ports.ts";
import type { RuleWatch, WatchedRule } from "./rule_watch.ts";

/** A device in a room, as far as it is known. */
export interface Source extends Pair {
  member: boolean;
  /** Names of its metrics, and when those were taken that may not be stored yet. */
  metrics: Map<string, number>;
  rules: WatchedRule[];
  /** Milliseconds of performance.now(). */
  knownAt: number;
  usedAt: number;
}

const REFRESH_MS = 5000;
/** Of those that are not in the room: it may be added any moment. */
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
  ) {}

  /** A device in a room. Throws ConfabError `unavailable` when that cannot be known now. */
  async get(pair: Pair): Promise<Source> {
    const key = keyOf(pair);
    const known = this.#fresh(key);
    if (known !== undefined) {
      known.usedAt = performance.now();
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

  /** False when get() would ask the database. */
  knows(pair: Pair): boolean {
    return this.#fresh(keyOf(pair)) !== undefined;
  }

  /** It is not in the room any more. */
  gone(pair: Pair): void {
    const known = this.#known.get(keyOf(pair));
    if (known === undefined) return;
    known.member = false;
    known.knownAt = performance.now();
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
    const now = performance.now();
    const old = [...this.#known.values()].filter((source) =>
      source.member && now - source.knownAt > REFRESH_MS && now - source.usedAt < 2 * REFRESH_MS
    );
    for (let at = 0; at < old.length; at += PAGE) {
      const part = old.slice(at, at + PAGE);
      const found = placesByKey(await this.lane.places(part.map(pairOf)));
      for (const source of part) this.#update(source, found.get(keyOf(source)));
    }
  }

  async #load(pair: Pair): Promise<Source> {
    const place = (await this.#ask(pair)).get(keyOf(pair));
    const now = performance.now();
    const source: Source = {
      ...pair,
      member: place !== undefined,
      metrics: new Map(),
      rules: [],
      knownAt: now,
      usedAt: now,
    };
    this.#update(source, place);
    this.#remember(source);
    return source;
  }

  #fresh(key: string): Source | undefined {
    const known = this.#known.get(key);
    if (known === undefined || known.member) return known;
    return performance.now() - known.knownAt < ABSENT_MS ? known : undefined;
  }

  #remember(source: Source): void {
    const key = keyOf(source);
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
    source.knownAt = performance.now();
    source.member = place !== undefined;
    if (place === undefined) return;
    // Metrics that are not stored yet are known here only; those that are not any more, nowhere
    for (const [metric, takenAt] of source.metrics) {
      if (source.knownAt - takenAt > STORED_MS) source.metrics.delete(metric);
    }
    for (const metric of place.metrics) {
      if (!source.metrics.has(metric)) source.metrics.set(metric, -Infinity);
    }
    source.rules = this.rules.adopt(place.rules, source.rules);
  }
}

/** Takes the names of metrics; false when the device had too many with them, then it takes none. */
export function takeNames({ metrics }: Source, names: string[]): boolean {
  const fresh = new Set(names.filter((name) => !metrics.has(name)));
  if (fresh.size === 0) return true;
  if (metrics.size + fresh.size > TELEMETRY.metrics) return false;
  const now = performance.now();
  for (const name of fresh) metrics.set(name, now);
  return true;
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
