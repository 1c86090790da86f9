import { backoffMs, pause } from "../lib/backoff.ts";
import { ConfabError } from "../lib/errors.ts";
import type { BridgeOptions } from "./bridge.ts";
import { Connection } from "./connection.ts";
import type { Delivery } from "./delivery.ts";
import { DevicePresence } from "./device_presence.ts";
import { DataChecks } from "./data_checks.ts";
import { EmbeddedProvisioner } from "./embedded_provisioner.ts";
import { handlersOf } from "./handlers.ts";
import { Inbound } from "./inbound.ts";
import { KnownDevices } from "./known_devices.ts";
import type { HeldLease } from "./lease.ts";
import { Leftovers } from "./leftovers.ts";
import { Outbound } from "./outbound.ts";
import { OpenCommands } from "./open_commands.ts";
import { Penalties } from "./penalties.ts";
import type { Provisioner, Publisher, PublishOptions } from "./ports.ts";
import { DynamicSecurity } from "./provisioning.ts";
import { Roster } from "./roster.ts";
import { States } from "./states.ts";
import { subscriptionsOf } from "./subscriptions.ts";
import { Telemetry } from "./telemetry.ts";
import { Topics } from "./topics.ts";
import { takeBackWill } from "./waiting_will.ts";

/** Why a session is over. */
export type SessionEnd = "stopped" | "deposed" | "taken_over";

/** The work of one term: the connection to the broker with everything that hangs on it. */
export class BridgeSession implements Publisher {
  readonly #topics: Topics;
  readonly #over = new AbortController();
  readonly #devices: KnownDevices;
  readonly #checks: DataChecks;
  readonly #penalties: Penalties;
  readonly #states: States;
  readonly #leftovers: Leftovers;
  readonly #outbound: Outbound;
  readonly #presence: DevicePresence | undefined;
  readonly #commands: OpenCommands;
  readonly #telemetry: Telemetry | undefined;
  readonly #dynsec: DynamicSecurity | undefined;
  readonly #roster: Roster;
  #connection: Connection | undefined;
  #ready = false;
  #end: SessionEnd = "stopped";

  constructor(private readonly o: BridgeOptions, private readonly lease: HeldLease) {
    const { store, log, beaconSeconds } = o;
    const signal = this.#over.signal;
    this.#topics = new Topics(o.prefix);
    this.#devices = new KnownDevices(o.actions, o.rate);
    this.#checks = new DataChecks(o.actions, log);
    const { actions } = o;
    const topics = this.#topics;
    this.#penalties = new Penalties({
      ...{ topics, log, signal, rate: o.rate, publisher: this, ...o.penalties },
      provisioning: o.provisioning.kind,
      onChanged: (device) => this.#roster.changed(device),
    });
    this.#states = new States({ topics, store, actions, publisher: this, log, signal });
    this.#commands = new OpenCommands({ topics, store, publisher: this, log, signal });
    this.#leftovers = new Leftovers({ topics, store, publisher: this, log, signal });
    this.#outbound = new Outbound({
      leftovers: this.#leftovers,
      topics,
      store,
      publisher: this,
      desired: this.#states.desired,
      commands: this.#commands,
      lease,
      log,
      watch: o.watch,
      beaconSeconds,
      signal,
      onDeposed: () => this.#finish("deposed"),
    });
    if (o.statuses !== undefined) {
      const { statuses, presenceTimes } = o;
      this.#presence = new DevicePresence({
        ...{ topics, statuses, lease, log, signal, ...presenceTimes },
        publisher: this,
        onCaughtUp: () => this.#devices.caughtUp(),
      });
    }
    if (o.telemetry !== undefined) {
      this.#telemetry = new Telemetry(o.telemetry, {
        actions,
        devices: this.#devices,
        onStored: (room, seq) => this.#outbound.notice(room, seq),
        onRefused: (device) => void this.#penalties.refused(device),
        isBehind: () => this.#presence?.isBehind() ?? false,
        log,
        signal,
      });
    }
    if (o.provisioning.kind === "dynsec") {
      const { secretOf } = o.provisioning;
      this.#dynsec = new DynamicSecurity({
        publisher: this,
        username: o.broker.username,
        secretOf,
        onReplaced: (login) => takeBackWill(o.broker.url, login),
        isBarred: (device) => this.#penalties.isBarred(device),
        log,
        signal,
      });
    }
    const provisioner = this.#provisioner();
    this.#roster = new Roster({
      store,
      provisioner,
      log,
      beaconSeconds,
      signal,
      onChanged: (device) => {
        this.#devices.forget(device.id);
        this.#checks.forget(device.id);
        this.#telemetry?.forget(device.id);
        if (!device.disabled) return;
        this.#outbound.forget(device.id);
        this.#presence?.ended(device.id);
      },
      onDeleted: (devices) => {
        for (const device of devices) this.#leftovers.found({ kind: "status", device });
      },
      onReturned: async (devices) => this.#outbound.returned(await store.roomsOf(devices)),
    });
    lease.lost.addEventListener("abort", () => this.#finish("deposed"));
  }

  /**
   * Works until `stop`, until the lease is lost, or until another takes the session over. Readings
   * that could not be stored by then are tried on until `stop` or `givenUp`.
   */
  async run(stop: AbortSignal, givenUp: AbortSignal): Promise<SessionEnd> {
    const onStop = () => this.#finish("stopped");
    stop.addEventListener("abort", onStop);
    if (stop.aborted) onStop();
    try {
      const outbound = this.#outbound.run();
      const states = this.#states.run();
      const presence = this.#presence?.run();
      const telemetry = this.#telemetry?.run(AbortSignal.any([stop, givenUp]));
      const work = [
        outbound,
        states,
        this.#commands.run(),
        presence,
        telemetry,
        this.#roster.run(),
        this.#leftovers.run(),
      ];
      await Promise.all([...work, this.#stayConnected()]);
    } finally {
      stop.removeEventListener("abort", onStop);
    }
    return this.#end;
  }

  publish(topic: string, payload: string, options?: PublishOptions): Promise<void> {
    if (this.#connection !== undefined) return this.#connection.publish(topic, payload, options);
    return Promise.reject(new ConfabError("unavailable", "The MQTT broker is not connected"));
  }

  notice(room: string, head: number): void {
    this.#outbound.notice(room, head);
  }

  /** A principal has changed or lost access; those that are not devices are ignored. */
  revoked(id: string): void {
    this.#devices.forget(id);
    this.#checks.forget(id);
    this.#outbound.refreshSoon();
    this.#roster.changed(id);
  }

  refresh(): void {
    this.#outbound.refreshSoon();
  }

  health(): { connected: boolean; rooms: number; behind: number } {
    return { connected: this.#ready, ...this.#outbound.health() };
  }

  #finish(end: SessionEnd): void {
    if (this.#over.signal.aborted) return;
    this.#end = end;
    this.#over.abort();
  }

  #provisioner(): Provisioner {
    const { provisioning } = this.o;
    if (this.#dynsec !== undefined) return this.#dynsec;
    if (provisioning.kind === "embedded") return new EmbeddedProvisioner(provisioning.kick);
    return { differing: () => Promise.resolve([]), apply: () => Promise.resolve() };
  }

  async #stayConnected(): Promise<void> {
    const { signal } = this.#over;
    for (let failures = 0; !signal.aborted;) {
      try {
        // Another bridge may have cut us off because the lease is its own by now.
        if (!await this.lease.verify()) return;
        if (await this.#connect()) failures = 0;
      } catch (error) {
        if (++failures === 3) this.o.log.warn("The MQTT broker cannot be reached", { error });
      }
      await pause(backoffMs(++failures, { baseMs: 100, capMs: 5000 }), signal);
    }
  }

  /** One connection from its beginning to its end; true when it was ready in between. */
  async #connect(): Promise<boolean> {
    const gone = new AbortController();
    const inbound = this.#inbound(gone.signal);
    const connection = new Connection({
      ...this.o.broker,
      clientId: `confab-bridge-${this.o.shard ?? 0}`,
      subscriptions: subscriptionsOf(this.#topics, this.#dynsec !== undefined),
      ...(this.o.window === undefined ? {} : { window: this.o.window }),
      onDropped: (topic) => {
        const device = this.#topics.ownerOf(topic);
        if (device !== undefined) this.#presence?.heard(device);
      },
      onDelivery: (delivery: Delivery) => {
        const isAnswer = DynamicSecurity.answersOn(delivery.topic);
        if (!isAnswer && !this.#topics.isOwnEcho(delivery)) return inbound.accept(delivery);
        if (isAnswer) this.#dynsec?.receive(delivery.payload);
        else {
          this.#presence?.echoed(delivery.topic);
          delivery.acknowledge();
        }
        return Promise.resolve();
      },
    });
    const over = () => void connection.close({ politely: this.#end === "stopped" });
    this.#over.signal.addEventListener("abort", over);
    if (this.#over.signal.aborted) over();
    // From now on, not from `ready` on: what the broker kept comes before its answer to SUBSCRIBE.
    this.#devices.connected();
    this.#connection = connection;
    try {
      await connection.ready;
      this.#ready = true;
      this.o.log.info("The bridge is connected to the MQTT broker", { term: this.lease.term });
      this.#roster.connected();
      this.#outbound.connected();
      this.#presence?.connected();
      this.#commands.connected();
      this.#states.desired.showAll();
      this.#telemetry?.listens(true);
      if (await connection.ended === "taken_over") this.#finish("taken_over");
      return true;
    } finally {
      this.#connection = undefined;
      this.#ready = false;
      this.#roster.disconnected();
      this.#telemetry?.listens(false);
      this.#presence?.disconnected();
      gone.abort();
      this.#over.signal.removeEventListener("abort", over);
      await connection.close();
    }
  }

  #inbound(signal: AbortSignal): Inbound {
    const { actions, log } = this.o;
    return new Inbound({
      topics: this.#topics,
      actions,
      devices: this.#devices,
      checks: this.#checks,
      penalties: this.#penalties,
      publisher: this,
      handlers: handlersOf({
        presence: this.#presence,
        ...this.o,
        telemetry: this.#telemetry,
        publisher: this,
        topics: this.#topics,
        onReported: (room, device, change) => this.#states.reported(room, device, change),
      }),
      log,
      signal,
      onHeard: (device) => this.#presence?.heard(device),
      onLeft: (topic) => this.#leftovers.found(topic),
      onBirth: (device) => {
        this.#outbound.born(device);
        this.#commands.born(device);
        this.#states.desired.born(device);
      },
      onStored: (room, seq) => this.#outbound.notice(room, seq),
    });
  }
}
