import { assert, assertEquals, assertRejects } from "@std/assert";
import { chatNode, type ChatScene, chatScene, newPrincipal } from "../../testing/chat.ts";
import { type Faults, faultyDatabase } from "../../testing/faulty_database.ts";
import { range } from "../../testing/subscriber.ts";
import { until } from "../../testing/until.ts";
import type { Principal } from "../auth/principal.ts";
import { recorder } from "../bus/contract.ts";
import { createMemoryBus } from "../bus/memory.ts";
import { DatabaseError } from "../database/mod.ts";
import { openPostgres } from "../database/postgres.ts";
import { ConfabError } from "../errors.ts";
import type { MessageBody, RoomId, SendOk } from "../protocol.ts";
import { Appender, type AppenderOptions } from "./appender.ts";
import { removeMember, setMember } from "./members.ts";
import { createRoom } from "./rooms.ts";

const strict = { sanitizeOps: true, sanitizeResources: true, sanitizeExit: true };

async function newRoom({ chat }: ChatScene, owner: Principal): Promise<RoomId> {
  return (await createRoom(chat, owner, { name: "Room", visibility: "private" })).id;
}

/** An appender on a database with faults, and what its bus was told of `room`. */
async function faulty(
  scene: ChatScene,
  room: RoomId,
  faults: Faults,
  options: Partial<AppenderOptions> = {},
) {
  const bus = createMemoryBus();
  const seen = recorder();
  await bus.serve(room, seen);
  const db = faultyDatabase(scene.db, faults);
  return { appender: new Appender(db, bus, { epoch: () => "e", ...options }), seen };
}

let count = 0;
function send(
  appender: Appender,
  sender: Principal,
  room: RoomId,
  body: MessageBody = { text: "hello" },
  clientId = `c${++count}`,
): Promise<SendOk> {
  return appender.append({ room, sender, clientId, body });
}

async function code(promise: Promise<unknown>): Promise<string> {
  return (await assertRejects(() => promise, ConfabError)).code;
}

interface Stored extends Record<string, unknown> {
  seq: number;
  client_id: string;
  actor_id: string;
  ordinal: number;
  text: string;
}

function stored({ db }: ChatScene, room: RoomId): Promise<Stored[]> {
  return db.query<Stored>(
    `select seq, client_id, actor_id, ordinal, text from entries
     where room_id = $1 and type = 'message.created' order by seq`,
    [room],
  );
}

Deno.test(
  "Sends of several nodes are gapless, ordered, and stored once (P2, P3)",
  strict,
  async () => {
    await using scene = await chatScene();
    const people = await Promise.all(range(1, 6).map(() => newPrincipal(scene.db)));
    const rooms = await Promise.all(range(1, 5).map(() => newRoom(scene, people[0]!)));
    for (const room of rooms) {
      for (const person of people.slice(1)) {
        await setMember(scene.chat, people[0]!, room, person.id, "member");
      }
    }
    const nodes = await Promise.all(range(1, 3).map(() => chatNode(scene.db)));
    const answers: Promise<void>[] = [];
    const orders: Promise<{ room: RoomId; sender: string; seqs: number[] }>[] = [];
    for (const sender of people) {
      for (const room of rooms) {
        const node = nodes[Math.floor(Math.random() * nodes.length)]!;
        const mine: Promise<SendOk>[] = [];
        for (const n of range(1, 60)) {
          const body = { text: `${n}` };
          const first = send(node.appender, sender, room, body, `n${n}`);
          if (Math.random() >= 0.15) mine.push(first);
          else {
            const elsewhere = nodes[Math.floor(Math.random() * nodes.length)]!;
            const other = Math.random() < 0.3;
            // At once, and after the first answer: in the same batch, in a later one, elsewhere.
            const when = Math.random() < 0.5 ? Promise.resolve() : first;
            answers.push(when.then(async () => {
              const repeat = other ? { text: "another" } : body;
              const again = send(elsewhere.appender, sender, room, repeat, `n${n}`);
              const [a, b] = await Promise.allSettled([first, again]);
              const codes = [a, b].map((result) =>
                result.status === "fulfilled" ? "ok" : (result.reason as ConfabError).code
              );
              if (other) assertEquals(codes.toSorted(), ["client_id_reused", "ok"]);
              else {
                assertEquals(codes, ["ok", "ok"]);
                assertEquals((await again).seq, (await first).seq);
                assertEquals([(await again).duplicate, (await first).duplicate].toSorted(), [
                  false,
                  true,
                ]);
              }
            }));
          }
          if (n % 10 === 0) await new Promise((resolve) => setTimeout(resolve, Math.random() * 3));
        }
        orders.push(
          Promise.allSettled(mine).then((results) => ({
            room,
            sender: sender.id,
            seqs: results.flatMap((result) =>
              result.status === "fulfilled" ? [result.value.seq] : []
            ),
          })),
        );
      }
    }
    await Promise.all(answers);
    for (const { seqs } of await Promise.all(orders)) {
      assertEquals(seqs, seqs.toSorted((a, b) => a - b));
    }
    for (const room of rooms) {
      const rows = await stored(scene, room);
      assertEquals(rows.length, 360);
      assertEquals(rows.map(({ seq }) => seq), range(7, 366));
      assertEquals(rows.map(({ ordinal }) => ordinal), range(1, 360));
      assertEquals(new Set(rows.map((row) => `${row.actor_id} ${row.client_id}`)).size, 360);
    }
  },
);

Deno.test("A repeat answers with the first seq, another body is refused", strict, async () => {
  await using scene = await chatScene();
  const owner = await newPrincipal(scene.db);
  const room = await newRoom(scene, owner);
  const { appender } = scene.chat;
  const [a, b, c] = await Promise.allSettled([
    send(appender, owner, room, { text: "a", data: { x: 1, y: [2] } }, "id"),
    send(appender, owner, room, { data: { y: [2], x: 1 }, text: "a" }, "id"),
    send(appender, owner, room, { text: "b" }, "id"),
  ]);
  assert(a.status === "fulfilled" && b.status === "fulfilled" && c.status === "rejected");
  assertEquals(a.value, { seq: 2, at: a.value.at, duplicate: false });
  assertEquals(b.value, { ...a.value, duplicate: true });
  assertEquals((c.reason as ConfabError).code, "client_id_reused");
  const late = (await chatNode(scene.db)).appender;
  const again = { text: "a", data: { x: 1, y: [2] } };
  assertEquals(await send(late, owner, room, again, "id"), { ...a.value, duplicate: true });
  assertEquals(await code(send(late, owner, room, { text: "b" }, "id")), "client_id_reused");
  // A wrong repeat ahead of a right one in one batch does not spoil the right one.
  const [wrong, right] = await Promise.allSettled([
    send(late, owner, room, { text: "b" }, "id"),
    send(late, owner, room, again, "id"),
  ]);
  assertEquals([wrong.status, right.status], ["rejected", "fulfilled"]);
  const stranger = await newPrincipal(scene.db);
  assertEquals(await code(send(late, stranger, room, again, "id")), "not_found");
});

Deno.test("Data that the database refuses refuses only its own send (P8)", strict, async () => {
  await using scene = await chatScene();
  const owner = await newPrincipal(scene.db);
  const room = await newRoom(scene, owner);
  const { appender, seen } = await faulty(scene, room, {
    before: (_, values) => {
      if (JSON.stringify(values).includes("poison")) {
        throw new DatabaseError("rejected", "refused on purpose", "22P05");
      }
    },
  });
  const results = await Promise.allSettled(
    range(1, 50).map((n) =>
      send(appender, owner, room, { text: n % 20 === 7 ? "poison" : `${n}` })
    ),
  );
  const refused = results.flatMap((result, i) => result.status === "rejected" ? [i + 1] : []);
  assertEquals(refused, [7, 27, 47]);
  const texts = (await stored(scene, room)).map(({ text }) => Number(text));
  assertEquals(texts, range(1, 50).filter((n) => n % 20 !== 7));
  assertEquals(seen.seqs, range(2, 48));
});

Deno.test(
  "An answer lost after the commit is found: stored once, told, answered",
  strict,
  async () => {
    await using scene = await chatScene();
    const owner = await newPrincipal(scene.db);
    const room = await newRoom(scene, owner);
    let lost = 2;
    const { appender, seen } = await faulty(scene, room, {
      after: () => {
        if (lost-- > 0) throw new DatabaseError("unknown", "lost on purpose");
      },
    });
    const oks = await Promise.all(
      range(1, 10).map((n) => send(appender, owner, room, { text: `${n}` })),
    );
    assertEquals(oks.map(({ seq }) => seq), range(2, 11));
    assertEquals((await stored(scene, room)).map(({ text }) => text), range(1, 10).map(String));
    assertEquals(Math.max(...seen.heads, ...seen.seqs), 11);
  },
);

Deno.test("A database that is away for a moment costs only time", strict, async () => {
  await using scene = await chatScene();
  const owner = await newPrincipal(scene.db);
  const room = await newRoom(scene, owner);
  let away = 3;
  const { appender, seen } = await faulty(scene, room, {
    before: () => {
      if (away-- > 0) throw new DatabaseError("unavailable", "away on purpose");
    },
  });
  const oks = await Promise.all(range(1, 10).map(() => send(appender, owner, room)));
  assertEquals(
    oks.map(({ seq, duplicate }) => [seq, duplicate]),
    range(2, 11).map((n) => [n, false]),
  );
  assertEquals(seen.seqs, range(2, 11));
});

Deno.test("A database that stays away is told as unavailable in time (P11)", strict, async () => {
  await using scene = await chatScene();
  const owner = await newPrincipal(scene.db);
  const room = await newRoom(scene, owner);
  let failure: "unavailable" | "unknown" = "unavailable";
  const { appender } = await faulty(scene, room, {
    before: () => {
      throw new DatabaseError(failure, "away on purpose");
    },
  }, { deadlineMs: 300 });
  assertEquals(await code(send(appender, owner, room)), "unavailable");
  failure = "unknown";
  const codes = await Promise.all(range(1, 5).map(() => code(send(appender, owner, room))));
  assertEquals(codes, range(1, 5).map(() => "outcome_unknown"));
  await appender.idle();
  assertEquals(appender.waiting, 0);
});

Deno.test("A database that never answers hangs nobody (P11)", strict, async () => {
  await using scene = await chatScene();
  const owner = await newPrincipal(scene.db);
  const room = await newRoom(scene, owner);
  // A server that accepts and says nothing, through the real driver with its own deadline.
  const silent = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const sockets: Deno.Conn[] = [];
  const accepting = (async () => {
    for await (const socket of silent) sockets.push(socket);
  })();
  const { port } = silent.addr as Deno.NetAddr;
  const db = openPostgres(`postgres://postgres@127.0.0.1:${port}/none`);
  const appender = new Appender(db, createMemoryBus(), { epoch: () => "e" });
  const started = performance.now();
  const early = code(send(appender, owner, room));
  await until("some time later", () => performance.now() - started > 1500);
  const late = code(send(appender, owner, room));
  const lateStart = performance.now();
  assertEquals(await early, "unavailable");
  assert(performance.now() - started < 4500);
  assertEquals(await late, "unavailable");
  assert(performance.now() - lateStart < 4500);
  await db[Symbol.asyncDispose]();
  for (const socket of sockets) socket.close();
  silent.close();
  await accepting;
});

Deno.test("A locked room does not hold up the others of its lane (P8)", strict, async () => {
  await using scene = await chatScene();
  const owner = await newPrincipal(scene.db);
  const [locked, free] = [await newRoom(scene, owner), await newRoom(scene, owner)];
  const { default: pg } = await import("pg");
  const locker = new pg.Client({ connectionString: scene.url });
  await locker.connect();
  const appender = new Appender(scene.db, createMemoryBus(), { epoch: () => "e", lanes: 1 });
  await locker.query("begin");
  await locker.query("select 1 from rooms where id = $1 for update", [locked]);
  const stuck = range(1, 3).map((n) => send(appender, owner, locked, { text: `${n}` }));
  let settled = 0;
  const outcomes = Promise.allSettled(stuck.map((sent) => sent.finally(() => settled++)));
  // The first sends find out; from then on the lane goes on.
  await send(appender, owner, free);
  for (const n of range(1, 20)) {
    if (n === 10) stuck.push(send(appender, owner, locked, { text: "4" }));
    await send(appender, owner, free, { text: `${n}` });
  }
  assertEquals(settled, 0);
  await locker.query("rollback");
  await outcomes;
  const oks = await Promise.all(stuck);
  assertEquals(oks.map(({ seq }) => seq), [2, 3, 4, 5]);
  assertEquals((await stored(scene, locked)).map(({ text }) => text), ["1", "2", "3", "4"]);
  // A single room in its lane: others that come while it waits go on as well.
  await locker.query("begin");
  await locker.query("select 1 from rooms where id = $1 for update", [locked]);
  const again = send(appender, owner, locked);
  let done = false;
  void again.finally(() => done = true).catch(() => {});
  await until("its lane found it locked", async () => {
    await send(appender, owner, free);
    return true;
  });
  for (let i = 0; i < 20; i++) await send(appender, owner, free);
  assertEquals(done, false);
  await locker.query("rollback");
  assertEquals((await again).seq, 6);
  await locker.end();
  await appender.idle();
});

Deno.test("Sends keep their order when a room comes off its lane and back", strict, async () => {
  await using scene = await chatScene();
  const owner = await newPrincipal(scene.db);
  const rooms = [await newRoom(scene, owner), await newRoom(scene, owner)];
  const { appender } = await faulty(scene, rooms[0]!, {
    before: async () => {
      await new Promise((resolve) => setTimeout(resolve, Math.random() * 5));
      if (Math.random() < 0.4) throw new DatabaseError("busy", "locked on purpose", "55P03");
      if (Math.random() < 0.2) throw new DatabaseError("unknown", "lost on purpose");
    },
  }, { lanes: 1, maxBatch: 7, deadlineMs: 20_000 });
  const sends: Promise<SendOk>[] = [];
  for (const n of range(1, 150)) {
    for (const room of rooms) sends.push(send(appender, owner, room, { text: `${n}` }, `s${n}`));
    if (n % 7 === 0) sends.push(send(appender, owner, rooms[0]!, { text: `${n}` }, `s${n}`));
    if (n % 5 === 0) await new Promise((resolve) => setTimeout(resolve, Math.random() * 10));
  }
  await Promise.all(sends);
  for (const room of rooms) {
    assertEquals((await stored(scene, room)).map(({ text }) => Number(text)), range(1, 150));
  }
  await appender.idle();
  assertEquals(appender.waiting, 0);
});

Deno.test("Beyond its bound an appender refuses as overloaded", strict, async () => {
  await using scene = await chatScene();
  const owner = await newPrincipal(scene.db);
  const room = await newRoom(scene, owner);
  const { appender } = await faulty(scene, room, {}, { maxWaiting: 5 });
  const results = await Promise.allSettled(range(1, 8).map(() => send(appender, owner, room)));
  assertEquals(results.map(({ status }) => status), [
    ...range(1, 5).map(() => "fulfilled"),
    ...range(1, 3).map(() => "rejected"),
  ]);
  for (const result of results.slice(5)) {
    assertEquals(((result as PromiseRejectedResult).reason as ConfabError).code, "overloaded");
  }
  assertEquals((await send(appender, owner, room)).seq, 7);
});

Deno.test(
  "A member removed while sends wait for the lock stores nothing (P7)",
  strict,
  async () => {
    await using scene = await chatScene();
    const [owner, member] = [await newPrincipal(scene.db), await newPrincipal(scene.db)];
    const room = await newRoom(scene, owner);
    await setMember(scene.chat, owner, room, member.id, "member");
    const { default: pg } = await import("pg");
    const locker = new pg.Client({ connectionString: scene.url });
    await locker.connect();
    await locker.query("begin");
    await locker.query("select 1 from rooms where id = $1 for update", [room]);
    const removing = removeMember(scene.chat, owner, room, member.id);
    const waiting = async (n: number) => {
      const [row] = await scene.db.query<{ n: number }>(
        `select count(*) as n from pg_stat_activity
       where datname = current_database() and wait_event_type = 'Lock'`,
      );
      return row!.n >= n;
    };
    await until("the removal waits", () => waiting(1));
    const sends = [send(scene.chat.appender, member, room), send(scene.chat.appender, owner, room)];
    const outcomes = Promise.allSettled(sends);
    await until("the sends wait", () => waiting(2));
    await locker.query("rollback");
    await removing;
    const [theirs, mine] = await outcomes;
    assertEquals(((theirs as PromiseRejectedResult).reason as ConfabError).code, "not_found");
    assertEquals((mine as PromiseFulfilledResult<SendOk>).value.seq, 4);
    assertEquals((await stored(scene, room)).map(({ actor_id }) => actor_id), [owner.id]);
    await locker.end();
  },
);
