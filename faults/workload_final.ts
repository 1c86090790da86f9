import type { DeviceState, LogEntry, Member, Message } from "../lib/protocol.ts";
import type { PrincipalId, RoomId } from "../lib/protocol.ts";
import { reached } from "./clients/waiting.ts";
import type { ConvergenceRecord, FinalRoom } from "./history.ts";
import type { FinalCommand } from "./history_devices.ts";
import type { Recorder } from "./recorder.ts";
import type { World } from "./world.ts";
import type { Cast } from "./workload_cast.ts";

const CONVERGE_MS = 30_000;
const PAGE = 200;

/** Past all nodes and proxies. */
export type Store = Pick<World["postgres"], "query">;

/** Waits until every reader has everything, and says when each of them had. */
export async function convergence(
  cast: Cast,
  store: Store,
  gone: ReadonlySet<PrincipalId>,
  healedAt: number,
): Promise<ConvergenceRecord> {
  const { recorder, signal } = cast.context;
  const lastEntryAt = await newestEntryAt(recorder, store);
  const waiting: { client: string; room: RoomId; at?: number; has: () => boolean }[] = [];
  for (const { id, members } of cast.rooms) {
    const head = await headOf(store, id);
    for (const client of cast.clients) {
      if (!members.includes(client.principal) || gone.has(client.principal)) continue;
      if (client.position(id) === undefined) continue;
      waiting.push({ client: client.name, room: id, has: () => client.position(id)! >= head });
    }
  }
  await reached(
    () => {
      for (const one of waiting) if (one.at === undefined && one.has()) one.at = recorder.now();
      return waiting.every(({ at }) => at !== undefined);
    },
    CONVERGE_MS,
    signal,
  );
  const acks = recorder.writes.flatMap(({ acks }) => acks.map(({ at }) => at));
  return {
    healedAt,
    lastAckAt: acks.reduce((a, b) => Math.max(a, b), lastEntryAt),
    reached: waiting.map(({ client, room, at }) =>
      at === undefined ? { client, room } : { client, room, at }
    ),
  };
}

/** Nobody is told of some entries, such as the end of a command. By the clock of the run. */
async function newestEntryAt({ now }: Pick<Recorder, "now">, store: Store): Promise<number> {
  const [row] = await store.query<{ ms: number }>(
    "select (extract(epoch from max(at)) * 1000)::float8 as ms from entries",
  );
  return now() - (Date.now() - row!.ms);
}

async function headOf(store: Store, room: RoomId): Promise<number> {
  const rows = await store.query<{ head: number | string }>(
    "select head from rooms where id = $1",
    [room],
  );
  return Number(rows[0]!.head);
}

/** Reads the room through the nodes, and what is stored past them. */
export async function finalRoom(
  cast: Pick<Cast, "call">,
  store: Store,
  room: RoomId,
): Promise<FinalRoom> {
  const path = `/v1/rooms/${room}`;
  const log: LogEntry[] = [];
  let epoch = "";
  let head = 0;
  for (let more = true; more;) {
    const page = await cast.call("GET", `${path}/log?after=${log.at(-1)?.seq ?? 0}&limit=${PAGE}`);
    log.push(...page.entries as LogEntry[]);
    ({ epoch, head, hasMore: more } = page);
  }
  const messages: Message[] = [];
  for (let more = true; more;) {
    const after = messages.at(-1)?.seq ?? 0;
    const page = await cast.call("GET", `${path}/messages?after=${after}&limit=${PAGE}`);
    messages.push(...page.messages as Message[]);
    more = page.hasMore;
  }
  const members = (await listed<Member>(cast, `${path}/members?limit=${PAGE}`))
    .map(({ principal, role }) => ({ id: principal.id, role }));
  const commands = await listed<FinalCommand>(cast, `${path}/commands?limit=${PAGE}`);
  const states = await listed<DeviceState>(cast, `${path}/devices?limit=50`);
  const rows = await store.query<{ sender: string; client_id: string; seq: number | string }>(
    `select actor_id as sender, client_id, seq from entries
     where room_id = $1 and client_id is not null order by seq`,
    [room],
  );
  const stored = rows.map(({ sender, client_id, seq }) => ({
    sender,
    clientId: client_id,
    seq: Number(seq),
  }));
  return { room, epoch, head, log, messages, members, commands, states, stored };
}

/** All items of a list, by its pages. */
export async function listed<Item>(cast: Pick<Cast, "call">, path: string): Promise<Item[]> {
  const items: Item[] = [];
  for (let next: string | null = ""; next !== null;) {
    const query: string = next === "" ? "" : `&next=${encodeURIComponent(next)}`;
    const page = await cast.call("GET", `${path}${query}`);
    items.push(...page.items as Item[]);
    next = page.next;
  }
  return items;
}
