import { assert, assertEquals, assertRejects } from "@std/assert";
import { newId } from "../lib/ids.ts";
import { HeardDevices } from "./heard_devices.ts";
import type { DeviceStatuses } from "./ports.ts";

const strict = { sanitizeOps: true, sanitizeResources: true, sanitizeExit: true };
const lease = { name: "bridge:0", holder: "me", term: 1 };

type Saved = Parameters<DeviceStatuses["saveHeard"]>[1];

/** What was written, and whether writing works; on a clock that stands still. */
function hearing() {
  const saved: Saved[] = [];
  const state = { held: true, away: false, now: 0, meanwhile: () => {} };
  const heard = new HeardDevices({
    lease,
    now: () => state.now,
    statuses: {
      saveHeard: (_, one) => {
        state.meanwhile();
        if (state.away) return Promise.reject(new Error("on purpose"));
        if (state.held) saved.push(one);
        return Promise.resolve(state.held);
      },
    },
  });
  return { saved, state, heard };
}

Deno.test("every device that was heard is written once, with one statement", strict, async () => {
  const { saved, heard } = hearing();
  const [a, b] = [newId(), newId()];
  for (let i = 0; i < 100; i++) heard.heard(i % 2 === 0 ? a : b);
  await heard.save();
  await heard.save();
  assertEquals(saved.map(({ devices }) => devices.map(({ device }) => device)), [[a, b], []]);
  assert(saved[0]!.devices.every(({ agoMs }) => agoMs >= 0 && agoMs < 10_000));
});

Deno.test("what cannot be written is written the next time", strict, async () => {
  const { saved, state, heard } = hearing();
  const [a, b] = [newId(), newId()];
  heard.heard(a);
  state.away = true;
  await assertRejects(() => heard.save());
  heard.heard(b);
  heard.heard(a);
  state.away = false;
  await heard.save();
  assertEquals(saved.map(({ devices }) => devices.map(({ device }) => device)), [[b, a]]);
  assertEquals(heard.size, 0);
  state.held = false;
  heard.heard(a);
  assertEquals(await heard.save(), false);
});

Deno.test("many devices take several statements, and only the last says all", strict, async () => {
  const { saved, heard, state } = hearing();
  heard.listening();
  heard.caughtUp(state.now = 60_000);
  const ids = Array.from({ length: 11_000 }, () => newId());
  for (const id of ids) heard.heard(id);
  await heard.save();
  assertEquals(saved.map(({ devices }) => devices.length), [5000, 5000, 1000]);
  assertEquals(saved.map((one) => "listened" in one), [false, false, true]);
  heard.deaf();
  await heard.save();
  assertEquals(saved.at(-1), { devices: [] });
});

Deno.test(
  "beyond 100,000 devices the first are forgotten, and nobody is silent",
  strict,
  async () => {
    const { saved, heard, state } = hearing();
    heard.listening();
    for (let i = 0; i < 100_000; i++) heard.heard(`${i}`);
    heard.caughtUp(state.now = 60_000);
    heard.heard("one more");
    assertEquals(heard.size, 100_000);
    await heard.save();
    assertEquals(saved.at(-1)!.listened, { fromMs: 0, toMs: 0 });
    assertEquals(saved[0]!.devices[0]!.device, "1");
  },
);

Deno.test(
  "nothing was listened to that may still wait, or is not written yet",
  strict,
  async () => {
    const { saved, state, heard } = hearing();
    const listened = () => saved.at(-1)!.listened;
    heard.listening();
    state.now = 50_000;
    await heard.save();
    assertEquals(listened(), undefined, "nobody knows what waits at the broker");
    heard.caughtUp(40_000);
    await heard.save();
    assertEquals(listened(), { fromMs: 50_000, toMs: 10_000 });
    for (let i = 0; i < 5_001; i++) heard.heard(`${i}`);
    state.meanwhile = () => {
      state.now += 20_000;
      heard.caughtUp(state.now);
      heard.heard("meanwhile");
    };
    await heard.save();
    assertEquals(
      listened(),
      { fromMs: 70_000, toMs: 30_000 },
      "not while the first part was written",
    );
    heard.deaf();
    heard.listening();
    await heard.save();
    assertEquals(listened(), { fromMs: 0, toMs: 0 });
  },
);
