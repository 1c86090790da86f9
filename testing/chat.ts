import type { Principal } from "../lib/auth/principal.ts";
import type { Bus } from "../lib/bus/mod.ts";
import { createMemoryBus } from "../lib/bus/memory.ts";
import { Appender, type AppenderOptions } from "../lib/chat/appender.ts";
import type { ChatContext } from "../lib/chat/context.ts";
import type { Database } from "../lib/database/mod.ts";
import { newId } from "../lib/ids.ts";
import { Lanes } from "../lib/lanes.ts";
import { Quota } from "../lib/limits/quota.ts";
import { createLog, type Log } from "../lib/log.ts";
import { createMemoryPresence } from "../lib/presence/memory.ts";
import { presenceTimes } from "../lib/presence/mod.ts";
import { type LeaseKey, takeLease } from "../lib/store/bridge_lease.ts";
import { readHeads } from "../lib/store/log.ts";
import { testDatabase } from "./database.ts";

/** A log that keeps its lines. */
export function recordedLog(): { log: Log; lines: string[] } {
  const lines: string[] = [];
  return { log: createLog("warn", (line) => lines.push(line)), lines };
}

/** What one node works with. */
export interface ChatNode extends ChatContext {
  epoch: { value: string };
}

/** Makes a node on `db`; several nodes may share one bus. Nothing is limited. */
export async function chatNode(
  db: Database,
  bus: Bus = createMemoryBus(),
  options: Partial<AppenderOptions> = {},
): Promise<ChatNode> {
  const epoch = { value: (await readHeads(db, [])).epoch };
  return {
    db,
    bus,
    presence: createMemoryPresence(presenceTimes(30)),
    epoch,
    appender: new Appender(db, bus, { epoch: () => epoch.value, ...options }),
    sends: new Quota({ perSecond: 1e9, burst: 1e9 }),
    wishes: new Lanes(),
    log: recordedLog().log,
  };
}

/** A database of one's own with one node on it. */
export interface ChatScene extends AsyncDisposable {
  url: string;
  db: Database;
  chat: ChatNode;
}

/** Makes a scene; use it with `await using`. */
export async function chatScene(): Promise<ChatScene> {
  const database = await testDatabase();
  return {
    url: database.url,
    db: database.db,
    chat: await chatNode(database.db),
    [Symbol.asyncDispose]: () => database[Symbol.asyncDispose](),
  };
}

/** Stores a new principal. */
export async function newPrincipal(
  db: Database,
  kind: Principal["kind"] = "user",
  name: string = kind,
): Promise<Principal> {
  const id = newId();
  await db.query(
    "insert into principals (id, kind, role, name) values ($1, $2, $2, $3)",
    [id, kind, name],
  );
  return { id, kind, role: kind, name };
}

/** Stores a new device of `owner`. */
export async function newDevice(db: Database, owner: Principal): Promise<Principal> {
  const device = await newPrincipal(db, "device");
  await db.query("insert into devices (id, owner_id) values ($1, $2)", [device.id, owner.id]);
  return device;
}

/** Takes a lease for a minute; no bridge works under its name. */
export async function newLease(db: Database): Promise<LeaseKey> {
  const [name, holder] = ["of a test", newId()];
  return { name, holder, term: (await takeLease(db, name, holder, 60_000))! };
}
