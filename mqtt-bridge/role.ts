import { checkDeviceLogin, deviceSecret } from "../lib/auth/devices.ts";
import type { Bus } from "../lib/bus/mod.ts";
import { bridgeStore, deviceActions } from "../lib/chat/bridge.ts";
import { deviceStatuses, endAllStays } from "../lib/chat/device_presence.ts";
import { liveDevice } from "../lib/chat/devices.ts";
import { telemetryLane } from "../lib/chat/telemetry_lane.ts";
import { ConfigError } from "../lib/config.ts";
import { SIZES } from "../lib/protocol.ts";
import type { Services } from "../lib/services.ts";
import { type Bridge, type Provisioning, startBridge } from "./bridge.ts";
import { DEFAULT_PORT, type EmbeddedBroker, startBroker } from "./broker.ts";
import type { ReadLimits } from "./broker_throttle.ts";
import type { WatchRoom } from "./ports.ts";
import type { TelemetryOptions } from "./telemetry.ts";

/** The role `bridge`, and the embedded broker when no other is configured. */
export interface BridgeRole {
  bridge: Bridge;
  /** Where devices reach the embedded broker; `steppedOver`: the default port that was taken. */
  endpoint:
    | { host: string; port: number; tls: boolean; steppedOver: number | undefined }
    | undefined;
  stop(): Promise<void>;
}

type BridgeServices = Pick<Services, "config" | "log" | "metrics" | "bus" | "chat" | "keys">;

/** Starts the role `bridge`. */
export async function startBridgeRole(services: BridgeServices): Promise<BridgeRole> {
  const { config, bus, chat } = services;
  const log = services.log.with({ part: "bridge" });
  const embedded = config.mqtt.broker === undefined ? await openBroker(services) : undefined;
  // Without Redis there is no other process, and so no other broker.
  if (embedded !== undefined && config.redis.driver === "none") await endAllStays(chat);
  const bridge = startBridge({
    broker: config.mqtt.broker ?? embedded!.bridge,
    prefix: config.mqtt.prefix,
    actions: deviceActions(chat),
    store: bridgeStore(chat),
    statuses: deviceStatuses(chat, { shown: config.limits.presenceMembers > 0 }),
    provisioning: provisioningOf(services, embedded),
    rate: { perSecond: config.limits.sendsPerSecond, burst: config.limits.sendBurst },
    beaconSeconds: config.beaconSeconds,
    log,
    telemetry: telemetryOf(services),
    watch: watchOn(bus),
  });
  bus.listen({
    revoked: (revocation) => {
      if ("session" in revocation) return;
      if ("device" in revocation) return bridge.revoked(revocation.device);
      embedded?.kick(revocation.principal);
      bridge.revoked(revocation.principal);
    },
    resumed: () => bridge.refresh(),
    connected: () => {},
  });
  return {
    bridge,
    endpoint: embedded && {
      host: config.host,
      port: embedded.port,
      tls: false,
      steppedOver: config.mqtt.port === undefined && embedded.port !== DEFAULT_PORT
        ? DEFAULT_PORT
        : undefined,
    },
    async stop() {
      await bridge.stop();
      await embedded?.stop();
    },
  };
}

/** Throws ConfigError when nobody could listen there. */
function openBroker({ config, chat, keys, log }: BridgeServices): Promise<EmbeddedBroker> {
  const { host, mqtt: { port }, limits } = config;
  const { socketsPerAddress } = limits;
  return startBroker({
    arrivals: { perAddress: socketsPerAddress, total: 4 * socketsPerAddress },
    reads: readLimits(limits),
    port,
    host,
    prefix: config.mqtt.prefix,
    log: log.with({ part: "broker" }),
    async authenticate(id, password, username) {
      const live = await liveDevice(chat, id);
      if (live === undefined) return false;
      return await checkDeviceLogin(keys.deviceKey, id, live, { username, password });
    },
  }).catch((error) => {
    if (error.code !== "EADDRINUSE") throw error;
    throw new ConfigError(`MQTT_PORT: ${port} on ${host} is taken`);
  });
}

/** So far above the quotas of a device that who exceeds these is told of it first. */
function readLimits(limits: BridgeServices["config"]["limits"]): ReadLimits {
  const perSecond = 2 * (limits.sendsPerSecond + limits.telemetryPerSecond);
  return {
    packets: { perSecond, burst: Math.max(perSecond, limits.sendBurst + limits.telemetryBurst) },
    bytes: {
      perSecond: limits.sendsPerSecond * SIZES.bodyBytes,
      burst: limits.sendBurst * SIZES.bodyBytes,
    },
  };
}

/** Readings are counted for the `/metrics` of this process. */
function telemetryOf({ config: { limits }, chat, metrics }: BridgeServices): TelemetryOptions {
  const stored = metrics.counter("confab_telemetry_readings_total", "Readings that were stored");
  const dropped = metrics.counter(
    "confab_telemetry_dropped_total",
    "Readings that were not stored: quota, metrics (too many), memory, refused (by the database)",
    ["reason"],
  );
  return {
    lane: telemetryLane(chat),
    rate: { perSecond: limits.telemetryPerSecond, burst: limits.telemetryBurst },
    meter: {
      stored: (readings) => stored.add([], readings),
      dropped: (readings, why) => dropped.add([why], readings),
    },
  };
}

function provisioningOf(
  { config, keys }: BridgeServices,
  embedded: EmbeddedBroker | undefined,
): Provisioning {
  if (embedded !== undefined) return { kind: "embedded", kick: embedded.kick };
  if (config.mqtt.provisioning === "none") return { kind: "none" };
  return {
    kind: "dynsec",
    secretOf: ({ id, generation }) => deviceSecret(keys.deviceKey, id, generation),
  };
}

/** Hears of new entries over the bus. */
export function watchOn(bus: Bus): WatchRoom {
  return (room, watcher) =>
    bus.serve(room, {
      entries: (entries) => watcher.entries(entries),
      head: (seq) => watcher.head(seq),
      signal: () => {},
    });
}
