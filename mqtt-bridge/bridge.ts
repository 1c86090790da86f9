import { backoffMs, pause } from "../lib/backoff.ts";
import { newId } from "../lib/ids.ts";
import type { Rate } from "../lib/limits/mod.ts";
import type { Log } from "../lib/log.ts";
import { BridgeSession } from "./bridge_session.ts";
import { acquireLease } from "./lease.ts";
import type { BridgeActions, BridgeStore, DeviceStatuses, WatchRoom } from "./ports.ts";
import type { TelemetryOptions } from "./telemetry.ts";

/** How credentials reach the broker. */
export type Provisioning =
  | { kind: "dynsec"; secretOf(device: { id: string; generation: number }): Promise<string> }
  /**
   * The embedded broker asks for each sign-in itself; `kick` ends what a device is connected with,
   * except under the usernames that are `good`.
   */
  | { kind: "embedded"; kick(device: string, good?: readonly string[]): void }
  | { kind: "none" };

/** What a bridge works with. */
export interface BridgeOptions {
  broker: { url: string; username?: string | undefined; password?: string | undefined };
  /** Of all topics, such as `confab/`. */
  prefix: string;
  actions: BridgeActions;
  store: BridgeStore;
  provisioning: Provisioning;
  /** Publishes per device. */
  rate: Rate;
  /** Default: see penalties.ts. */
  penalties?: { firstMs?: number };
  beaconSeconds: number;
  log: Log;
  /** Where it is kept whether devices are there; without it nobody is told. */
  statuses?: DeviceStatuses;
  /** Default: see device_presence.ts. */
  presenceTimes?: { heardMs?: number; dampMs?: number; now?: () => number };
  /** Where readings go; without it they are refused. */
  telemetry?: TelemetryOptions;
  /** Tells of new entries in a room; without it the beacon finds them. */
  watch?: WatchRoom;
  /** Default 0: names the lease and the client id. */
  shard?: number;
  /** Default 4,000 and 1,000. */
  lease?: { ttlMs: number; renewMs: number };
  /** QoS 1 messages that the broker sends ahead of our PUBACKs. Default 2,048. */
  window?: number;
  /** Pause after another client took the session over. Default 10,000. */
  takenOverPauseMs?: number;
}

/** What a bridge says of itself. */
export interface BridgeHealth {
  /** It holds the lease; otherwise another bridge does, or nobody yet. */
  active: boolean;
  connected: boolean;
  rooms: number;
  /** Entries known to wait for delivery. */
  behind: number;
}

/** A running bridge. */
export interface Bridge {
  /** Finishes within about a second: what is not acknowledged goes to the next bridge. */
  stop(): Promise<void>;
  health(): BridgeHealth;
  /** A room has entries up to `head`; also for rooms that are new to the bridge. */
  notice(room: string, head: number): void;
  /** A principal was made, changed or disabled. */
  revoked(principal: string): void;
  /** Notices may have been missed. */
  refresh(): void;
}

/**
 * Joins the devices of an MQTT broker to the rooms. Several bridges may be started: the one that
 * holds the lease works, the others wait for it.
 */
export function startBridge(options: BridgeOptions): Bridge {
  const stop = new AbortController();
  let session: BridgeSession | undefined;
  const holder = newId();

  async function work(): Promise<void> {
    const name = `bridge:${options.shard ?? 0}`;
    const { store, log, lease: times = {} } = options;
    // Of one term at a time: it has the whole next one to store what it could not.
    let last = new AbortController();
    for (let failures = 0; !stop.signal.aborted;) {
      const lease = await acquireLease({ store, name, holder, log, ...times }, stop.signal);
      if (lease === undefined) return;
      log.info("This bridge is active", { term: lease.term });
      try {
        session = new BridgeSession(options, lease);
        const givenUp = new AbortController();
        const end = await session.run(stop.signal, givenUp.signal).finally(() => {
          last.abort();
          last = givenUp;
        });
        failures = 0;
        if (end === "taken_over") {
          log.error("Another client uses the bridge's client id at the broker");
          await lease.release();
          await pause(options.takenOverPauseMs ?? 10_000, stop.signal);
        }
      } catch (error) {
        log.error("The bridge failed and starts again", { error });
        await pause(backoffMs(++failures, { baseMs: 200, capMs: 10_000 }), stop.signal);
      } finally {
        session = undefined;
        await lease.release();
      }
    }
  }

  const working = work();
  return {
    async stop() {
      stop.abort();
      await working;
    },
    health: () =>
      session === undefined
        ? { active: false, connected: false, rooms: 0, behind: 0 }
        : { active: true, ...session.health() },
    notice: (room, head) => session?.notice(room, head),
    revoked: (principal) => session?.revoked(principal),
    refresh: () => session?.refresh(),
  };
}
