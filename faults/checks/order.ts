import type { ConnectionRecord, DeliveryRecord } from "../history.ts";
import type { Check, Violation } from "../violation.ts";

/**
 * P2, P5: over one connection entries come in order, once, without a gap, beginning right after
 * the cursor, or after the join's head when there was none or it was not recovered. Over MQTT they
 * come at least once: see `deviceOrder`.
 */
export const order: Check = (history) => {
  const violations: Violation[] = [];
  for (const connection of history.deliveries) {
    const problem = connection.via === "mqtt" ? deviceOrder(connection) : strictOrder(connection);
    if (problem === undefined) continue;
    violations.push({
      check: "order",
      message: problem.message,
      evidence: { ...about(connection), around: problem.around },
    });
  }
  return violations;
};

interface Problem {
  message: string;
  /** The seqs around the wrong place. */
  around: number[];
}

/** A connection without its entries. */
export function about(connection: ConnectionRecord): Omit<ConnectionRecord, "entries"> {
  const { entries: _, ...rest } = connection;
  return rest;
}

function around(entries: readonly DeliveryRecord[], i: number): number[] {
  return entries.slice(Math.max(0, i - 5), i + 5).map(({ entry }) => entry.seq);
}

function strictOrder(connection: ConnectionRecord): Problem | undefined {
  const { after, head, recovered } = connection;
  const entries = connection.entries.filter(({ live }) => live || connection.via === "rest");
  const start = after !== undefined && recovered !== false ? after : head;
  let last = start ?? (entries[0]?.entry.seq ?? 1) - 1;
  for (let i = 0; i < entries.length; i++) {
    const { seq } = entries[i]!.entry;
    if (seq === last + 1) last = seq;
    else {
      const what = seq <= last ? "came again or too late" : "came although one is missing before";
      return { message: `Entry ${seq} ${what}, after ${last}`, around: around(entries, i) };
    }
  }
}

/**
 * A broker may lose what it holds (the device sees the gap and asks for the history) and the bridge
 * repeats after a crash. So seqs may jump ahead; and they may go back, but then they must go on
 * from there one by one until they have passed what had come before, or go back again.
 */
function deviceOrder(connection: ConnectionRecord): Problem | undefined {
  const entries = connection.entries.filter(({ live }) => live);
  let highest = 0;
  let last = 0;
  for (let i = 0; i < entries.length; i++) {
    const { seq } = entries[i]!.entry;
    if (last < highest && seq > last + 1) {
      const message = `Entries to a device are out of order: ${seq} came right after ${last}`;
      return { message, around: around(entries, i) };
    }
    highest = Math.max(highest, seq);
    last = seq;
  }
}
