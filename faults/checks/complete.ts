import type { ConnectionRecord, History } from "../history.ts";
import type { Check, Violation } from "../violation.ts";
import type { RoomIndex } from "./room_index.ts";

/**
 * P5, P6: each reading client ends with the whole log from its first cursor to the head, over all
 * its connections; a reload stands for everything up to its head. Not asked of those who are no
 * members at the end, and of clients whose access has ended.
 */
export const complete: Check = (history, rooms) => {
  const violations: Violation[] = [];
  const exempt = exemptClients(history);
  for (const [key, connections] of byClient(history.deliveries)) {
    const { client, reader, room: id } = connections[0]!;
    const room = rooms.get(id);
    if (room === undefined || exempt.has(client) || exempt.has(reader)) continue;
    if (!room.final.members.some((member) => member.id === reader)) continue;
    const missing = missingSeqs(connections, room);
    if (missing.length === 0) continue;
    violations.push({
      check: "complete",
      message: `${key} never got ${missing.length} entries of ${room.final.head}`,
      evidence: { client, reader, room: id, missing: missing.slice(0, 50) },
    });
  }
  return violations;
};

function exemptClients(history: History): Set<string> {
  const strangers = history.principals.filter(({ stranger }) => stranger).map(({ id }) => id);
  return new Set([...strangers, ...history.accessEnds.flatMap(({ clients }) => clients)]);
}

function byClient(deliveries: readonly ConnectionRecord[]): Map<string, ConnectionRecord[]> {
  const clients = new Map<string, ConnectionRecord[]>();
  for (const connection of deliveries) {
    const key = `${connection.client} in ${connection.room}`;
    const own = clients.get(key);
    if (own === undefined) clients.set(key, [connection]);
    else own.push(connection);
  }
  return clients;
}

function missingSeqs(connections: readonly ConnectionRecord[], { final }: RoomIndex): number[] {
  const first = firstCursor(connections);
  if (first === undefined) return []; // It never got an answer: convergence says so.
  const had = new Uint8Array(final.head + 1);
  for (const { entries, reloaded } of connections) {
    if (reloaded !== undefined) had.fill(1, 0, reloaded.head + 1);
    for (const { entry } of entries) if (entry.seq <= final.head) had[entry.seq] = 1;
  }
  const missing: number[] = [];
  for (let seq = first + 1; seq <= final.head; seq++) if (had[seq] === 0) missing.push(seq);
  return missing;
}

function firstCursor(connections: readonly ConnectionRecord[]): number | undefined {
  const inOrder = connections.toSorted((a, b) => a.openedAt - b.openedAt);
  for (const { after, head, entries } of inOrder) {
    const first = entries[0]?.entry.seq;
    const cursor = after ?? head ?? (first === undefined ? undefined : first - 1);
    if (cursor !== undefined) return cursor;
  }
}
