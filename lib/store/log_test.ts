import { assert, assertEquals } from "@std/assert";
import { newId } from "../ids.ts";
import { testDatabase } from "../../testing/database.ts";
import { readLogAs, readMessagesAs } from "./log.ts";
import { createRoom } from "./rooms.ts";

const ENTRIES = 20_000;

/** Rows of `entries` that were read through its indexes, and past them. */
type ReadSoFar = { rows: number; scanned: number };

const READ_SO_FAR = {
  text: `select sum(pg_stat_get_xact_tuples_returned(i.indexrelid))::bigint as rows,
           pg_stat_get_xact_tuples_returned('entries'::regclass)::bigint as scanned
         from pg_index i where i.indrelid = 'entries'::regclass`,
};

Deno.test("pages of a long room read what they show, also before there are statistics", {
  sanitizeOps: true,
  sanitizeResources: true,
  sanitizeExit: true,
}, async () => {
  await using database = await testDatabase();
  const { db } = database;
  const [person, room] = [newId(), newId()];
  await db.query(
    `insert into principals (id, kind, role, name) values ($1, 'user', 'user', 'A')`,
    [person],
  );
  await createRoom(db, {
    id: room,
    creator: person,
    name: "Long",
    topic: "",
    visibility: "private",
    metadata: "{}",
  });
  await db.query(
    `insert into entries (room_id, seq, type, actor_id, at, ordinal, text, updated_seq)
     select $1::uuid, n, 'message.created', $2::uuid, now(), n - 1, 'text', n
     from generate_series(2, $3::bigint) n`,
    [room, person, ENTRIES],
  );
  await db.query(
    `update rooms set head = $2::bigint, message_count = $2::bigint - 1 where id = $1`,
    [room, ENTRIES],
  );

  const log = await readLogAs(db, room, person, ENTRIES - 100, 1001);
  assertEquals(log?.entries.map(({ seq }) => seq), range(ENTRIES - 99, ENTRIES));
  const newest = await readMessagesAs(db, room, person, {}, 50);
  assertEquals(newest?.messages.map(({ seq }) => seq), range(ENTRIES - 49, ENTRIES));
  const before = await readMessagesAs(db, room, person, { before: 1000 }, 50);
  assertEquals(before?.messages.map(({ seq }) => seq), range(950, 999));
  const after = await readMessagesAs(db, room, person, { after: 1000 }, 50);
  assertEquals(after?.messages.map(({ seq }) => seq), range(1001, 1050));

  for (const call of [`log_page($1, 19001, 20000)`, `message_page($1, 1, 20000, 50, false)`]) {
    // Postgres 15 counts everything since it last reported, so only the difference says something
    const [before, , after] = await db.transaction([
      READ_SO_FAR,
      { text: `select count(*) from ${call}`, values: [room] },
      READ_SO_FAR,
    ]);
    const [was, is] = [before![0] as ReadSoFar, after![0] as ReadSoFar];
    const [rows, scanned] = [is.rows - was.rows, is.scanned - was.scanned];
    assert(rows > 0 && rows <= 4000 && scanned === 0, `${call} read ${rows} and ${scanned} rows`);
  }
});

function range(first: number, last: number): number[] {
  return Array.from({ length: last - first + 1 }, (_, i) => first + i);
}
