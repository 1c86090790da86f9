import { assert, assertEquals } from "@std/assert";
import { ConfabError } from "../lib/errors.ts";
import { newId } from "../lib/ids.ts";
import { createLog } from "../lib/log.ts";
import { until } from "../testing/until.ts";
import { OpenCommands } from "./open_commands.ts";
import type { OpenCommand } from "./ports.ts";
import { Topics } from "./topics.ts";

const strict = { sanitizeOps: true, sanitizeResources: true, sanitizeExit: true };
const topics = new Topics("confab/");
const expiresAt = new Date(Date.now() + 600_000).toISOString();

function queued(number: number, device: string): OpenCommand {
  const from = { id: newId(), name: "Ada" };
  return {
    number,
    device,
    id: newId(),
    room: newId(),
    seq: number,
    name: "x",
    args: {},
    from,
    expiresAt,
    readAt: new Date(),
  };
}

/** Commands in a store, and what was published of them. */
function fixture(commands: OpenCommand[]) {
  const stop = new AbortController();
  const questions: (string[] | null)[] = [];
  const published: number[] = [];
  const asked: { hold?: Promise<void> } = {};
  const failing = { times: 0, code: "unavailable" as "unavailable" | "forbidden" };
  const open = new OpenCommands({
    topics,
    store: {
      openCommands: async (devices, after, limit) => {
        if (after === 0) questions.push(devices);
        const wanted = commands.filter(({ number, device }) =>
          number > after && (devices === null || devices.includes(device))
        );
        await asked.hold;
        return wanted.slice(0, limit);
      },
    },
    publisher: {
      publish: (_topic, payload) => {
        if (failing.times-- > 0) return Promise.reject(new ConfabError(failing.code));
        published.push(JSON.parse(payload).seq);
        return Promise.resolve();
      },
    },
    log: createLog("silent"),
    signal: stop.signal,
  });
  const running = open.run();
  return {
    open,
    questions,
    asked,
    published,
    failing,
    async [Symbol.asyncDispose]() {
      stop.abort();
      await running;
    },
  };
}

const [a, b, c] = [newId(), newId(), newId()];
const numbers = (all: OpenCommand[]) => all.map(({ number }) => number);

Deno.test("all open commands come with a connection, page by page in order", strict, async () => {
  const commands = Array.from({ length: 450 }, (_, i) => queued(i + 1, [a, b, c][i % 3]!));
  await using scene = fixture(commands);
  scene.open.connected();
  await until("all are published", () => scene.published.length >= commands.length);
  assertEquals(scene.published, numbers(commands));
});

Deno.test("devices that come together are asked for together, and not again", strict, async () => {
  const commands = [queued(1, a), queued(2, b), queued(3, a), queued(4, c)];
  await using scene = fixture(commands);
  scene.open.born(a);
  for (let i = 0; i < 100; i++) scene.open.born(i % 2 === 0 ? a : b);
  await until("they are published", () => scene.published.length >= 3);
  assertEquals([scene.questions, scene.published], [[[a, b]], [1, 2, 3]]);
});

Deno.test("a broker or a database that is away is asked until it answers", strict, async () => {
  const commands = [queued(1, a), queued(2, a)];
  await using scene = fixture(commands);
  scene.failing.times = 3;
  scene.open.born(a);
  await until("they are published", () => scene.published.includes(1));
  assert(scene.published.indexOf(1) < scene.published.lastIndexOf(2));
});

Deno.test("a command that a broker refuses keeps none of the others back", strict, async () => {
  const commands = [queued(1, a), queued(2, a), queued(3, b)];
  await using scene = fixture(commands);
  Object.assign(scene.failing, { times: 1, code: "forbidden" });
  scene.open.connected();
  await until("the others are published", () => scene.published.length === 2);
  assertEquals([scene.published, scene.questions], [[2, 3], [null]]);
});

Deno.test("a command whose time is over is not published", strict, async () => {
  const readAt = new Date(Date.now() - 3_600_000);
  const expiring = (ms: number) => new Date(readAt.getTime() + ms).toISOString();
  const over = { ...queued(1, a), readAt, expiresAt: expiring(-1) };
  await using scene = fixture([over, { ...queued(2, a), readAt, expiresAt: expiring(1000) }]);
  scene.open.born(a);
  await until("the other is published", () => scene.published.length > 0);
  assertEquals(scene.published, [2], "by the clock of the database, which is behind");
});

Deno.test(
  "a command that is sent while older ones are on their way comes after them",
  strict,
  async () => {
    const commands = [queued(1, a), queued(2, a)];
    await using scene = fixture(commands);
    const { open } = scene;
    assertEquals(open.takes(a), false);
    const { promise, resolve } = Promise.withResolvers<void>();
    scene.asked.hold = promise;
    open.born(a);
    assertEquals([open.takes(a), open.takes(b)], [true, false]);
    await until("they are read", () => scene.questions.length === 1);
    commands.push(queued(3, a));
    assertEquals([open.takes(a), open.takes(b)], [true, false]);
    resolve();
    await until("it is published", () => scene.published.includes(3));
    assertEquals(scene.published, [1, 2, 1, 2, 3]);
    await until("nothing is on its way", () => !open.takes(a));
  },
);

Deno.test("a new connection takes the commands of every device", strict, async () => {
  await using scene = fixture([queued(1, a)]);
  scene.failing.times = 1;
  scene.open.connected();
  assertEquals([scene.open.takes(a), scene.open.takes(b)], [true, true]);
  await until("all are published, at the second attempt", () => scene.published.length > 0);
  await until("nothing is on its way", () => !scene.open.takes(b));
});
