import { type AuthContext, noteRevocation, syncRevocations } from "../lib/auth/mod.ts";
import { Admission } from "../lib/realtime/admission.ts";
import { Beacon } from "../lib/realtime/beacon.ts";
import { Connections } from "../lib/realtime/connections.ts";
import { Hub } from "../lib/realtime/hub.ts";
import { LoadMeter } from "../lib/realtime/load_meter.ts";
import { createNodePresence, type NodePresence } from "../lib/realtime/node_presence.ts";
import type { Metrics } from "../lib/metrics.ts";
import type { Services } from "../lib/services.ts";

/** How much further than the last success a look back at revocations reaches, in seconds. */
const LOOK_BACK_MARGIN = 30;
const FAST_SECONDS = 1;

/** The live part of a node: who is connected, which rooms they follow, who is online. */
export interface Node {
  hub: Hub;
  connections: Connections;
  admission: Admission;
  presence: NodePresence;
  beacon: Beacon;
  /** Asks everybody to come back elsewhere, and ends the beacon. */
  stop(): Promise<void>;
}

/** Starts the live part of a node. */
export function startNode(services: Services): Node {
  const { config, db, bus, log, auth, epoch, metrics } = services;
  const { replayEntries, outboxBytes, joins, rssBytes } = config.limits;
  const hub = new Hub({ db, bus, log, replayEntries, replayBytes: outboxBytes / 2, joins, epoch });
  const connections = new Connections(config.limits, () => load.memoryIsShort);
  const load: LoadMeter = new LoadMeter({ rssBytes, nativeBytes: () => connections.nativeBytes });
  const admission = new Admission(
    config.limits,
    {
      connections: () => connections.size,
      joins: () => hub.joining,
      delayMs: () => load.delayMs,
      memoryIsShort: () => load.memoryIsShort,
    },
    metrics.counter(
      "confab_refused_connects_total",
      "Sockets and streams that were refused for the load of this node",
      ["reason"],
    ),
  );
  const maxMembers = config.limits.presenceMembers;
  const presence = createNodePresence({ chat: services.chat, maxMembers });
  const enforce = revocationCheck(auth, connections);
  const beacon = new Beacon({
    seconds: config.beaconSeconds,
    fastSeconds: FAST_SECONDS,
    busIsUp: services.busIsUp,
    log,
    round: async () => {
      try {
        await hub.beacon();
      } finally {
        await enforce();
      }
    },
  });
  bus.listen({
    revoked: (revocation) => {
      noteRevocation(auth, revocation);
      connections.revoked(revocation);
    },
    resumed: () => void beacon.now(),
    connected: (up) => {
      if (!up) void beacon.now();
    },
  });
  showNode(metrics, { hub, connections, presence, load });
  return {
    hub,
    connections,
    admission,
    presence,
    beacon,
    async stop() {
      load.stop();
      connections.drain();
      await Promise.all([beacon.stop(), presence.stop()]);
    },
  };
}

function showNode(
  metrics: Metrics,
  { hub, connections, presence, load }: Pick<Node, "hub" | "connections" | "presence"> & {
    load: LoadMeter;
  },
): void {
  metrics.gauge("confab_connections", "Open sockets and streams", () => connections.size);
  metrics.gauge("confab_rooms_served", "Rooms joined on this node", () => hub.rooms);
  metrics.gauge("confab_joins", "Joins under way", () => hub.joining);
  metrics.gauge("confab_presence_sessions", "Connections that count as presence", () => {
    return presence.sessions;
  });
  metrics.gauge("confab_event_loop_delay_seconds", "How late the event loop is, over 2 s", () => {
    return load.delayMs / 1000;
  });
  metrics.gauge("confab_resident_bytes", "Memory of this process", () => load.rssBytes);
}

/**
 * Learns from the database what the bus may not have told, and ends what it concerns. Also while
 * nobody is connected: requests without a connection bring tokens, too.
 */
function revocationCheck(auth: AuthContext, connections: Connections): () => Promise<void> {
  let lastMs: number | undefined;
  return async () => {
    const nowMs = performance.now();
    const awaySeconds = lastMs === undefined ? undefined : (nowMs - lastMs) / 1000;
    await (awaySeconds === undefined
      ? syncRevocations(auth)
      : syncRevocations(auth, awaySeconds + LOOK_BACK_MARGIN));
    lastMs = nowMs;
    connections.enforce(({ principal, since }) => auth.revocations.concerns(principal, since));
  };
}
