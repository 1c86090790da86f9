import { assert, assertEquals, assertRejects } from "@std/assert";
import { type ChatScene, chatScene, newDevice, newPrincipal } from "../../testing/chat.ts";
import { faultyDatabase } from "../../testing/faulty_database.ts";
import type { Principal } from "../auth/principal.ts";
import { ConfabError } from "../errors.ts";
import type { LogEntry, Metadata, RoomId, Signal } from "../protocol.ts";
import {
  type DesiredChange,
  getState,
  listStates,
  reportState,
  setDesired,
  signalStates,
} from "./device_states.ts";
import { removeMember, setMember } from "./members.ts";
import { readLog } from "./messages.ts";
import { createRoom } from "./rooms.ts";

const strict = { sanitizeOps: true, sanitizeResources: true, sanitizeExit: true };

/** A room with its owner and one device. */
class Plant implements AsyncDisposable {
  private constructor(
    readonly scene: ChatScene,
    readonly owner: Principal,
    readonly room: RoomId,
    readonly device: Principal,
  ) {}

  static async start(visibility: "public" | "private" = "private"): Promise<Plant> {
    const scene = await chatScene();
    const owner = await newPrincipal(scene.db);
    const { id } = await createRoom(scene.chat, owner, { name: "Plant", visibility });
    const device = await newDevice(scene.db, owner);
    const plant = new Plant(scene, owner, id, device);
    await plant.add(device);
    return plant;
  }

  get key() {
    return { room: this.room, device: this.device.id };
  }

  async add(member: Principal, role: "member" | "reader" = "member"): Promise<void> {
    await setMember(this.scene.chat, this.owner, this.room, member.id, role);
  }

  replace(change: DesiredChange, actor = this.owner) {
    return setDesired(this.scene.chat, actor, this.key, change, { merge: false });
  }

  merge(change: DesiredChange, actor = this.owner) {
    return setDesired(this.scene.chat, actor, this.key, change, { merge: true });
  }

  report(reported: Metadata | undefined, device = this.device) {
    return reportState(this.scene.chat, device.id, this.room, reported);
  }

  state() {
    return getState(this.scene.chat, this.owner, this.key);
  }

  /** The entries about states. */
  async entries(): Promise<LogEntry[]> {
    const { entries } = await readLog(this.scene.chat, this.owner, this.room, { after: 0 }, 200);
    return entries.filter(({ event }) => event.type === "device.state");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.scene[Symbol.asyncDispose]();
  }
}

async function refused(work: Promise<unknown>): Promise<string> {
  return (await assertRejects(() => work, ConfabError)).code;
}

Deno.test("a wish is an entry of the log, and its version the seq of that", strict, async () => {
  await using plant = await Plant.start();
  const { owner, device } = plant;
  const before = await plant.state();
  assertEquals(before, {
    device: { id: device.id, kind: "device", name: device.name },
    desiredVersion: 0,
    reportedVersion: 0,
    delta: {},
  });
  const { state, duplicate } = await plant.replace({ desired: { speed: 3 }, version: 0 });
  const [entry] = await plant.entries();
  assert(entry?.event.type === "device.state");
  const { actor, at, state: said } = entry.event;
  assertEquals([actor.id, entry.event.device.id], [owner.id, device.id]);
  assertEquals(said, { version: entry.seq, desired: { speed: 3 } });
  assertEquals(duplicate, false);
  assertEquals(state, {
    ...before,
    desired: { speed: 3 },
    desiredVersion: entry.seq,
    desiredAt: at,
    desiredBy: { id: owner.id, kind: "user", name: owner.name },
    delta: { speed: 3 },
  });
  assertEquals(await plant.state(), state);
});

Deno.test("of two who saw the same version one wins, and the other learns it", strict, async () => {
  await using plant = await Plant.start();
  const other = await newPrincipal(plant.scene.db);
  await plant.add(other);
  let version = 0;
  for (let round = 1; round <= 20; round++) {
    const wish = (who: string) => ({ desired: { who, round }, version });
    const results = await Promise.allSettled([
      plant.replace(wish("owner")),
      round % 2 === 0 ? plant.replace(wish("other"), other) : plant.merge(wish("other"), other),
    ]);
    const won = results.flatMap((one) => one.status === "fulfilled" ? [one.value.state] : []);
    const lost = results.flatMap((one) => one.status === "rejected" ? [one.reason] : []);
    assertEquals([won.length, lost.map(({ code }) => code)], [1, ["version_conflict"]]);
    version = won[0]!.desiredVersion;
    assert(lost[0].message.includes(String(version)), lost[0].message);
    const { desired, desiredVersion } = await plant.state();
    assertEquals([desired, desiredVersion], [won[0]!.desired, version]);
  }
  assertEquals((await plant.entries()).length, 20);
});

Deno.test("changes that many make at once without a version all count", strict, async () => {
  await using plant = await Plant.start();
  const names = Array.from({ length: 8 }, (_, i) => `valve${i}`);
  await Promise.all(names.map((name) => plant.merge({ desired: { valves: { [name]: 1 } } })));
  const { desired, desiredVersion } = await plant.state();
  assertEquals(desired, { valves: Object.fromEntries(names.map((name) => [name, 1])) });
  const entries = await plant.entries();
  assertEquals(entries.length, names.length);
  assertEquals(entries.at(-1)!.seq, desiredVersion);
});

Deno.test("what is so already is no entry, with or without a client id", strict, async () => {
  await using plant = await Plant.start();
  const first = { desired: { a: 1, b: { c: 2 } }, version: 0 };
  const made = await plant.replace(first);
  const version = made.state.desiredVersion;
  // Nobody got the answer, and the same comes again
  assertEquals(await plant.replace(first), { ...made, duplicate: true });
  assertEquals(await plant.merge({ desired: { b: { c: 2 }, d: null }, version: 99 }), {
    ...made,
    duplicate: true,
  });
  const second = { desired: { a: 2 }, version, clientId: "c1" };
  const changed = await plant.merge(second);
  assertEquals(changed.state.desired, { a: 2, b: { c: 2 } });
  await plant.replace({ desired: { a: 3 } });
  const repeated = await plant.merge(second);
  assertEquals([repeated.duplicate, repeated.state.desired], [true, { a: 3 }]);
  assertEquals(await refused(plant.replace(second)), "client_id_reused");
  assertEquals(await refused(plant.merge({ ...second, desired: { a: 4 } })), "client_id_reused");
  assertEquals((await plant.entries()).length, 3);
});

Deno.test("null leaves out and removes, and what grows too large is refused", strict, async () => {
  await using plant = await Plant.start();
  const { state } = await plant.replace({ desired: { a: null, b: { c: null, d: 1 }, e: [null] } });
  assertEquals(state.desired, { b: { d: 1 }, e: [null] });
  const merged = await plant.merge({ desired: { b: { d: null }, e: null, f: "x".repeat(5000) } });
  assertEquals(Object.keys(merged.state.desired!), ["b", "f"]);
  const more = plant.merge({ desired: { g: "x".repeat(5000) } });
  assertEquals(await refused(more), "payload_too_large");
  assertEquals((await plant.entries()).length, 2);
});

Deno.test("members who may write wish, and for devices in the room only", strict, async () => {
  await using plant = await Plant.start("public");
  const { db } = plant.scene;
  const [reader, stranger] = [await newPrincipal(db), await newPrincipal(db)];
  await plant.add(reader, "reader");
  const change = { desired: { a: 1 } };
  assertEquals(await refused(plant.replace(change, reader)), "read_only");
  assertEquals(await refused(plant.replace(change, stranger)), "not_a_member");
  const away = await newDevice(db, plant.owner);
  for (const device of [away.id, reader.id]) {
    const wish = setDesired(plant.scene.chat, plant.owner, { room: plant.room, device }, change, {
      merge: true,
    });
    assertEquals(await refused(wish), "not_found");
    const read = getState(plant.scene.chat, plant.owner, { room: plant.room, device });
    assertEquals(await refused(read), "not_found");
  }
  await using closed = await Plant.start();
  const outsider = await newPrincipal(closed.scene.db);
  assertEquals(await refused(closed.replace(change, outsider)), "not_found");
  assertEquals(await refused(getState(closed.scene.chat, outsider, closed.key)), "not_found");
  const list = listStates(closed.scene.chat, outsider, closed.room, { limit: 10 });
  assertEquals(await refused(list), "not_found");
  assertEquals((await closed.entries()).length, 0);
});

Deno.test("a report is kept when it differs, and is no entry", strict, async () => {
  await using plant = await Plant.start();
  const { state: wished } = await plant.replace({ desired: { speed: 3, on: true } });
  assertEquals(await plant.report({ speed: 2, temp: 20 }), { changed: true, deltaChanged: false });
  const first = await plant.state();
  assertEquals([first.reported, first.reportedVersion], [{ speed: 2, temp: 20 }, 1]);
  assertEquals(first.delta, { speed: 3, on: true });
  assertEquals(await plant.report({ temp: 20, speed: 2 }), { changed: false, deltaChanged: false });
  assertEquals(await plant.state(), first);
  // On is not to do any more; another temperature is nobody's wish
  assertEquals(await plant.report({ speed: 2, on: true }), { changed: true, deltaChanged: true });
  const warmer = { speed: 2, on: true, temp: 21 };
  assertEquals(await plant.report(warmer), { changed: true, deltaChanged: false });
  const { delta, reportedVersion, desiredVersion } = await plant.state();
  assertEquals([delta, reportedVersion], [{ speed: 3 }, 3]);
  assertEquals(desiredVersion, wished.desiredVersion);
  assertEquals(await plant.report(undefined), { changed: true, deltaChanged: true });
  assertEquals(await plant.report(undefined), { changed: false, deltaChanged: false });
  const last = await plant.state();
  assertEquals([last.reported, last.reportedVersion], [undefined, 4]);
  assertEquals((await plant.entries()).length, 1);
});

Deno.test("a device reports in its rooms only, and not as a reader", strict, async () => {
  await using plant = await Plant.start();
  const { db } = plant.scene;
  const [stranger, reader] = [await newDevice(db, plant.owner), await newDevice(db, plant.owner)];
  await plant.add(reader, "reader");
  assertEquals(await refused(plant.report({ a: 1 }, stranger)), "not_found");
  assertEquals(await refused(plant.report({ a: 1 }, reader)), "read_only");
  assertEquals(await refused(plant.report({ a: 1 }, plant.owner)), "not_found");
  await db.query("update principals set disabled_at = now() where id = $1", [plant.device.id]);
  assertEquals(await refused(plant.report({ a: 1 })), "not_found");
  assertEquals(await db.query("select 1 from device_states"), []);
});

Deno.test(
  "a device that is removed has no state any more, nor when it is back",
  strict,
  async () => {
    await using plant = await Plant.start();
    const { chat, db } = plant.scene;
    const { state: { desiredVersion } } = await plant.replace({ desired: { a: 1 } });
    await plant.report({ a: 0 });
    await removeMember(chat, plant.owner, plant.room, plant.device.id);
    assertEquals(await refused(plant.state()), "not_found");
    assertEquals(await refused(plant.replace({ desired: { a: 2 } })), "not_found");
    assertEquals(await db.query("select 1 from device_states"), []);
    await plant.add(plant.device);
    const { desired, reported, delta } = await plant.state();
    assertEquals([desired, reported, delta], [undefined, undefined, {}]);
    const again = await plant.replace({ desired: { a: 1 }, version: 0 });
    assert(again.state.desiredVersion > desiredVersion, "versions rise for ever");
  },
);

Deno.test("a removal and a report at once leave nothing behind", strict, async () => {
  await using plant = await Plant.start();
  const { chat, db } = plant.scene;
  for (let round = 0; round < 20; round++) {
    const device = await newDevice(db, plant.owner);
    await plant.add(device);
    const reports = [1, 2, 3].map((value) => plant.report({ value }, device));
    const removed = removeMember(chat, plant.owner, plant.room, device.id);
    const results = await Promise.allSettled([...reports, removed]);
    for (const result of results) {
      if (result.status === "rejected") assertEquals(result.reason.code, "not_found");
    }
    assertEquals(results.at(-1)!.status, "fulfilled");
  }
  assertEquals(await db.query("select 1 from device_states"), []);
});

Deno.test(
  "a change that finds no device there yet keeps what is wished for first",
  strict,
  async () => {
    await using plant = await Plant.start();
    const { scene: { chat, db }, owner, room, device } = plant;
    await removeMember(chat, owner, room, device.id);
    let isBack = false;
    const adding = faultyDatabase(db, {
      before: async (text) => {
        if (isBack || !text.includes("set_desired_state")) return;
        isBack = true;
        await plant.add(device);
        await plant.replace({ desired: { a: 1 } });
      },
    });
    const change = { desired: { b: 2 } };
    await setDesired({ ...chat, db: adding }, owner, plant.key, change, { merge: true });
    assertEquals((await plant.state()).desired, { a: 1, b: 2 });
  },
);

Deno.test("a wish is answered as done although the device was removed since", strict, async () => {
  await using plant = await Plant.start();
  const { scene: { chat, db }, owner, room, device } = plant;
  const removing = faultyDatabase(db, {
    after: async (text) => {
      if (text.includes("set_desired_state")) await removeMember(chat, owner, room, device.id);
    },
  });
  const change = { desired: { a: 1 } };
  const wish = setDesired({ ...chat, db: removing }, owner, plant.key, change, { merge: true });
  const { state, duplicate } = await wish;
  const [entry] = await plant.entries();
  assertEquals([duplicate, state.desired, state.desiredVersion], [false, { a: 1 }, entry!.seq]);
  assertEquals(state.delta, { a: 1 });
});

Deno.test(
  "whoever has joined the room is told what is reported and left to do",
  strict,
  async () => {
    await using plant = await Plant.start();
    const { chat } = plant.scene;
    const signals: Signal[] = [];
    const sink = { entries: () => {}, head: () => {}, signal: (one: Signal) => signals.push(one) };
    const stop = await chat.bus.serve(plant.room, sink as never);
    const { state: { desiredVersion } } = await plant.replace({ desired: { a: 1, b: 2 } });
    await plant.replace({ desired: { b: 2, a: 1 } });
    await plant.report({ a: 0 });
    await plant.report({ a: 1 });
    await signalStates(chat, [plant.key, { room: plant.room, device: plant.owner.id }]);
    stop();
    const { device, reportedAt } = await plant.state();
    assertEquals(signals, [
      { type: "state", device, desiredVersion, reportedVersion: 0, delta: { a: 1, b: 2 } },
      {
        type: "state",
        device,
        desiredVersion,
        reported: { a: 1 },
        reportedVersion: 2,
        reportedAt: reportedAt!,
        delta: { b: 2 },
      },
    ]);
  },
);

Deno.test("the devices of a room are listed by page", strict, async () => {
  await using plant = await Plant.start("public");
  const { chat, db } = plant.scene;
  const others = await Promise.all([1, 2, 3, 4].map(() => newDevice(db, plant.owner)));
  for (const device of others) await plant.add(device);
  await plant.replace({ desired: { a: 1 } });
  const looker = await newPrincipal(db);
  const found: string[] = [];
  for (let cursor: string | undefined, pages = 1;; pages++) {
    const page = { limit: 2, ...(cursor === undefined ? {} : { cursor }) };
    const { items, next } = await listStates(chat, looker, plant.room, page);
    found.push(...items.map(({ device }) => device.id));
    for (const { device, delta } of items) {
      assertEquals(delta, device.id === plant.device.id ? { a: 1 } : {});
    }
    cursor = next ?? undefined;
    if (cursor === undefined) {
      assertEquals(pages, 3);
      break;
    }
  }
  assertEquals(found, [plant.device, ...others].map(({ id }) => id).sort());
});
