import type {
  DeviceTelemetry,
  Reading,
  ReadingValue,
  TelemetrySeries,
} from "../../lib/client/mod.ts";
import type { DevicePlace, PanelPart } from "./device_panel.ts";
import { momentLabel } from "./day_label.ts";
import { arrange, element } from "./element.ts";
import { attempt } from "./notice.ts";
import { Series } from "./series.ts";
import { Sparkline } from "./sparkline.ts";
import { whileVisible } from "./while_visible.ts";

const WINDOW_MS = 10 * 60_000;
const POINTS = 120;
/** How often the drop counter is read again. */
const COUNT_MS = 15_000;
const MAX_METRICS = 64;

/** The latest values of a device, a small line for each that is a number, and what was dropped. */
export function deviceReadingsView({ rest, room, device }: DevicePlace): PanelPart {
  const path = `/v1/rooms/${room.id}/devices/${device.id}/telemetry`;
  const rows = new Map<string, MetricRow>();
  const list = element("ul", { class: "metrics" });
  const empty = element("p", { class: "muted" }, "Loading …");
  const drops = element("p", { class: "muted", "data-testid": "dropped", hidden: true });
  const take = (reading: Reading) => {
    const known = rows.get(reading.metric);
    if (known !== undefined) return known.take(reading);
    if (rows.size >= MAX_METRICS) return;
    const row = new MetricRow(reading.metric);
    rows.set(reading.metric, row);
    row.take(reading);
    if (typeof reading.value === "number") void loadSeries(row);
    const sorted = [...rows.values()].sort((a, b) => a.metric < b.metric ? -1 : 1);
    arrange(list, sorted.map(({ element }) => element));
  };
  const loadSeries = async (row: MetricRow) => {
    const query = { from: new Date(Date.now() - WINDOW_MS).toISOString(), points: POINTS };
    const answer = await attempt(() =>
      rest.request<TelemetrySeries>("GET", `${path}/${row.metric}`, { query })
    );
    const means = answer?.points.map(({ at, sum, count }) => ({ at, value: sum / count })) ?? [];
    row.history(means.map(({ at, value }) => ({ at: Date.parse(at), value })));
  };
  const load = async () => {
    const answer = await attempt(() => rest.request<DeviceTelemetry>("GET", path));
    if (answer === undefined) return;
    for (const reading of answer.metrics) take(reading);
    empty.textContent = "It has measured nothing yet.";
    empty.hidden = rows.size > 0;
    drops.hidden = answer.dropped === 0;
    drops.dataset.count = String(answer.dropped);
    drops.textContent = `${answer.dropped} readings were not kept: too many at once, or of too ` +
      "many metrics.";
  };
  const stopCounting = whileVisible(COUNT_MS, () => void load());
  const stops = [
    room.on("telemetry", (signal) => {
      if (signal.device !== device.id) return;
      for (const reading of signal.readings) take(reading);
      empty.hidden = rows.size > 0;
    }),
    room.on("missed", () => void load()),
  ];
  void load();
  return {
    element: element(
      "section",
      { class: "panel-part", "aria-label": "Readings", "data-testid": "device-readings" },
      element("header", {}, element("h3", {}, "Readings")),
      empty,
      list,
      drops,
    ),
    stop() {
      for (const stop of stops) stop();
      stopCounting();
    },
  };
}

/** One metric: its name, its latest value, and a line when it is a number. */
class MetricRow {
  readonly element: HTMLElement;
  readonly metric: string;
  #series = new Series(WINDOW_MS);
  #line: Sparkline | undefined;
  #value = element("strong", { "data-testid": "metric-value" });
  #at = -Infinity;

  constructor(metric: string) {
    this.metric = metric;
    this.element = element(
      "li",
      { class: "metric", "data-testid": "metric", "data-metric": metric },
      element("span", { class: "clip" }, metric),
      this.#value,
    );
  }

  /** The newest reading; one that is older than what is shown only joins the line. */
  take({ value, at }: Reading): void {
    const moment = Date.parse(at);
    if (moment >= this.#at) {
      this.#at = moment;
      this.#value.textContent = shown(value);
      this.element.title = momentLabel(new Date(at));
    }
    if (typeof value === "number") this.history([{ at: moment, value }]);
  }

  history(points: { at: number; value: number }[]): void {
    this.#series.add(points);
    if (this.#line === undefined) {
      this.#line = new Sparkline(`${this.metric} in the last ten minutes`);
      this.element.insertBefore(this.#line.element, this.#value);
    }
    this.#line.show(this.#series.points);
  }
}

const number = new Intl.NumberFormat(undefined, { maximumSignificantDigits: 5 });

function shown(value: ReadingValue): string {
  if (typeof value === "number") return number.format(value);
  return typeof value === "boolean" ? (value ? "yes" : "no") : value;
}
