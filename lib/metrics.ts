/** Counts things by labels; only ever rises. */
export interface Counter {
  /** Adds `by` (default 1) to the series of these label values, given in the order of the names. */
  add(labels?: readonly (string | number)[], by?: number): void;
}

/** Counts observations in buckets. */
export interface Histogram {
  observe(value: number, labels?: readonly (string | number)[]): void;
}

/** Upper bounds for durations in seconds, from a cached read to a deadline. */
export const SECONDS_BUCKETS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5];

/** Series that one metric may have; what comes later is counted under the label value `other`. */
const MAX_SERIES = 1000;

interface Metric {
  type: "counter" | "gauge" | "histogram";
  help: string;
  lines(name: string): string[];
}

/**
 * The metrics of one process in the Prometheus text format 0.0.4. Names are `confab_*`, times are
 * in seconds, counters end in `_total`. A name is given once.
 */
export class Metrics {
  readonly #metrics = new Map<string, Metric>();

  counter(name: string, help: string, labelNames: readonly string[] = []): Counter {
    const series = new Series(labelNames, () => ({ value: 0 }));
    this.#add(name, {
      type: "counter",
      help,
      lines: (n) => series.map((labels, { value }) => `${n}${labels()} ${value}`),
    });
    return {
      add: (labels = [], by = 1) => {
        series.of(labels).value += by;
      },
    };
  }

  /** A value that is read when somebody asks; what `read` throws or NaN leaves it out. */
  gauge(name: string, help: string, read: () => number): void {
    this.#add(name, { type: "gauge", help, lines: (n) => gaugeLine(n, read) });
  }

  histogram(
    name: string,
    help: string,
    buckets: readonly number[] = SECONDS_BUCKETS,
    labelNames: readonly string[] = [],
  ): Histogram {
    const series = new Series(
      labelNames,
      () => ({ sum: 0, counts: new Array<number>(buckets.length + 1).fill(0) }),
    );
    this.#add(name, {
      type: "histogram",
      help,
      lines: (n) =>
        series.map((labels, { sum, counts }) => {
          let total = 0;
          const lines = counts.map((count, i) => {
            total += count;
            return `${n}_bucket${labels(`le="${buckets[i] ?? "+Inf"}"`)} ${total}`;
          });
          return [...lines, `${n}_sum${labels()} ${sum}`, `${n}_count${labels()} ${total}`]
            .join("\n");
        }),
    });
    return {
      observe: (value, labels = []) => {
        const { counts } = series.of(labels);
        const fits = buckets.findIndex((bound) => value <= bound);
        counts[fits === -1 ? buckets.length : fits]!++;
        series.of(labels).sum += value;
      },
    };
  }

  /** Everything, as `text/plain; version=0.0.4`. */
  render(): string {
    const parts: string[] = [];
    for (const [name, { type, help, lines }] of this.#metrics) {
      parts.push(`# HELP ${name} ${help}`, `# TYPE ${name} ${type}`, ...lines(name));
    }
    return parts.join("\n") + "\n";
  }

  #add(name: string, metric: Metric): void {
    if (this.#metrics.has(name)) throw new TypeError(`The metric "${name}" exists already`);
    this.#metrics.set(name, metric);
  }
}

/** The values of one metric by label values, bounded by MAX_SERIES. */
class Series<V> {
  readonly #series = new Map<string, { labels: readonly string[]; value: V }>();

  constructor(readonly names: readonly string[], readonly fresh: () => V) {
    if (names.length === 0) this.of([]);
  }

  of(given: readonly (string | number)[]): V {
    const key = given.join("\0");
    const known = this.#series.get(key);
    if (known !== undefined) return known.value;
    if (given.length !== this.names.length) {
      throw new TypeError(`Expected the labels ${this.names.join(", ")}, got ${given.length}`);
    }
    const other = this.names.map(() => "other");
    if (this.#series.size >= MAX_SERIES && given.some((value) => value !== "other")) {
      return this.of(other);
    }
    const value = this.fresh();
    this.#series.set(key, { labels: given.map(String), value });
    return value;
  }

  map(line: (labels: (extra?: string) => string, value: V) => string): string[] {
    return [...this.#series.values()].map(({ labels, value }) =>
      line((extra) => this.#shown(labels, extra), value)
    );
  }

  #shown(labels: readonly string[], extra: string | undefined): string {
    const pairs = this.names.map((name, i) => `${name}="${escapeLabel(labels[i]!)}"`);
    if (extra !== undefined) pairs.push(extra);
    return pairs.length === 0 ? "" : `{${pairs.join(",")}}`;
  }
}

function gaugeLine(name: string, read: () => number): string[] {
  try {
    const value = read();
    return Number.isNaN(value) ? [] : [`${name} ${value}`];
  } catch {
    return [];
  }
}

function escapeLabel(value: string): string {
  return value.replace(/[\\"\n]/g, (c) => c === "\n" ? "\\n" : `\\${c}`);
}
