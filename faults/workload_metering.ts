import type { RoomId } from "../lib/protocol.ts";
import { Meter } from "./clients/meter.ts";
import type { MqttAccess } from "./clients/mqtt_device.ts";
import { reached, wait } from "./clients/waiting.ts";
import type { MetricRule } from "./history_metering.ts";
import { lookAtMeters, type LookContext, readMetrics } from "./metering_looks.ts";
import type { WorkloadWorld } from "./workload.ts";
import type { Cast } from "./workload_cast.ts";
import type { WorkloadPart } from "./workload_part.ts";

/** Between two publishes of readings, and between the changes from low to high and back. */
const READ_MS = 300;
const PHASE_MS = 2000;
const LATE_WILL_MS = 2000;
/** A late reading was taken so long before it comes. */
const LATE_MS = 4000;
const EXPECTED_SECONDS = 10;
/** An alert comes at most so long after a silence that long, and after the device is heard again. */
const SILENT_MS = EXPECTED_SECONDS * 1000 + 25_000 + 2000;
const BACK_MS = 25_000;
/** Presence may be wrong for so long after a crash. */
const PRESENCE_MS = 45_000;
const FULL: MetricRule = { id: "full", kind: "above", threshold: 100, hysteresis: 20 };
const SUM = { id: "sum", kind: "digest", seconds: 10 } as const;
/** Where meters are, in the order of the cast's rooms. */
const [RULED, PLAIN] = [1, 3];

/**
 * What is waited for at the end: nothing, digests (ten seconds), or also the alerts of a device that
 * went silent and came back (about a minute). Without waiting there are no digests.
 */
export type Patience = "none" | "digests" | "alerts";

/**
 * Devices that measure, and of which something is expected: one goes on to the end, under rules;
 * one goes without a word.
 */
export class Metering implements WorkloadPart {
  readonly #looking: LookContext;
  readonly #stop = new AbortController();
  readonly #signal: AbortSignal;
  readonly #running: Promise<void>;
  #paused = false;

  private constructor(
    private readonly cast: Cast,
    private readonly world: WorkloadWorld,
    private readonly patience: Patience,
    private readonly steady: Meter,
    private readonly sleeper: Meter,
  ) {
    const { api, recorder, signal } = cast.context;
    this.#looking = { api, owner: cast.ownerAccount, recorder, signal };
    this.#signal = AbortSignal.any([signal, this.#stop.signal]);
    this.#running = Promise.all([this.#beat(), this.#measure(), this.#lateWills()]).then(() => {});
  }

  /** Makes the devices and their rules, and connects them. */
  static async start(
    cast: Cast,
    world: WorkloadWorld,
    patience: Patience,
  ): Promise<Metering> {
    const rooms = [RULED, PLAIN].map((i) => cast.rooms[i]!.id);
    const steady = await meterOf(cast, "meter", rooms);
    const sleeper = await meterOf(cast, "sleeper", rooms.slice(1));
    const ruled = Object.entries({ level: FULL, ...(patience === "none" ? {} : { flow: SUM }) });
    const rules = ruled.map(([metric, rule]) => {
      steady.rule(rooms[0]!, metric, rule);
      return { metric, ...rule };
    });
    const path = `/v1/rooms/${rooms[0]}/devices/${steady.principal}/rules`;
    await cast.call("PUT", path, { rules });
    const metering = new Metering(cast, world, patience, steady, sleeper);
    await metering.#connected();
    return metering;
  }

  pause(): void {
    this.#paused = true;
  }

  resume(): void {
    this.#paused = false;
  }

  /** The beats go on: what says nothing any more would be silent. */
  async stop(): Promise<void> {
    this.#paused = true;
    if (this.cast.context.signal.aborted) {
      this.#stop.abort();
      await this.#running;
    }
  }

  /** A digest may still come: readers are waited for at the very end. */
  settled(): Promise<boolean> {
    return Promise.resolve(true);
  }

  async look(healedAt: number): Promise<void> {
    const { recorder } = this.cast.context;
    const { metering } = recorder;
    metering.wholeFrom = recorder.now();
    const meters = [this.steady, this.sleeper];
    this.steady.lateWill();
    await this.#crossOnce();
    await lookAtMeters(this.#looking, meters, healedAt + PRESENCE_MS);
    if (this.patience === "alerts") await this.#awaitAlerts();
    await this.#expectNothing();
    this.#stop.abort();
    await this.#running;
    await readMetrics(this.#looking, metering.metrics);
    await this.#rulesSettled();
  }

  async #connected(): Promise<void> {
    const { signal } = this.cast.context;
    const all = () => this.steady.connected && this.sleeper.connected;
    if (!await reached(all, 30_000, signal)) throw new Error("The broker admits no meter");
    await this.#expect(EXPECTED_SECONDS);
    this.sleeper.measure(this.sleeper.record.rooms[0]!, { beat: 1 });
    await reached(() => this.sleeper.record.heard.length > 1, 5000, signal);
    this.sleeper.sleep();
  }

  /** Whoever is awake is heard, by a metric without a rule. */
  async #beat(): Promise<void> {
    for (let beat = 2; !this.#signal.aborted; beat++) {
      for (const meter of [this.steady, this.sleeper]) {
        if (meter.connected) meter.measure(meter.record.rooms.at(-1)!, { beat });
      }
      await wait(2 * READ_MS, this.#signal);
    }
  }

  /** Levels that are low for a while, then high; now and then a reading comes late. */
  async #measure(): Promise<void> {
    for (let i = 1; !this.#signal.aborted; i++) {
      if (!this.#paused && this.steady.connected) {
        const high = Math.floor(this.cast.context.recorder.now() / PHASE_MS) % 2 === 1;
        this.#level(i, high);
        if (i % 10 === 0) this.steady.measure(this.#plain, { late: i }, LATE_MS);
        else this.steady.measure(this.#plain, { late: i });
      }
      await wait(READ_MS, this.#signal);
    }
  }

  #level(i: number, high: boolean): void {
    this.steady.measure(this.steady.record.rooms[0]!, {
      level: (high ? 120 : 60) + i / 1000,
      flow: i,
    });
  }

  async #lateWills(): Promise<void> {
    while (!this.#signal.aborted) {
      await wait(LATE_WILL_MS, this.#signal);
      if (!this.#signal.aborted) this.steady.lateWill();
    }
  }

  /** One more crossing, and readings that nothing disturbs. */
  async #crossOnce(): Promise<void> {
    for (let i = 1; i <= 2 * PHASE_MS / READ_MS && !this.#signal.aborted; i++) {
      this.#level(100_000 + i, i > PHASE_MS / READ_MS);
      this.steady.measure(this.#plain, { after: i });
      await wait(READ_MS, this.#signal);
    }
  }

  get #plain(): RoomId {
    return this.steady.record.rooms[1]!;
  }

  async #awaitAlerts(): Promise<void> {
    const { recorder, signal } = this.cast.context;
    const { record } = this.sleeper;
    const room = record.rooms[0]!;
    const alerts = (kind: "silent" | "back") => () =>
      recorder.deliveries.some((one) =>
        one.room === room &&
        one.entries.some(({ entry: { event } }) =>
          event.type === "device.alert" && event.device.id === record.device &&
          event.alert.kind === kind
        )
      );
    const waitMs = recorder.metering.wholeFrom! + SILENT_MS - recorder.now();
    await reached(alerts("silent"), waitMs, signal);
    record.awaited.silent++;
    this.sleeper.wake();
    await reached(() => this.sleeper.connected, BACK_MS, signal);
    await reached(alerts("back"), BACK_MS, signal);
    record.awaited.back++;
  }

  async #expect(seconds: number | null): Promise<void> {
    for (const { principal, record } of [this.steady, this.sleeper]) {
      const from = this.world.now();
      await this.cast.call("PUT", `/v1/devices/${principal}/expectation`, {
        expectedSeconds: seconds,
      });
      if (seconds !== null) record.expectation = { seconds, from };
      else if (record.expectation !== undefined) record.expectation.to = this.world.now();
    }
  }

  /** Nothing is expected any more; resolves when every alert is in its room. */
  async #expectNothing(): Promise<void> {
    await this.#expect(null);
    await this.#until("select count(*)::integer as left from device_alerts");
  }

  /** All that has been measured is told of. */
  async #rulesSettled(): Promise<void> {
    await this.#until(
      `select count(*)::integer as left from telemetry_rules t
       left join telemetry_latest l on l.room_id = t.room_id and l.device_id = t.device_id
         and l.metric = t.definition ->> 'metric'
       where t.pending is not null
         or t.definition ->> 'kind' = 'digest' and t.seen < coalesce(l.count, 0)`,
    );
  }

  /** Asks past all nodes until nothing is left; what is too late is for the checks to say. */
  async #until(sql: string): Promise<void> {
    const { signal } = this.cast.context;
    const end = this.world.now() + SUM.seconds * 1000 + 5000;
    while (!signal.aborted && this.world.now() < end) {
      const [row] = await this.world.postgres.query<{ left: number }>(sql);
      if (Number(row!.left) === 0) return;
      await wait(200, signal);
    }
  }
}

async function meterOf(cast: Cast, name: string, rooms: RoomId[]): Promise<Meter> {
  const { recorder, random, signal } = cast.context;
  const { device, mqtt } = await cast.call("POST", "/v1/devices", { name }) as {
    device: { id: string };
    mqtt: MqttAccess;
  };
  recorder.principals.push({ id: device.id, name, kind: "device", stranger: false });
  for (const room of rooms) {
    const { refusal } = await cast.owner.written(room, {
      type: "add",
      principal: device.id,
      role: "member",
    });
    if (refusal !== undefined) throw new Error(`A meter was refused: ${refusal.code}`);
  }
  const meter = new Meter({ name, access: mqtt, rooms, recorder, signal, random: random.fork() });
  cast.clients.push(meter);
  return meter;
}
