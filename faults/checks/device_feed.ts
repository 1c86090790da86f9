import type { ConnectionRecord, FaultRecord } from "../history.ts";
import type { Check, Violation } from "../violation.ts";

/**
 * P5: the bridge brings each entry to the broker at least once, so that a device with a lasting
 * session is given all of them, one after the other, without asking. Only a broker that was killed
 * may have lost what it held; then the device's own requests close the gap (see `complete`).
 */
export const deviceFeed: Check = ({ deliveries, faults, accessEnds }, rooms) => {
  if (faults.some(mayLose)) return [];
  const ended = new Set(accessEnds.flatMap(({ clients }) => clients));
  const violations: Violation[] = [];
  for (const [key, { reader, room, seqs }] of feeds(deliveries, ended)) {
    const memberships = rooms.get(room)?.memberships.get(reader) ?? [];
    const missing = memberships.flatMap((one) => gaps(seqs, one));
    if (missing.length === 0) continue;
    violations.push({
      check: "device feed",
      message: `${key} was not brought the entries ${missing.slice(0, 5).join(", ")}`,
      evidence: { reader, room, missing: missing.slice(0, 50) },
    });
  }
  return violations;
};

/** What is missing between the first and the last that was brought of one membership. */
function gaps(seqs: ReadonlySet<number>, { from, to }: { from: number; to: number }): string[] {
  const inOrder = [...seqs].filter((seq) => seq >= from && seq <= to).sort((a, b) => a - b);
  return inOrder.flatMap((seq, i) => {
    const next = inOrder[i + 1];
    return next === undefined || next === seq + 1 ? [] : [`${seq + 1} to ${next - 1}`];
  });
}

function mayLose({ class: name, target }: FaultRecord): boolean {
  return /mosquitto|broker/i.test(`${name} ${target}`) && /kill|crash|restart/i.test(name);
}

function feeds(deliveries: readonly ConnectionRecord[], ended: ReadonlySet<string>) {
  const feeds = new Map<string, { reader: string; room: string; seqs: Set<number> }>();
  for (const { via, client, reader, room, entries } of deliveries) {
    if (via !== "mqtt" || ended.has(client)) continue;
    const key = `${client} in ${room}`;
    let feed = feeds.get(key);
    if (feed === undefined) feeds.set(key, feed = { reader, room, seqs: new Set() });
    for (const { entry, live } of entries) if (live) feed.seqs.add(entry.seq);
  }
  return feeds;
}
