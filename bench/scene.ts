import { generateKeys, loadKeys } from "../lib/auth/keys.ts";
import { createTokens } from "../lib/auth/tokens.ts";
import { startEmbedded } from "../lib/database/embedded.ts";
import { migrate } from "../lib/database/migrate.ts";
import type { Database } from "../lib/database/mod.ts";
import { openPostgres } from "../lib/database/postgres.ts";
import { newId } from "../lib/ids.ts";
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
  /** The first `count` people; made when needed. */
  people(count: number): Promise<Person[]>;
  /** A new room with these members. */
  room(members: Person[]): Promise<string>;
}

/** The port is the system's choice; every limit is far above what a run needs. */
const SERVER = {
  PORT: "0",
  BEACON_SECONDS: "60",
  LIMIT_SENDS_PER_SECOND: "1000000",
  LIMIT_SEND_BURST: "1000000",
  LIMIT_SOCKETS_PER_ADDRESS: "100000",
  LIMIT_SOCKETS: "100000",
};

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
  await pin(Number(pid), pins.postgres);
  const db = stack.use(openPostgres(postgres.url));
  await migrate(db);
  const { jwtPrivateJwk, deviceKey } = await generateKeys();
  const tokens = createTokens({
    keys: await loadKeys({ jwtPrivateJwk, deviceKey }),
    issuer: "confab",
  });
  const known: Person[] = [];
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
      for (const id of made) known.push({ id, token: await tokens.signAccess({ id, ...rest }) });
      return known.slice(0, count);
    },
    async room(members) {
      const [owner, ...others] = members.map(({ id }) => id);
      const room = newId();
      await db.query(`select create_room($1, $2, 'Bench', '', 'private', '{}')`, [room, owner!]);
      await db.query(
        `insert into members (room_id, principal_id, role, joined_seq, read_seq)
         select $1, x, 'member', 1, 1 from unnest($2::uuid[]) x`,
        [room, others],
      );
      return room;
    },
    [Symbol.asyncDispose]: () => opened.disposeAsync(),
  };
}
