import { assert, assertEquals } from "@std/assert";
import { until } from "../../testing/until.ts";
import { entry } from "../bus/contract.ts";
import { Batch } from "./batch.ts";
import { Outbox } from "./outbox.ts";
import { type Flushable, Turn } from "./turn.ts";

const strict = { sanitizeOps: true, sanitizeResources: true, sanitizeExit: true };

function scene(maxBytes = 1000) {
  const frames: string[] = [];
  const wire = { write: (frame: string) => void frames.push(frame), waiting: 0 };
  let overflows = 0;
  const turn = new Turn();
  const outbox = new Outbox(
    { write: wire.write, buffered: () => wire.waiting },
    turn,
    () => maxBytes,
    () => overflows++,
  );
  return { frames, wire, outbox, turn, overflows: () => overflows };
}

/** Resolves when the turn is over, so that nothing of it is left behind. */
function turnOver(turn: Turn): Promise<void> {
  return new Promise((resolve) => turn.add({ flush: resolve }));
}

Deno.test("Outbox sends one item of a turn as one object", strict, async () => {
  const { frames, outbox } = scene();
  outbox.push('{"type":"pong"}');
  assertEquals(frames, []);
  await until("written", () => frames.length > 0);
  assertEquals(frames, ['{"type":"pong"}']);
});

Deno.test("Outbox sends the items of a turn as one array in order", strict, async () => {
  const { frames, outbox } = scene(10_000);
  outbox.push('{"n":1}');
  outbox.push(new Batch([entry("room", 7), entry("room", 8)]));
  outbox.push('{"n":2}');
  outbox.push(new Batch([entry("room", 9)]));
  await until("written", () => frames.length > 0);
  assertEquals(frames.length, 1);
  const items = JSON.parse(frames[0]!) as { n?: number; seq?: number }[];
  assertEquals(items.map(({ n, seq }) => n ?? seq), [1, 7, 8, 2, 9]);
});

Deno.test(
  "Outbox sends a batch of several alone as an array, of one as an object",
  strict,
  async () => {
    const { frames, outbox, turn } = scene(10_000);
    outbox.push(new Batch([entry("room", 1), entry("room", 2)]));
    outbox.flush();
    outbox.push(new Batch([entry("room", 3)]));
    outbox.flush();
    const shapes = frames.map((frame) => JSON.parse(frame));
    assertEquals(shapes[0].map(({ seq }: { seq: number }) => seq), [1, 2]);
    assertEquals([shapes[1].seq, shapes[1].type], [3, "event"]);
    await turnOver(turn);
  },
);

Deno.test("Outbox cuts off a reader with too much waiting, once", strict, async () => {
  const { frames, wire, outbox, turn, overflows } = scene(100);
  wire.waiting = 60;
  outbox.push("x".repeat(40));
  outbox.flush();
  assertEquals([frames.length, overflows()], [1, 0]);
  wire.waiting = 100;
  outbox.push("y");
  outbox.flush();
  wire.waiting = 0;
  outbox.push("z");
  outbox.flush();
  assertEquals([frames.length, overflows()], [1, 1]);
  await turnOver(turn);
});

Deno.test("Outbox writes a turn of any size to a reader that keeps up", strict, async () => {
  const { frames, wire, outbox, turn, overflows } = scene(100);
  outbox.push("x".repeat(1000));
  outbox.flush();
  assertEquals([frames.length, overflows()], [1, 0]);
  wire.waiting = 1;
  outbox.push("y".repeat(1000));
  outbox.flush();
  assertEquals([frames.length, overflows()], [1, 1]);
  await turnOver(turn);
});

Deno.test("Outbox writes nothing after its close", strict, async () => {
  const { frames, outbox, turn } = scene();
  outbox.push("a");
  outbox.close();
  outbox.push("b");
  outbox.flush();
  assertEquals(frames, []);
  await turnOver(turn);
});

Deno.test("Turn flushes each once, also what is added while it runs", strict, async () => {
  const turn = new Turn();
  const calls: string[] = [];
  const second: Flushable = { flush: () => void calls.push("second") };
  const first: Flushable = {
    flush: () => {
      calls.push("first");
      turn.add(second);
    },
  };
  turn.add(first);
  turn.add(first);
  await until("flushed", () => calls.length >= 2);
  assertEquals(calls, ["first", "second"]);
});

Deno.test("Turn goes on after a flush that throws", strict, async () => {
  const failures: unknown[] = [];
  const turn = new Turn((error) => failures.push(error));
  let flushed = 0;
  turn.add({
    flush: () => {
      throw new Error("broken on purpose");
    },
  });
  turn.add({ flush: () => flushed++ });
  await until("flushed", () => flushed === 1);
  turn.add({ flush: () => flushed++ });
  await until("flushed again", () => flushed === 2);
  assertEquals(failures.length, 1);
});

Deno.test("Turn lets other events in between long work", strict, async () => {
  const turn = new Turn();
  let flushed = 0;
  for (let i = 0; i < 400; i++) {
    turn.add({
      flush: () => {
        const end = performance.now() + 0.5;
        while (performance.now() < end);
        flushed++;
      },
    });
  }
  await until("started", () => flushed > 0);
  assert(flushed < 400, "a timer ran only after everything");
  await until("flushed", () => flushed === 400);
});
