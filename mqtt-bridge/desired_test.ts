import { assertEquals, assertRejects } from "@std/assert";
import { ConfabError } from "../lib/errors.ts";
import { newId } from "../lib/ids.ts";
import { createLog } from "../lib/log.ts";
import type { DeviceState, Metadata } from "../lib/protocol.ts";
import { until } from "../testing/until.ts";
import { Desired } from "./desired.ts";
import type { StateKey } from "./ports.ts";
import { Topics } from "./topics.ts";

const strict = { sanitizeOps: true, sanitizeResources: true, sanitizeExit: true };
const topics = new Topics("confab/");
const room = newId();

interface Publish {
  topic: string;
  payload: string;
  answer(): void;
  fail(error: Error): void;
}

/** A table in memory, and a broker that answers when the test says so, or at once. */
function fixture({ patient = false } = {}) {
  const table = new Map<string, DeviceState>();
  const waiting: Publish[] = [];
  const shown: [string, number | undefined][] = [];
  const faults: { store?: Error } = {};
  const reads: string[][] = [];
  const stop = new AbortController();
  const desired = new Desired({
    topics,
    store: {
      desiredKeys(devices, after, limit) {
        if (faults.store !== undefined) return Promise.reject(faults.store);
        const ids = [...table.keys()].filter((id) => devices === null || devices.includes(id))
          .filter((id) => after === null || id > after.device).sort();
        return Promise.resolve(ids.slice(0, limit).map((device) => ({ room, device })));
      },
      states(keys: readonly StateKey[]) {
        if (faults.store !== undefined) return Promise.reject(faults.store);
        reads.push(keys.map(({ device }) => device));
        const found = keys.flatMap(({ device }) => table.get(device) ?? []);
        return Promise.resolve(found.map((state) => ({ room, state })));
      },
    },
    publisher: {
      publish: (topic, payload) =>
        new Promise<void>((resolve, fail) => {
          const version = payload === "" ? undefined : JSON.parse(payload).version;
          const answer = () => {
            shown.push([topic, version]);
            resolve();
          };
          if (patient) waiting.push({ topic, payload, answer, fail });
          else answer();
        }),
    },
    log: createLog("silent"),
    signal: stop.signal,
  });
  const set = (device: string, desiredVersion: number, wished: Metadata = {}) =>
    table.set(device, {
      device: { id: device, kind: "device", name: "d" },
      desired: wished,
      desiredVersion,
      reportedVersion: 0,
      delta: wished,
    });
  /** What was shown since the last call: versions by device. */
  const took = (devices: string[]) => {
    const all = shown.splice(0);
    return devices.map((id) =>
      all.filter(([topic]) => topic === topics.desired(id, room)).map(([, version]) => version)
    );
  };
  return { desired, table, waiting, faults, reads, stop, set, took };
}

Deno.test("who asks while something is on its way gets what is so after it", strict, async () => {
  const { desired, waiting, set } = fixture({ patient: true });
  const device = newId();
  set(device, 1, { a: 1 });
  const first = desired.publish(room, device);
  await until("it is on its way", () => waiting.length === 1);
  set(device, 2);
  const others = [desired.publish(room, device), desired.publish(room, device)];
  set(device, 3);
  for (let i = 0; i < 20; i++) await Promise.resolve();
  assertEquals(waiting.length, 1, "one after the other");
  waiting[0]!.answer();
  await first;
  await until("the next is on its way", () => waiting.length === 2);
  waiting[1]!.answer();
  await Promise.all(others);
  const payloads = waiting.map(({ payload }) => JSON.parse(payload));
  assertEquals(payloads, [
    { version: 1, desired: { a: 1 }, delta: { a: 1 } },
    { version: 3, desired: {} },
  ]);
});

Deno.test(
  "a tick shows what was asked for: of all, of one device, or one state",
  strict,
  async () => {
    const { desired, set, took } = fixture();
    const devices = Array.from({ length: 1200 }, () => newId());
    devices.forEach((device, i) => set(device, i + 1));
    desired.showAll();
    await desired.tick();
    assertEquals(took(devices), devices.map((_, i) => [i + 1]));
    const [born, changed] = [devices[3]!, devices[5]!];
    desired.born(born);
    desired.born(newId());
    desired.changed(room, changed);
    await desired.tick();
    const only = took(devices).flatMap((versions, i) => versions.length > 0 ? [devices[i]!] : []);
    assertEquals(only.sort(), [born, changed].sort());
    await desired.tick();
    assertEquals(took(devices).flat(), []);
  },
);

Deno.test("reads are bounded, however many are shown", strict, async () => {
  const { desired, set, reads } = fixture();
  for (let i = 0; i < 1200; i++) set(newId(), i + 1);
  desired.showAll();
  await desired.tick();
  assertEquals(reads.flat().length, 1200);
  assertEquals(Math.max(...reads.map((keys) => keys.length)), 100);
});

Deno.test("a topic is emptied only where nothing is wished for", strict, async () => {
  const { desired, set, took } = fixture();
  const [gone, back] = [newId(), newId()];
  set(back, 7);
  await desired.publish(room, gone);
  await desired.publish(room, back, { clear: true });
  assertEquals(took([gone, back]), [[], [7]]);
  await desired.publish(room, gone, { clear: true });
  assertEquals(took([gone]), [[undefined]]);
});

Deno.test("while the database is away everything is kept for a later tick", strict, async () => {
  const { desired, faults, set, took } = fixture();
  const [born, changed] = [newId(), newId()];
  set(born, 1);
  set(changed, 2);
  faults.store = new Error("away on purpose");
  desired.born(born);
  desired.changed(room, changed);
  await assertRejects(() => desired.tick(), Error, "on purpose");
  await assertRejects(() => desired.publish(room, born), Error, "on purpose");
  delete faults.store;
  await desired.tick();
  assertEquals(took([born, changed]), [[1], [2]]);
});

Deno.test("a broker that went away fails who waits, and nobody else", strict, async () => {
  const { desired, waiting, set, stop } = fixture({ patient: true });
  const [one, two] = [newId(), newId()];
  set(one, 1);
  set(two, 2);
  const results = Promise.allSettled([desired.publish(room, one), desired.publish(room, two)]);
  await until("both are on their way", () => waiting.length === 2);
  waiting[0]!.fail(new ConfabError("unavailable"));
  waiting[1]!.answer();
  assertEquals((await results).map(({ status }) => status), ["rejected", "fulfilled"]);
  desired.showAll();
  const ticked = desired.tick();
  await until("again", () => waiting.length === 4);
  for (const { fail } of waiting.slice(2)) fail(new ConfabError("unavailable"));
  await ticked; // the next connection shows all
  stop.abort();
  await assertRejects(() => desired.publish(room, one), DOMException);
});
