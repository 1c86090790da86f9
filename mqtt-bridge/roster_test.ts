import { assert, assertEquals } from "@std/assert";
import { ConfabError } from "../lib/errors.ts";
import { newId } from "../lib/ids.ts";
import { createLog } from "../lib/log.ts";
import { until } from "../testing/until.ts";
import type { DeviceCredential } from "./ports.ts";
import { Roster } from "./roster.ts";

const strict = { sanitizeOps: true, sanitizeResources: true, sanitizeExit: true };

function credential(id: string, more: Partial<DeviceCredential> = {}): DeviceCredential {
  return { id, generation: 1, plainGeneration: 1, disabled: false, ...more };
}

/** A roster over a table and a broker that are maps, with everything that it did. */
function fixture(beaconSeconds = 60) {
  const table = new Map<string, DeviceCredential>();
  const broker = new Map<string, number>();
  const applied: string[][] = [];
  const changed: DeviceCredential[] = [];
  const returned: string[] = [];
  const gate = { wait: Promise.resolve(), fail: false, tries: 0 };
  const stop = new AbortController();
  const roster = new Roster({
    store: {
      devices: () => Promise.resolve([...table.values()].filter((one) => !one.disabled)),
      devicesOf: (ids) => Promise.resolve(ids.flatMap((id) => table.get(id) ?? [])),
    },
    provisioner: {
      differing: (devices) => {
        const wrong = devices.filter(({ id, generation }) => broker.get(id) !== generation);
        const needless = [...broker.keys()].filter((id) => devices.every((one) => one.id !== id));
        return Promise.resolve([...wrong.map(({ id }) => id), ...needless]);
      },
      async apply(devices) {
        gate.tries++;
        await gate.wait;
        if (gate.fail) throw new ConfabError("unavailable");
        applied.push(devices.map(({ id }) => id));
        for (const { id, generation, disabled } of devices) {
          if (disabled) broker.delete(id);
          else broker.set(id, generation);
        }
      },
    },
    log: createLog("silent"),
    beaconSeconds,
    signal: stop.signal,
    onChanged: (device) => changed.push(device),
    onReturned: (ids) => Promise.resolve(void returned.push(...ids)),
  });
  const running = roster.run();
  const put = (device: DeviceCredential) => table.set(device.id, device);
  return {
    ...{ roster, table, broker, applied, changed, returned, gate, put },
    async [Symbol.asyncDispose]() {
      stop.abort();
      await running;
    },
  };
}

Deno.test(
  "a single change overtakes a long repair, which applies what is so then",
  strict,
  async () => {
    await using scene = fixture();
    const { roster, broker, applied, gate, put } = scene;
    const devices = Array.from({ length: 50 }, () => credential(newId()));
    for (const device of devices) put(device);
    const needless = newId();
    broker.set(needless, 1);
    const open = Promise.withResolvers<void>();
    gate.wait = open.promise;
    roster.connected();
    await until("the repair has begun", () => scene.returned.length === 50);
    const last = devices.at(-1)!;
    put(credential(last.id, { generation: 2 }));
    roster.changed(last.id);
    put(credential(devices[40]!.id, { disabled: true }));
    open.resolve();
    await until("all is applied", () => new Set(applied.flat()).size === 51);
    assert(
      applied.findIndex((batch) => batch.includes(last.id)) <= 1,
      "at most one batch goes first",
    );
    assertEquals(broker.get(last.id), 2);
    assertEquals(broker.has(devices[40]!.id), false, "what changed without a notice is seen, too");
    assertEquals(broker.has(needless), false);
    assertEquals(broker.size, 49);
  },
);

Deno.test("a former secret that ends is taken away without a beacon", strict, async () => {
  await using scene = fixture();
  const { roster, applied, put } = scene;
  const id = newId();
  put(credential(id, { generation: 2, former: { generation: 1, endsInMs: 50 } }));
  roster.connected();
  await until("both are applied", () => applied.length === 1);
  put(credential(id, { generation: 2 }));
  await until("the former has gone", () => applied.length === 2);
  assertEquals(scene.changed.map(({ former }) => former?.generation).at(-1), undefined);
});

Deno.test("a beacon finds what no notice told: first who has lost something", strict, async () => {
  await using scene = fixture(0.05);
  const { roster, broker, applied, table, put } = scene;
  const [a, b, c] = [newId(), newId(), newId()];
  for (const id of [a, b]) put(credential(id));
  roster.connected();
  await until("they are applied", () => broker.size === 2);
  applied.length = 0;
  put(credential(c));
  put(credential(a, { generation: 2 }));
  table.delete(b);
  await until("all is seen", () => broker.get(a) === 2 && !broker.has(b) && broker.has(c));
  assertEquals(applied.flat(), [b, a, c]);
});

Deno.test("a refused change is tried again, and the next one goes on", strict, async () => {
  await using scene = fixture();
  const { roster, broker, gate, put } = scene;
  const [a, b] = [newId(), newId()];
  roster.connected();
  put(credential(a));
  gate.fail = true;
  roster.changed(a);
  await until("it was tried", () => gate.tries > 0);
  gate.fail = false;
  put(credential(b));
  roster.changed(b);
  await until("both are there", () => broker.size === 2);
});

Deno.test("who comes back is told, once", strict, async () => {
  await using scene = fixture();
  const { roster, broker, returned, put } = scene;
  const [a, b] = [newId(), newId()];
  for (const id of [a, b]) put(credential(id));
  roster.connected();
  await until("both are there", () => broker.size === 2);
  assertEquals(returned.toSorted(), [a, b].sort(), "somebody may have been read without them");
  returned.length = 0;
  put(credential(a, { disabled: true }));
  roster.changed(a);
  await until("it is gone", () => !broker.has(a));
  put(credential(a));
  roster.changed(a);
  roster.changed(b);
  await until("it is back", () => broker.has(a));
  await until("it was told", () => returned.length > 0);
  roster.disconnected();
  roster.connected();
  put(credential(b, { generation: 2 }));
  await until("all is compared", () => broker.get(b) === 2);
  assertEquals(returned, [a]);
});
