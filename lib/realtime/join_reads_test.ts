import { assert, assertEquals, assertRejects } from "@std/assert";
import { type ChatScene, chatScene, newPrincipal, recordedLog } from "../../testing/chat.ts";
import { type Faults, faultyDatabase } from "../../testing/faulty_database.ts";
import { range, RecordedSubscriber } from "../../testing/subscriber.ts";
import { until } from "../../testing/until.ts";
import type { Principal } from "../auth/principal.ts";
import { createMemoryBus } from "../bus/memory.ts";
import { removeMember, setMember } from "../chat/members.ts";
import { editMessage, sendMessage } from "../chat/messages.ts";
import { createRoom } from "../chat/rooms.ts";
import { DatabaseError, type Row } from "../database/mod.ts";
import { ConfabError } from "../errors.ts";
import { newId } from "../ids.ts";
import type { RoomId } from "../protocol.ts";
import { READ_BYTES } from "../store/log.ts";
import { Hub } from "./hub.ts";

const strict = { sanitizeOps: true, sanitizeResources: true, sanitizeExit: true };

/** The statement that reads for joins. */
const JOIN_READ = /log_page\(.*true\)/s;

interface Scene extends ChatScene {
  hub: Hub;
  owner: Principal;
  room: RoomId;
  /** Statements that read for joins so far. */
  reads(): number;
  /** What happens with the next ones. */
  faults: Faults;
  say(count: number, text?: string): Promise<void>;
}

async function openScene(
  { visibility = "public", ...options }: {
    visibility?: "public" | "private";
    joins?: number;
    replayEntries?: number;
  } = {},
): Promise<Scene> {
  const scene = await chatScene();
  const { chat } = scene;
  const owner = await newPrincipal(scene.db);
  const { id: room } = await createRoom(chat, owner, { name: "Herd", visibility });
  const faults: Faults = {};
  let reads = 0;
  const db = faultyDatabase(scene.db, {
    before: async (text, values) => {
      if (!JOIN_READ.test(text)) return;
      reads++;
      await faults.before?.(text, values);
    },
    after: async (text, values) => {
      if (JOIN_READ.test(text)) await faults.after?.(text, values);
    },
  });
  const { log } = recordedLog();
  const epoch = { value: chat.epoch.value };
  const hub = new Hub({ db, bus: chat.bus, log, replayEntries: 1000, epoch, ...options });
  return {
    ...scene,
    hub,
    owner,
    room,
    faults,
    reads: () => reads,
    say: async (count, text = "hello") => {
      const clientId = newId();
      for (const i of range(1, count)) {
        await sendMessage(chat, owner, room, `${clientId}:${i}`, { text });
      }
    },
  };
}

/** Holds the answer of the next read back, after the snapshot was taken. */
function hold(faults: Faults): { reached: Promise<void>; open(): void } {
  const [reached, opened] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  faults.after = () => {
    faults.after = () => {};
    reached.resolve();
    return opened.promise;
  };
  return { reached: reached.promise, open: opened.resolve };
}

async function newPrincipals({ db }: ChatScene, count: number): Promise<Principal[]> {
  const ids = range(1, count).map(() => newId());
  await db.query(
    `insert into principals (id, kind, role, name)
     select id, 'user', 'user', 'user' from unnest($1::uuid[]) id`,
    [ids],
  );
  return ids.map((id) => ({ id, kind: "user", role: "user", name: "user" }));
}

async function refusal(promise: Promise<unknown>): Promise<string> {
  return (await assertRejects(() => promise, ConfabError)).code;
}

Deno.test(
  "a herd costs a few statements, and everybody gets exactly their entries",
  strict,
  async () => {
    await using scene = await openScene({ replayEntries: 100 });
    const { hub, room } = scene;
    await scene.say(110);
    const herd = (await newPrincipals(scene, 300)).map((principal, i) => ({
      reader: new RecordedSubscriber(principal),
      after: i % 112, // the first eleven are too far back, 111 is the head
    }));
    const writing = scene.say(60);
    // Not all in one turn of the event loop.
    const joins = herd.map(async ({ reader, after }) => {
      await new Promise((done) => setTimeout(done, Math.random() * 20));
      await reader.join(hub, room, { after });
    });
    await Promise.all([...joins, writing]);
    await scene.say(1);
    const head = 172;
    await until("all are live", () => herd.every(({ reader }) => reader.seqs().at(-1) === head));
    assert(scene.reads() <= 20, `${scene.reads()} statements`);
    for (const { reader, after } of herd) {
      const { view, recovered } = reader.joined!;
      assertEquals(recovered, view.head - after <= 100, `${after} of ${view.head}`);
      assertEquals(reader.seqs(), range((recovered ? after : view.head) + 1, head));
      assertEquals(reader.story[0], "joined");
    }
  },
);

Deno.test("who joins while a read is under way shares the next one", strict, async () => {
  await using scene = await openScene();
  const { hub, room, faults, owner } = scene;
  await scene.say(10);
  const held = hold(faults);
  const first = new RecordedSubscriber(owner);
  const joining = first.join(hub, room, { after: 5 });
  await held.reached;
  const others = (await newPrincipals(scene, 600)).map((one) => new RecordedSubscriber(one));
  const joins = others.map((reader) => reader.join(hub, room, { after: 8 }));
  await scene.say(1);
  assertEquals([scene.reads(), hub.joining], [1, 601]);
  held.open();
  await Promise.all([joining, ...joins]);
  assertEquals([scene.reads(), hub.joining], [3, 0]); // 1, 500, 100
  await until("the entry between came live", () => first.seqs().length === 7);
  assertEquals(first.seqs(), range(6, 12));
  for (const reader of others) assertEquals(reader.seqs(), range(9, 12));
  // The clientId of a message is its sender's own, also in what is encoded for all.
  assert(!JSON.stringify(others.map(({ seen }) => seen)).includes("clientId"));
  const mine = new RecordedSubscriber(owner);
  const theirs = new RecordedSubscriber(others[0]!.principal);
  await Promise.all([theirs, mine].map((reader) => reader.join(hub, room, { after: 8 })));
  assert(JSON.stringify(mine.seen).includes("clientId"));
  assertEquals(JSON.stringify(theirs.seen).includes("clientId"), false);
});

Deno.test(
  "a shared read shows each what they may see, and refuses only who may not",
  strict,
  async () => {
    await using scene = await openScene({ visibility: "private" });
    const { hub, room, faults, owner, chat, db } = scene;
    const [member, removed, evicted, late, stranger] = await newPrincipals(scene, 5);
    for (const one of [member!, removed!, evicted!, late!]) {
      await setMember(chat, owner, room, one.id, "member");
    }
    await scene.say(5, "old words"); // 6 to 10
    await db.query("update members set visible_from = 9 where principal_id = $1", [late!.id]);
    await editMessage(chat, owner, room, 6, { text: "old words, edited" }); // 11
    let held = hold(faults);
    const blocker = new RecordedSubscriber(owner);
    const blocking = blocker.join(hub, room);
    await held.reached;
    const reader = (principal: Principal | undefined) => new RecordedSubscriber(principal!);
    const [ok, gone, ending, part, none] = [member, removed, evicted, late, stranger].map(reader);
    const after = { after: 7 };
    const joins = [ok!, ending!, part!].map((one) => one.join(hub, room, after));
    const refused = [gone!, none!].map((one) => refusal(one.join(hub, room, after)));
    await removeMember(chat, owner, room, removed!.id); // 12: before the snapshot
    held.open();
    held = hold(faults);
    await held.reached;
    await removeMember(chat, owner, room, evicted!.id); // 13: after it
    await scene.say(1); // 14
    held.open();
    await Promise.all([blocking, ...joins]);
    assertEquals(await Promise.all(refused), ["not_found", "not_found"]);
    await until("live", () => ok!.seqs().at(-1) === 14 && part!.seqs().at(-1) === 14);
    assertEquals([ok!.seqs(), part!.seqs()], [range(8, 14), range(9, 14)]);
    assertEquals(ending!.seqs(), range(8, 13));
    assertEquals(ending!.evictions, [{ room, code: "removed" }]);
    const edit = (one: RecordedSubscriber) =>
      JSON.stringify(one.seen.find(({ seq }) => seq === 11));
    assert(edit(ok!).includes("old words, edited") && !edit(part!).includes("old words"));
    assertEquals([gone!.story, none!.story, scene.reads()], [[], [], 2]);
  },
);

Deno.test(
  "a shared read that fails fails each with the same code, and the next one works",
  strict,
  async () => {
    await using scene = await openScene();
    const { hub, room, faults } = scene;
    await scene.say(3);
    const readers = (await newPrincipals(scene, 20)).map((one) => new RecordedSubscriber(one));
    const cause = new DatabaseError("unavailable", "away on purpose");
    faults.before = () => {
      throw cause;
    };
    const results = await Promise.allSettled(
      readers.map((one) => one.join(hub, room, { after: 1 })),
    );
    for (const result of results) {
      assert(result.status === "rejected" && result.reason === cause);
    }
    assertEquals([scene.reads(), hub.rooms, hub.joining], [1, 0, 0]);
    delete faults.before;
    await Promise.all(readers.map((one) => one.join(hub, room, { after: 1 })));
    for (const { joined, story } of readers) {
      assertEquals([joined?.recovered, story], [true, ["joined", "entry:2", "entry:3", "entry:4"]]);
    }
  },
);

Deno.test("an old cursor does not make the read larger than it may be", strict, async () => {
  await using scene = await openScene();
  const { hub, room, db } = scene;
  await scene.say(60, "x".repeat(52_000));
  const [old, near] = (await newPrincipals(scene, 2)).map((one) => new RecordedSubscriber(one));
  let bytes = 0;
  const counted = new Hub({
    db: {
      query: async <T extends Row>(...args: Parameters<typeof db.query>) => {
        const rows = await db.query<T>(...args);
        bytes = Math.max(bytes, JSON.stringify(rows).length);
        return rows;
      },
      transaction: (...args) => db.transaction(...args),
      [Symbol.asyncDispose]: () => Promise.resolve(),
    },
    bus: scene.chat.bus,
    log: recordedLog().log,
    replayEntries: 1000,
    epoch: scene.chat.epoch,
  });
  await Promise.all([
    old!.join(counted, room, { after: 0 }),
    near!.join(counted, room, { after: 56 }),
  ]);
  assertEquals([old!.joined?.recovered, near!.joined?.recovered], [false, true]);
  assertEquals([old!.seqs(), near!.seqs()], [[], range(57, 61)]);
  assert(bytes > 500_000 && bytes < READ_BYTES * 1.1, `${bytes}`);
  assertEquals(hub.rooms, 0);
});

Deno.test("a feed goes on until it has a gap that is larger than one read", strict, async () => {
  await using scene = await openScene();
  const { room, chat, owner, db } = scene;
  const hub = new Hub({
    db,
    bus: createMemoryBus(), // brings nothing
    log: recordedLog().log,
    replayEntries: 10,
    epoch: chat.epoch,
  });
  const reader = new RecordedSubscriber(owner);
  await reader.join(hub, room);
  await scene.say(50, "x".repeat(52_000));
  await hub.beacon();
  await until("all came", () => reader.seqs().length === 50);
  assertEquals(reader.seqs(), range(2, 51));
});

Deno.test("Joins beyond the bound are refused, and it is given back", strict, async () => {
  await using scene = await openScene({ joins: 3 });
  const { hub, room, faults } = scene;
  const readers = (await newPrincipals(scene, 4)).map((one) => new RecordedSubscriber(one));
  const held = hold(faults);
  const joins = readers.slice(0, 3).map((one) => one.join(hub, room));
  await held.reached;
  const error = await assertRejects(() => readers[3]!.join(hub, room), ConfabError);
  assert(error.code === "overloaded" && error.retryAfter! > 0);
  held.open();
  await Promise.all(joins);
  await readers[3]!.join(hub, room);
});

Deno.test("One principal's joins of many rooms leave reads to others", strict, async () => {
  await using scene = await openScene();
  const { hub, room, chat, owner, faults } = scene;
  const rooms = await Promise.all(
    range(1, 15).map(() => createRoom(chat, owner, { name: "Own", visibility: "private" })),
  );
  const [other] = await newPrincipals(scene, 1);
  const opened = Promise.withResolvers<void>();
  // Reads that take long: the database runs ten statements at once, and history has a part of that.
  faults.after = (_text, values) => values[0] === room ? undefined : opened.promise;
  const greedy = new RecordedSubscriber(owner);
  const joins = rooms.map(({ id }) => greedy.join(hub, id));
  await until("the reads began", () => scene.reads() > 0);
  await new RecordedSubscriber(other!).join(hub, room);
  assert(scene.reads() < 10, `${scene.reads()} reads`);
  opened.resolve();
  await Promise.all(joins);
  assertEquals(scene.reads(), 16);
});
