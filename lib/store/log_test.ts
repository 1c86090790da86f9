import { assert, assertEquals } from "@std/assert";
import { newPrincipal } from "../../testing/chat.ts";
import { testDatabase } from "../../testing/database.ts";
import { range } from "../../testing/subscriber.ts";
import type { Database } from "../database/mod.ts";
import { newId } from "../ids.ts";
import { readEntriesAfter } from "./bridge.ts";
import { readJoinViews } from "./join_views.ts";
import { READ_BYTES, readEntries, readLogAs, readMessagesAs } from "./log.ts";
import { createRoom } from "./rooms.ts";

const strict = { sanitizeOps: true, sanitizeResources: true, sanitizeExit: true };

const ENTRIES = 20_000;

/** Rows of `entries` that were read through its indexes, and past them. */
type ReadSoFar = { rows: number; scanned: number };

const READ_SO_FAR = {
  text: `select sum(pg_stat_get_xact_tuples_returned(i.indexrelid))::bigint as rows,
           pg_stat_get_xact_tuples_returned('entries'::regclass)::bigint as scanned
         from pg_index i where i.indrelid = 'entries'::regclass`,
};

Deno.test(
  "pages of a long room read what they show, also before there are statistics",
  strict,
  async () => {
    await using database = await testDatabase();
    const { db } = database;
    const { id: person } = await newPrincipal(db);
    const room = await roomOf(db, { id: person }, ENTRIES);

    const log = await readLogAs(db, room, person, ENTRIES - 100, 1001);
    assertEquals(log?.entries.map(({ seq }) => seq), range(ENTRIES - 99, ENTRIES));
    const newest = await readMessagesAs(db, room, person, {}, 50);
    assertEquals(newest?.messages.map(({ seq }) => seq), range(ENTRIES - 49, ENTRIES));
    const before = await readMessagesAs(db, room, person, { before: 1000 }, 50);
    assertEquals(before?.messages.map(({ seq }) => seq), range(950, 999));
    const after = await readMessagesAs(db, room, person, { after: 1000 }, 50);
    assertEquals(after?.messages.map(({ seq }) => seq), range(1001, 1050));

    for (
      const call of [
        `log_page($1, 19001, 20000, 1048576, false)`,
        `log_page($1, 19001, 20000, 1048576, true)`,
        `message_page($1, 1, 20000, 50, 1048576, false)`,
        `message_page($1, 1, 20000, 50, 1048576, true)`,
      ]
    ) {
      const { rows, scanned } = await readBy(db, `select count(*) from ${call}`, [room]);
      assert(rows > 0 && rows <= 4000 && scanned === 0, `${call} read ${rows} and ${scanned} rows`);
    }
  },
);

Deno.test("a member who is silent does not pay for those who are not", strict, async () => {
  await using database = await testDatabase();
  const { db } = database;
  const [person, silent] = [await newPrincipal(db), await newPrincipal(db)];
  const room = await roomOf(db, person, ENTRIES);
  await db.query(
    `insert into members (room_id, principal_id, role, joined_seq, read_seq)
     values ($1, $2, 'member', 1, 1)`,
    [room, silent.id],
  );
  // With statistics: most entries are from one sender.
  await db.query("analyze entries");
  const { rows, scanned } = await readBy(
    db,
    `select progress.* from rooms r join members m on m.room_id = r.id
     cross join lateral room_progress(r, m) progress where r.id = $1 and m.principal_id = $2`,
    [room, silent.id],
  );
  assert(rows <= 4 && scanned === 0, `read ${rows} and ${scanned} rows`);
  assertEquals((await readLogAs(db, room, silent.id, 0, 0))?.view.unread, ENTRIES - 1);
  assertEquals((await readLogAs(db, room, person.id, 0, 0))?.view.unread, 0);
});

Deno.test("no read brings more bytes than it may, and one can go on from it", strict, async () => {
  await using database = await testDatabase();
  const { db } = database;
  const person = await newPrincipal(db);
  const room = await roomOf(db, person, 201, "x".repeat(52_000));
  const fits = Math.floor(READ_BYTES / 52_000);

  const log = await readLogAs(db, room, person.id, 1, 1000);
  assertEquals(log?.entries.map(({ seq }) => seq), range(2, 1 + fits));
  const entries = await readEntries(db, room, 2, 201);
  assertEquals(entries.map(({ seq }) => seq), range(2, 1 + fits));
  const forDevices = await readEntriesAfter(db, room, 1, 500);
  assertEquals(forDevices.map(({ seq }) => seq), range(2, 1 + fits));

  const newest = await readMessagesAs(db, room, person.id, {}, 200);
  assertEquals(newest?.messages.map(({ seq }) => seq), range(202 - fits, 201));
  assertEquals(newest?.hasMore, true);
  const before = await readMessagesAs(db, room, person.id, { before: 5 }, 200);
  assertEquals([before?.messages.length, before?.hasMore], [3, false]);
  const after = await readMessagesAs(db, room, person.id, { after: 150 }, 200);
  assertEquals(after?.messages.map(({ seq }) => seq), range(151, 150 + fits));
  assertEquals(after?.hasMore, true);
  const last = await readMessagesAs(db, room, person.id, { after: 198 }, 3);
  assertEquals([last?.messages.length, last?.hasMore], [3, false]);
});

Deno.test("one entry comes also when it has more bytes than a read may bring", strict, async () => {
  await using database = await testDatabase();
  const { db } = database;
  const person = await newPrincipal(db);
  // Stored, a number is a few bytes; sent, it has three hundred digits.
  const room = await roomOf(db, person, 3, "", `[${Array(5000).fill("1e300").join(",")}]`);
  const log = await readLogAs(db, room, person.id, 1, 10);
  assertEquals([log?.entries.map(({ seq }) => seq), log?.view.head], [[2], 3]);
  const newest = await readMessagesAs(db, room, person.id, {}, 10);
  assertEquals([newest?.messages.map(({ seq }) => seq), newest?.hasMore], [[3], true]);
  const { views, entries } = await readJoinViews(
    db,
    room,
    [{ principal: person.id, after: 2 }],
    { maxEntries: 10, maxBytes: READ_BYTES },
  );
  assertEquals([views[0]?.first, entries], [3, []]);
});

Deno.test(
  "readJoinViews() shows each what they may see, and the entries once",
  strict,
  async () => {
    await using database = await testDatabase();
    const { db } = database;
    const [owner, member, stranger, device] = await Promise.all([
      newPrincipal(db),
      newPrincipal(db),
      newPrincipal(db),
      newPrincipal(db, "device"),
    ]);
    const room = await roomOf(db, owner, 50, "text");
    await db.query("update rooms set floor = 3 where id = $1", [room]);
    await db.query(
      `insert into members (room_id, principal_id, role, joined_seq, read_seq, visible_from)
     values ($1, $2, 'reader', 1, 1, 48)`,
      [room, member.id],
    );
    const ask = (joiners: [{ id: string }, number | undefined][], maxBytes = READ_BYTES) =>
      readJoinViews(
        db,
        room,
        joiners.map(([{ id }, after]) => ({ principal: id, after })),
        { maxEntries: 10, maxBytes },
      );
    const cursors = [undefined, 2, 39, 40, 45, 50, 51];
    const all = await ask([
      ...cursors.map((after): [{ id: string }, number | undefined] => [owner, after]),
      [member, 5],
      [stranger, 45],
      [device, 45],
      [{ id: newId() }, 45],
    ]);
    assertEquals(
      all.views.map((view) => view && [view.role, view.first, view.head, view.unread]),
      [
        ["owner", undefined, 50, 0], // no cursor
        ["owner", undefined, 50, 0], // below the floor
        ["owner", undefined, 50, 0], // eleven entries
        ["owner", 41, 50, 0],
        ["owner", 46, 50, 0],
        ["owner", 51, 50, 0], // nothing to replay
        ["owner", undefined, 50, 0], // above the head
        ["reader", 48, 50, 49],
        undefined,
        undefined,
        undefined,
      ],
    );
    assertEquals(all.entries.map(({ seq }) => seq), range(41, 50));
    assertEquals(
      (await ask([[member, 5], [owner, 50]])).entries.map(({ seq }) => seq),
      range(48, 50),
    );
    assertEquals((await ask([[owner, 40]], 8)).entries.map(({ seq }) => seq), [49, 50]);
    assertEquals((await ask([[owner, undefined], [owner, 50]])).entries, []);
    await db.query("update rooms set visibility = 'public' where id = $1", [room]);
    const open = await ask([[stranger, 45], [device, 45]]);
    assertEquals(open.views.map((view) => view?.role), [null, undefined]);
  },
);

/** A private room of `owner` with the messages 2 to `head` from them. */
async function roomOf(
  db: Database,
  owner: { id: string },
  head: number,
  text = "text",
  data: string | null = null,
): Promise<string> {
  const id = newId();
  await createRoom(db, {
    id,
    creator: owner.id,
    name: "Long",
    topic: "",
    visibility: "private",
    metadata: "{}",
  });
  await db.query(
    `insert into entries (room_id, seq, type, actor_id, at, ordinal, text, data, updated_seq)
     select $1::uuid, n, 'message.created', $2::uuid, now(), n - 1, $4, $5::text::jsonb, n
     from generate_series(2, $3::bigint) n`,
    [id, owner.id, head, text, data],
  );
  await db.query(
    `update rooms set head = $2::bigint, message_count = $2::bigint - 1 where id = $1`,
    [id, head],
  );
  return id;
}

/** How many rows of entries a statement reads. */
async function readBy(db: Database, text: string, values: string[]): Promise<ReadSoFar> {
  // Postgres 15 counts everything since it last reported, so only the difference says something
  const [before, , after] = await db.transaction([READ_SO_FAR, { text, values }, READ_SO_FAR]);
  const [was, is] = [before![0] as ReadSoFar, after![0] as ReadSoFar];
  return { rows: is.rows - was.rows, scanned: is.scanned - was.scanned };
}
