import { type AuthContext, noteRevocation, syncRevocations } from "../lib/auth/mod.ts";
import { Beacon } from "../lib/realtime/beacon.ts";
import { Connections } from "../lib/realtime/connections.ts";
import { Hub } from "../lib/realtime/hub.ts";
import type { Services } from "../lib/services.ts";

/** How much further than the last success a look back at revocations reaches, in seconds. */
const LOOK_BACK_MARGIN = 30;
const FAST_SECONDS = 1;

/** The live part of a node: who is connected, which rooms they follow, what may be missing. */
export interface Node {
  hub: Hub;
  connections: Connections;
  beacon: Beacon;
  /** Asks everybody to come back elsewhere, and ends the beacon. */
  stop(): Promise<void>;
}

/** Starts the live part of a node. */
export function startNode(services: Services): Node {
  const { config, db, bus, log, auth, epoch, metrics } = services;
  const { replayEntries, outboxBytes } = config.limits;
  const hub = new Hub({ db, bus, log, replayEntries, replayBytes: outboxBytes / 2, epoch });
  const connections = new Connections(config.limits);
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
  metrics.gauge("confab_connections", "Open sockets and streams", () => connections.size);
  metrics.gauge("confab_rooms_served", "Rooms joined on this node", () => hub.rooms);
  return {
    hub,
    connections,
    beacon,
    async stop() {
      connections.drain();
      await beacon.stop();
    },
  };
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
