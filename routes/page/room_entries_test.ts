import { assert, assertEquals } from "@std/assert";
import type { LogEntry, Message, Room } from "../../lib/client/mod.ts";
import { wordsOf } from "./entry_line.ts";
import type { QuietEntry } from "./entry_line.ts";
import { RoomEntries } from "./room_entries.ts";

const strict = { sanitizeOps: true, sanitizeResources: true, sanitizeExit: true };
const pump = { id: "p", kind: "device", name: "Pump 1" } as const;
const at = "2026-01-01T08:00:00.000Z";

function stateEntry(seq: number): LogEntry {
  const state = { version: seq, desired: { speed: seq } };
  return {
    room: "r",
    epoch: "e",
    seq,
    event: { type: "device.state", actor: pump, at, device: pump, state },
  };
}

/** A log of 1,000 entries where each tenth is about a device, and a page of its newest messages. */
function scene(messages: number[], hasEarlier = true) {
  const asked: number[] = [];
  const changes = { count: 0 };
  const entries = new RoomEntries({
    room: {
      id: "r",
      cursor: { epoch: "e", seq: 1000 },
      timeline: { messages: messages.map((seq) => ({ seq } as Message)), hasEarlier },
    } as unknown as Room,
    changed: () => void changes.count++,
    log({ after, limit }) {
      asked.push(after);
      const seqs = Array.from({ length: limit }, (_, i) => after + 1 + i).filter((s) => s <= 1000);
      return Promise.resolve({
        entries: seqs.map((seq) => {
          const entry = stateEntry(seq);
          const other = { ...entry, event: { type: "other" } } as unknown as LogEntry;
          return seq % 10 === 0 ? entry : other;
        }),
        head: 1000,
        epoch: "e",
        hasMore: after + limit < 1000,
      });
    },
  });
  return { entries, asked, changes };
}

Deno.test("RoomEntries reads what lies between the messages of a page", strict, async () => {
  const { entries, asked, changes } = scene([951, 955, 999]);
  await entries.fill();
  assertEquals(entries.list.map(({ seq }) => seq), [960, 970, 980, 990, 1000]);
  assertEquals([asked, changes.count], [[950], 1]);
  await entries.fill();
  assertEquals(asked.length, 1, "the same page is not read again");
});

Deno.test("RoomEntries reads the newest where there is more than it reads", strict, async () => {
  const { entries, asked } = scene([1500], false);
  await entries.fill();
  assertEquals(asked, [0, 200, 400, 600, 800]);
  assertEquals([entries.list.length, entries.list[0]!.seq], [100, 10]);
});

Deno.test("RoomEntries asks nothing where every entry is a message", strict, async () => {
  const { entries, asked } = scene([998, 999, 1000]);
  await entries.fill();
  assertEquals([asked, entries.list], [[], []]);
});

Deno.test("RoomEntries keeps the newest, however many come", strict, () => {
  const { entries } = scene([]);
  for (let seq = 1; seq <= 700; seq++) entries.receive(stateEntry(seq));
  const { list } = entries;
  assertEquals([list.length, list[0]!.seq, list.at(-1)!.seq], [500, 201, 700]);
  entries.reset();
  assertEquals(entries.list, []);
});

Deno.test("a quiet line says who wished what, and who fell silent", strict, () => {
  const base = { actor: { id: "a", kind: "user", name: "Ada" }, at, device: pump } as const;
  const words = (event: QuietEntry["event"]) => {
    const [before, after] = wordsOf(event);
    return `${before}Pump 1${after}`;
  };
  const desired = { speed: 3, mode: "eco", on: true };
  const state = { ...base, type: "device.state", state: { version: 2, desired } } as const;
  assertEquals(words(state), "Ada set Pump 1 to speed 3, mode eco, on true");
  const alert = { kind: "silent", lastSeen: at, expectedSeconds: 5 } as const;
  const silent = words({ ...base, type: "device.alert", alert });
  assert(/^Pump 1 is silent: last heard .+, expected every 5 s$/.test(silent), silent);
  assertEquals(
    words({ ...base, type: "device.alert", alert: { kind: "silent" } }),
    "Pump 1 is silent: never heard",
  );
  assertEquals(words({ ...base, type: "device.alert", alert: { kind: "back" } }), "Pump 1 is back");
});
