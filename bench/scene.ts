import { deviceSecret } from "../lib/auth/devices.ts";
import { generateKeys, loadKeys } from "../lib/auth/keys.ts";
import { createTokens } from "../lib/auth/tokens.ts";
import { startEmbedded } from "../lib/database/embedded.ts";
import { migrate } from "../lib/database/migrate.ts";
import type { Database } from "../lib/database/mod.ts";
import { openPostgres } from "../lib/database/postgres.ts";
import { newId } from "../lib/ids.ts";
import { putMember } from "../lib/store/changes.ts";
import { BINARIES, removeLeftovers } from "../testing/cluster.ts";
import { pin, type Pins } from "./pins.ts";

/** Somebody with an access token. */
export interface Person {
  id: string;
  token: string;
}

/** A durable database with people in it, and what a server needs to use it. */
export interface Scene extends AsyncDisposable {
  databaseUrl: string;
  db: Database;
  /** Environment of a server on this database, with every limit out of the way. */
  env: Record<string, string>;
  /** The first `count` people, with tokens for at least ten minutes; made when needed. */
  people(count: number): Promise<Person[]>;
  /** A new room with these members. */
  room(members: Person[]): Promise<string>;
  /** New rooms, each with these members. */
  rooms(members: Person[][]): Promise<string[]>;
  /**
   * New devices in these rooms, which the first of people() owns, with their passwords. Those made
   * before lose their access: a bridge would make credentials for all of them.
   */
  devices(rooms: string[]): Promise<{ id: string; password: string }[]>;
  /** Leaves the bridge as if it had delivered everything in a room so far. */
  delivered(room: string): Promise<void>;
  /** Statements that the database has executed so far, up to about a second ago. */
  statements(): Promise<number>;
}

/** What a node uses to refuse those who come when it has much to do. */
const ADMISSION = {
  LIMIT_CONNECTS_PER_SECOND: "1000000",
  LIMIT_JOINS: "1000000",
  LIMIT_LOOP_DELAY_MS: "3600000",
  LIMIT_RSS_BYTES: `${64 * 1024 ** 3}`,
};
/** Changes of the environment with which it does so as by default. */
export const USUAL_ADMISSION: Record<keyof typeof ADMISSION, string> = {
  LIMIT_CONNECTS_PER_SECOND: "",
  LIMIT_JOINS: "",
  LIMIT_LOOP_DELAY_MS: "",
  LIMIT_RSS_BYTES: "",
};

/** The port is the system's choice; every limit is far above what a run needs. */
const SERVER = {
  PORT: "0",
  BEACON_SECONDS: "60",
  LIMIT_SENDS_PER_SECOND: "1000000",
  LIMIT_SEND_BURST: "1000000",
  LIMIT_SOCKETS_PER_ADDRESS: "100000",
  LIMIT_SOCKETS: "100000",
  ...ADMISSION,
  LIMIT_REQUESTS_PER_SECOND: "100000",
};

/** Tokens are made anew after this time, well before they expire: a run takes longer than that. */
const TOKEN_MS = 120_000;

const PREFIX = "bench-";

/** The memory of a small server; durability (fsync, synchronous_commit) is Postgres's own. */
export const POSTGRES = { shared_buffers: "512MB", max_wal_size: "4GB" };

/** Starts an embedded Postgres with `fsync` on, in a folder beside the one of development. */
export async function openScene(pins: Pins, log: (line: string) => void): Promise<Scene> {
  await using stack = new AsyncDisposableStack();
  const data = new URL("../.data", import.meta.url).pathname;
  await Deno.mkdir(data, { recursive: true });
  await removeLeftovers(data, PREFIX);
  const dir = await Deno.makeTempDir({ dir: data, prefix: PREFIX });
  stack.defer(() => Deno.remove(dir, { recursive: true }));
  const postgres = await startEmbedded({ dir, bin: BINARIES, settings: POSTGRES, log });
  stack.defer(() => postgres.stop());
  const pid = (await Deno.readTextFile(`${dir}/data/postmaster.pid`)).split("\n")[0];
  await pin(Number(pid), pins.services);
  const db = stack.use(openPostgres(postgres.url));
  await migrate(db);
  const { jwtPrivateJwk, deviceKey } = await generateKeys();
  const keys = await loadKeys({ jwtPrivateJwk, deviceKey });
  const tokens = createTokens({ keys, issuer: "confab" });
  const known: (Person & { signedAt: number })[] = [];
  const rooms = (members: Person[][]) => insertRooms(db, members);
  const opened = stack.move();
  return {
    databaseUrl: postgres.url,
    db,
    env: {
      ...SERVER,
      DATABASE_URL: postgres.url,
      JWT_PRIVATE_JWK: jwtPrivateJwk,
      DEVICE_KEY: deviceKey,
    },
    async people(count) {
      const made = Array.from({ length: Math.max(0, count - known.length) }, () => newId());
      await db.query(
        `insert into principals (id, kind, role, name)
         select x, 'user', 'user', 'Somebody' from unnest($1::uuid[]) x`,
        [made],
      );
      const rest = { kind: "user", role: "user", name: "Somebody", session: newId() } as const;
      for (const id of made) known.push({ id, token: "", signedAt: -Infinity });
      const people = known.slice(0, count);
      for (const one of people) {
        if (performance.now() - one.signedAt < TOKEN_MS) continue;
        one.token = await tokens.signAccess({ id: one.id, ...rest });
        one.signedAt = performance.now();
      }
      return people.map(({ id, token }) => ({ id, token }));
    },
    room: async (members) => (await rooms([members]))[0]!,
    rooms,
    devices: (of) => insertDevices(db, keys.deviceKey, known[0]!.id, of),
    delivered: (room) => skipEntries(db, room),
    statements: () => countStatements(db),
    [Symbol.asyncDispose]: () => opened.disposeAsync(),
  };
}

async function skipEntries(db: Database, room: string): Promise<void> {
  await db.query(
    `insert into bridge_cursors (room_id, seq) select id, head from rooms where id = $1
     on conflict (room_id) do update set seq = excluded.seq`,
    [room],
  );
}

async function insertRooms(db: Database, members: Person[][]): Promise<string[]> {
  const ids = members.map(() => newId());
  const owners = members.map(([owner]) => owner!.id);
  await db.query(
    `select create_room(r, o, 'Bench', '', 'private', '{}') from unnest($1::uuid[], $2::uuid[]) x (r, o)`,
    [ids, owners],
  );
  const others = members.flatMap(([, ...rest], i) => rest.map(({ id }) => [ids[i]!, id]));
  await insertMembers(db, others);
  return ids;
}

async function insertMembers(db: Database, pairs: string[][]): Promise<void> {
  await db.query(
    `insert into members (room_id, principal_id, role, joined_seq, read_seq)
     select r, p, 'member', 1, 1 from unnest($1::uuid[], $2::uuid[]) x (r, p)`,
    [pairs.map(([room]) => room!), pairs.map(([, principal]) => principal!)],
  );
}

async function insertDevices(db: Database, key: CryptoKey, owner: string, rooms: string[]) {
  const devices = await Promise.all(rooms.map(async () => {
    const id = newId();
    return { id, password: await deviceSecret(key, id, 1) };
  }));
  const ids = devices.map(({ id }) => id);
  await db.query(
    `update principals set disabled_at = now() where kind = 'device' and disabled_at is null`,
  );
  await db.query(
    `with made as (
       insert into principals (id, kind, role, name)
       select x, 'device', 'device', 'Something' from unnest($1::uuid[]) x returning id)
     insert into devices (id, owner_id) select id, $2 from made`,
    [ids, owner],
  );
  // Through the log: a bridge learns from it who is where.
  for (const [i, id] of ids.entries()) await putMember(db, rooms[i]!, owner, id, "member");
  return devices;
}

/** Every statement of the product is a transaction of its own, and Postgres counts those. */
async function countStatements(db: Database): Promise<number> {
  const [row] = await db.query<{ commits: number }>(
    `select (xact_commit + xact_rollback)::int as commits
     from pg_stat_database where datname = current_database()`,
  );
  return row!.commits;
}
