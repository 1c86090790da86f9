import { assertEquals, assertRejects } from "@std/assert";
import type { Principal } from "../lib/auth/principal.ts";
import { ConfabError } from "../lib/errors.ts";
import { newId } from "../lib/ids.ts";
import { createLog } from "../lib/log.ts";
import type { SendOk } from "../lib/protocol.ts";
import { OrderedSends } from "./ordered_sends.ts";

const strict = { sanitizeOps: true, sanitizeResources: true, sanitizeExit: true };
const device: Principal = { id: newId(), kind: "device", name: "d", role: "device" };
const room = newId();

type Result = PromiseSettledResult<SendOk>;
/** Says what becomes of one group, given as its texts. */
type Store = (texts: string[], call: number) => Result[] | Promise<Result[]>;

const ok = (): Result => ({
  status: "fulfilled",
  value: { seq: 1, at: new Date().toISOString(), duplicate: false },
});
const failed = (reason: unknown): Result => ({ status: "rejected", reason });
const away = () => failed(new ConfabError("unavailable"));

function fixture(store: Store) {
  const groups: string[][] = [];
  const settled: string[] = [];
  const stop = new AbortController();
  const sends = new OrderedSends({
    actions: {
      async send(_device, _room, messages) {
        const texts = messages.map(({ body }) => body.text!);
        groups.push(texts);
        return await store(texts, groups.length);
      },
    },
    devices: { principal: () => Promise.resolve(device) },
    log: createLog("silent"),
    signal: stop.signal,
  });
  const send = async (text: string, { qos = 1 as 0 | 1, bytes = 10, to = room } = {}) => {
    const payload = new Uint8Array(bytes);
    await sends.store(device.id, to, { clientId: text, body: { text } }, { qos, payload });
    settled.push(text);
  };
  return { send, groups, settled, stop };
}

const range = (from: number, to: number) =>
  Array.from({ length: to - from + 1 }, (_, i) => `${from + i}`);

Deno.test("what comes while one group commits goes together after it", strict, async () => {
  const gate = Promise.withResolvers<void>();
  const f = fixture(async (texts, call) => {
    if (call === 1) await gate.promise;
    return texts.map(ok);
  });
  const first = range(1, 3).map((text) => f.send(text));
  await Promise.resolve(); // the first group leaves at the end of this turn
  const rest = range(4, 500).map((text) => f.send(text));
  gate.resolve();
  await Promise.all([...first, ...rest]);
  assertEquals(f.groups, [range(1, 3), range(4, 259), range(260, 500)]);
  assertEquals(f.settled, range(1, 500));
});

Deno.test(
  "a message that comes while the last one is being told of is stored",
  strict,
  async () => {
    const f = fixture((texts) => texts.map(ok));
    for (let turns = 0; turns < 12; turns++) {
      await f.send(`first ${turns}`);
      for (let turn = 0; turn < turns; turn++) await Promise.resolve();
      const late = Promise.withResolvers<void>();
      const timer = setTimeout(
        () => late.reject(new Error(`Forgotten after ${turns} turns`)),
        2000,
      );
      await Promise.race([f.send(`second ${turns}`), late.promise]);
      clearTimeout(timer);
    }
  },
);

Deno.test("what must be tried again goes before all that came later", strict, async () => {
  const f = fixture((texts, call) => {
    if (call === 1) return texts.map((_, i) => i < 2 ? ok() : away());
    if (call === 2) return texts.map(away);
    return texts.map(ok);
  });
  const first = range(1, 5).map((text) => f.send(text));
  await first[0];
  await Promise.all([...first, ...range(6, 8).map((text) => f.send(text))]);
  assertEquals(f.groups, [range(1, 5), range(3, 8), range(3, 8)]);
  assertEquals(f.settled, range(1, 8));
});

Deno.test("one that is refused takes nobody along and holds nobody up", strict, async () => {
  const refusal = new ConfabError("read_only");
  const f = fixture((texts) => texts.map((text) => text === "2" ? failed(refusal) : ok()));
  const [one, two, three] = range(1, 3).map((text) => f.send(text));
  await assertRejects(() => two!, ConfabError, refusal.message);
  await Promise.all([one, three]);
  assertEquals(f.groups, [range(1, 3)]);
});

Deno.test("one with an unknown failure is not stored behind later ones", strict, async () => {
  const f = fixture((texts) =>
    texts.map((text) => text === "2" ? failed(new TypeError("bug")) : ok())
  );
  const [one, two, three] = range(1, 3).map((text) => f.send(text));
  await assertRejects(() => two!, TypeError);
  await Promise.all([one, three]);
  assertEquals(f.groups, [range(1, 3)], "a repeat would come behind the third");
});

Deno.test("a group with an unknown failure is tried again one by one", strict, async () => {
  const f = fixture((texts) =>
    texts.map(() => texts.includes("2") ? failed(new TypeError("bug")) : ok())
  );
  const [one, two, three] = range(1, 3).map((text) => f.send(text));
  await assertRejects(() => two!, TypeError);
  await Promise.all([one, three]);
  assertEquals(f.groups, [range(1, 3), ["1"], ["2"], ["2"], ["3"]]);
  assertEquals(f.settled, ["1", "3"]);
});

Deno.test("a group is bounded by bytes, too, and a large one goes alone", strict, async () => {
  const f = fixture((texts) => texts.map(ok));
  const bytes = 600 * 1024;
  await Promise.all(["1", "2", "3"].map((text) => f.send(text, { bytes })));
  assertEquals(f.groups, [["1"], ["2"], ["3"]]);
});

Deno.test("a room that fails does not hold up another", strict, async () => {
  const gate = Promise.withResolvers<void>();
  const f = fixture(async (texts) => {
    if (texts.includes("stuck")) await gate.promise;
    return texts.map(ok);
  });
  const stuck = f.send("stuck");
  await f.send("other", { to: newId() });
  assertEquals(f.settled, ["other"]);
  gate.resolve();
  await stuck;
});

Deno.test("at the signal everything that waits is given up", strict, async () => {
  const f = fixture((texts) => texts.map(away));
  const sends = range(1, 3).map((text) => f.send(text));
  f.stop.abort();
  for (const result of await Promise.allSettled(sends)) assertEquals(result.status, "rejected");
  assertEquals(f.settled, []);
});
