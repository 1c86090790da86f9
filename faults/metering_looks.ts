import type { Account } from "./clients/account.ts";
import type { Answer, Api, Node } from "./clients/api.ts";
import type { Meter } from "./clients/meter.ts";
import { wait } from "./clients/waiting.ts";
import type { MeterLook, MetricRecord } from "./history_metering.ts";
import type { Recorder } from "./recorder.ts";

const AGAIN_MS = 500;
/** Readings are stored about once a second, by a bridge that may just have taken over. */
const STORED_MS = 10_000;
const HOUR_MS = 3_600_000;

/** Who looks, and with what. */
export interface LookContext {
  api: Api;
  /** Somebody who is in all rooms of the meters. */
  owner: Account;
  recorder: Recorder;
  signal: AbortSignal;
}

/**
 * Reads what is stored of each metric, until the latest is the last reading that the broker took, or
 * the time for that is over.
 */
export async function readMetrics(context: LookContext, metrics: MetricRecord[]): Promise<void> {
  const { recorder, signal } = context;
  const until = recorder.now() + STORED_MS;
  for (const metric of metrics) {
    const sure = metric.readings.filter(({ ackedAt }) => ackedAt !== undefined);
    const last = Math.max(...sure.map(({ at }) => at));
    for (;;) {
      const found = await readMetric(context, metric);
      if (found !== undefined) metric.final = found;
      if ((found?.latest?.at ?? -Infinity) >= last || signal.aborted || recorder.now() > until) {
        break;
      }
      await wait(AGAIN_MS, signal);
    }
  }
}

/** Undefined when a node could not say. */
async function readMetric(context: LookContext, { device, room, metric }: MetricRecord) {
  const path = `/v1/rooms/${room}/devices/${device}/telemetry`;
  const [now, from] = [Date.now(), Date.now() - HOUR_MS];
  const range = `from=${isoOf(from)}&to=${isoOf(now + 60_000)}&points=500`;
  const [all, series] = [
    await ask(context, path),
    await ask(context, `${path}/${metric}?${range}`),
  ];
  if (all.code !== "" || series.code !== "") return undefined;
  const latest = (all.body.metrics as Latest[]).find((one) => one.metric === metric);
  return {
    ...(latest && {
      latest: { value: latest.value, at: Date.parse(latest.at), count: latest.count },
    }),
    points: (series.body.points as Point[])
      .map(({ at, count, min, max, last }) => ({ at: Date.parse(at), count, min, max, last })),
  };
}

interface Latest {
  metric: string;
  value: number;
  at: string;
  count: number;
}

interface Point {
  at: string;
  count: number;
  min: number;
  max: number;
  last: number;
}

function isoOf(ms: number): string {
  return encodeURIComponent(new Date(ms).toISOString());
}

async function ask({ api, owner }: LookContext, path: string, node?: Node): Promise<Answer> {
  const token = await owner.token();
  return await api.request("GET", path, { token }, node);
}

/**
 * Asks every node whether these devices are there, by their status and in their rooms, until all
 * say what is so or `until` has come.
 */
export async function lookAtMeters(
  context: LookContext,
  meters: readonly Meter[],
  until: number,
): Promise<void> {
  const { api: { nodes }, recorder, signal } = context;
  for (;;) {
    const looks: (MeterLook | undefined)[] = [];
    for (const node of nodes) {
      for (const meter of meters) {
        looks.push(await lookAtStatus(context, meter, node));
        for (const room of meter.record.rooms) {
          looks.push(await lookAtRoom(context, meter, room, node));
        }
      }
    }
    for (const look of looks) if (look !== undefined) recorder.metering.looks.push(look);
    if (looks.every((look) => look !== undefined && isRight(look)) || signal.aborted) return;
    if (recorder.now() > until) return;
    await wait(AGAIN_MS, signal);
  }
}

function isRight({ state, online, expected }: MeterLook): boolean {
  return state === "off" || state === "known" && online === expected;
}

async function lookAtStatus(context: LookContext, meter: Meter, node: Node) {
  const expected = meter.connected;
  const { code, body } = await ask(context, `/v1/devices/${meter.principal}/status`, node);
  if (code !== "") return undefined;
  return lookOf(context, meter, node, { state: "known", online: body.online, expected });
}

async function lookAtRoom(context: LookContext, meter: Meter, room: string, node: Node) {
  const expected = meter.connected;
  const { code, body } = await ask(context, `/v1/rooms/${room}/presence`, node);
  if (code !== "") return undefined;
  const items = body.items as { principal: string; state: string }[];
  const online = items.some((one) => one.principal === meter.principal && one.state === "online");
  return { ...lookOf(context, meter, node, { state: body.state, online, expected }), room };
}

function lookOf(
  { recorder }: LookContext,
  { principal }: Meter,
  { name }: Node,
  found: Pick<MeterLook, "state" | "online" | "expected">,
): MeterLook {
  return { at: recorder.now(), through: name, device: principal, ...found };
}
