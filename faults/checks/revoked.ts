import type { AccessEndRecord, ConnectionRecord, FaultRecord } from "../history.ts";
import type { Check, Violation } from "../violation.ts";
import { about } from "./order.ts";

/** Milliseconds after the end of access in which it may still be used, while the bus works. */
const BOUND_MS = 2000;
/** A beacon of 3 s (the world's BEACON_SECONDS) that comes 20 % late, and its work. */
const BEACON_MS = 3600 + 2000;

/** What ended so shortly before may still show: whoever reconnects waits up to some seconds. */
const AFTERMATH_MS = 2000;

/**
 * P7: after logout, revocation or the disabling of an account nothing comes any more and no
 * connection is let in: within two seconds, or one beacon when the bus was disturbed. While the
 * node of the connection is held, or its way to the database or to the client, both count from the
 * end of that.
 */
export const revoked: Check = (history) => {
  const violations: Violation[] = [];
  for (const end of history.accessEnds) {
    for (const connection of history.deliveries) {
      if (!end.clients.includes(connection.client)) continue;
      const latest = latestUse(end, connection, history.faults);
      const late = connection.entries.find(({ at }) => at > latest);
      const opened = connection.openedAt > latest && connection.head !== undefined;
      if (late === undefined && !opened) continue;
      violations.push({
        check: "revoked",
        message: late === undefined
          ? `A connection was let in after the end of access (${end.how})`
          : `Entry ${late.entry.seq} came ${Math.round(late.at - end.at)} ms after ` +
            `the end of access (${end.how})`,
        evidence: { end, latest, connection: about(connection), delivery: late },
      });
    }
  }
  return violations;
};

/** Until when a node may not know of the end of access, or its last words be under way. */
function latestUse(
  { at }: AccessEndRecord,
  connection: ConnectionRecord,
  faults: readonly FaultRecord[],
): number {
  let latest = at + BOUND_MS;
  for (const fault of faults.toSorted((a, b) => a.from - b.from)) {
    const effect = effectOn(connection, fault);
    if (effect === "none" || fault.to + AFTERMATH_MS < at || fault.from > latest) continue;
    latest = Math.max(latest, at + BEACON_MS);
    if (effect === "held") latest = Math.max(latest, fault.to + BEACON_MS);
  }
  return latest;
}

/** What a fault does to the end of a connection's access. */
function effectOn(
  { via, through }: ConnectionRecord,
  { class: name, target }: FaultRecord,
): "none" | "bus" | "held" {
  if (via === "mqtt") return /redis|publish/.test(name) ? "bus" : "held";
  const node = /web\d+/.exec(target)?.[0];
  if (node !== undefined && node !== through) return "none";
  // These end connections, which is what the end of access does, or concern devices and writes.
  if (/^(clients-cut|web-clients-cut|cut-clients-web|room-lock)$/.test(name)) return "none";
  if (/mosquitto|bridge|devices/.test(name)) return "none";
  return /redis|publish/.test(name) ? "bus" : "held";
}
