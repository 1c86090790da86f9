/** The devices against a bridge that the test plays, which answers as a real one rarely does. */
import { assert, assertEquals } from "@std/assert";
import { newId } from "../lib/ids.ts";
import { type ExampleDevice, type ExampleKind, exampleKinds } from "../testing/example_process.ts";
import { brokerKinds, passwordOf } from "../testing/mqtt_broker.ts";
import { TestDevice } from "../testing/mqtt_device.ts";
import { topics } from "../testing/mqtt_scene.ts";
import { testWith } from "../testing/services.ts";
import { range } from "../testing/subscriber.ts";
import { until } from "../testing/until.ts";

const embedded = (await brokerKinds()).find(({ name }) => name === "aedes")!;
const RETRY_SECONDS = 1;

/** A broker, a device that is not running yet, and the bridge. */
async function scene(kind: ExampleKind) {
  await using stack = new AsyncDisposableStack();
  const broker = stack.use(await embedded.start());
  const device = await broker.addDevice();
  const bridge = stack.use(
    await TestDevice.connect({ ...broker.bridge, clientId: "confab-bridge-0" }),
  );
  for (const filter of Object.values(topics.inbound())) await bridge.subscribe(filter);
  const folder = await Deno.makeTempDir({ prefix: "confab-example-" });
  stack.defer(() => Deno.remove(folder, { recursive: true }));
  const { hostname: host, port } = new URL(broker.url);
  const room = newId();
  const access = { host, port: Number(port), device, secret: passwordOf(device), room };
  const say = (topic: string, value: unknown) => bridge.publish(topic, JSON.stringify(value));
  const opened = stack.move();
  return {
    room,
    /** Starts the device, and waits until it is connected. */
    async start(): Promise<ExampleDevice> {
      const running = kind.start(access, folder);
      const online = () => running.sessions.length === 1;
      await until(`it is connected; it says: ${running.stderr}`, online, 30_000);
      return running;
    },
    sends: (count: number) => bridge.waitFor(topics.send(device, room), count),
    requests: (count: number) => bridge.waitFor(topics.requests(device), count),
    receipt: (value: unknown) => say(topics.receipts(device), value),
    error: (value: unknown) => say(topics.errors(device), value),
    respond: (value: unknown) => say(topics.responses(device), value),
    head: (epoch: string, seq: number) => say(topics.head(device, room), { epoch, seq }),
    event: (epoch: string, seq: number) =>
      say(topics.events(device, room), entry(epoch, seq, room)),
    [Symbol.asyncDispose]: () => opened.disposeAsync(),
  };
}

function entry(epoch: string, seq: number, room: string) {
  return { room, epoch, seq, event: { type: "room.updated" } };
}

async function told(device: ExampleDevice, seqs: number[]): Promise<void> {
  await until(`it tells of ${seqs.length} entries`, () => device.entries.length >= seqs.length);
  assertEquals(device.entries.map(({ seq }) => seq), seqs);
}

for (const kind of await exampleKinds()) {
  testWith(kind.service, `the device in ${kind.name} does what each error asks for`, async () => {
    await using test = await scene(kind);
    await using device = await test.start();
    device.write(["One"]);
    const [first] = await test.sends(1);
    assertEquals(first.text, "One");
    const { clientId } = first;

    const since = performance.now();
    const message = "A reason";
    await test.error({ code: "rate_limited", message, retryAfter: RETRY_SECONDS, clientId });
    assertEquals((await test.sends(2))[1], first, "the same again, with its key");
    assert(performance.now() - since >= RETRY_SECONDS * 1000, "after the time that it was told");

    await test.error({ code: "client_id_reused", message, clientId });
    const renamed = (await test.sends(3))[2];
    assertEquals(renamed.text, "One");
    assert(renamed.clientId !== clientId, "another key");
    const receipt = { room: test.room, seq: 1, at: "2026-01-01T00:00:00.000Z", duplicate: false };
    await test.receipt({ clientId: renamed.clientId, ...receipt });
    await until("it knows of the receipt", () => device.receipts.length === 1);

    device.write(['{"two": 2}']);
    const refused = (await test.sends(4))[3];
    assertEquals(refused.data, { two: 2 });
    await test.error({ code: "read_only", message, clientId: refused.clientId });
    await until("it has given up", () => device.refused.length === 1);
    assertEquals(device.refused, [{ refused: refused.clientId, code: "read_only", message }]);

    device.write(["Three"]);
    const third = (await test.sends(5))[4];
    await device.kill("SIGKILL");
    await using again = await test.start();
    assertEquals((await test.sends(6))[5], third, "only what has no answer comes again");
    again.write(["Four"]);
    const fourth = (await test.sends(7))[6];
    assertEquals(fourth.text, "Four");
    const keys = [clientId, renamed.clientId, refused.clientId, third.clientId, fourth.clientId];
    assertEquals(new Set(keys).size, keys.length, "no key is used twice");
  });

  testWith(kind.service, `the device in ${kind.name} asks for whatever it misses`, async () => {
    await using test = await scene(kind);
    const { room } = test;
    await using device = await test.start();
    /** Answers the request with this number, which must be as given, with these entries. */
    const answer = async (
      count: number,
      asked: { after: number; epoch?: string },
      epoch: string,
      seqs: number[],
      head: number,
    ) => {
      const { requestId, limit: _, ...request } = (await test.requests(count))[count - 1];
      assertEquals(request, { type: "log", room, ...asked });
      const entries = seqs.map((seq) => entry(epoch, seq, room));
      await test.respond({ requestId, room, epoch, head, entries, hasMore: seqs.at(-1) !== head });
    };
    await test.head("e1", 3);
    await answer(1, { after: 0 }, "e1", [1, 2], 3);
    await answer(2, { after: 2, epoch: "e1" }, "e1", [3], 3);
    for (const seq of [4, 4, 5, 3]) await test.event("e1", seq);
    await told(device, range(1, 5));

    await test.event("e1", 8);
    await test.requests(3);
    await test.event("e1", 9); // while it waits for the answer
    await answer(3, { after: 5, epoch: "e1" }, "e1", [6, 7, 8], 8);
    await answer(4, { after: 8, epoch: "e1" }, "e1", [9], 9);
    await told(device, range(1, 9));

    device.write(["Later than the cursor"]);
    await test.sends(1);
    await device.kill("SIGKILL");
    await using again = await test.start();
    await test.head("e1", 9);
    await test.event("e1", 10);
    await told(again, [10]);
    assertEquals((await test.requests(4)).length, 4, "nothing was missing");

    await test.head("e2", 2);
    await answer(5, { after: 0 }, "e2", [1, 2], 2);
    await told(again, [10, 1, 2]);
    await test.event("e2", 4);
    const { requestId } = (await test.requests(6))[5];
    await test.respond({ requestId, error: { code: "epoch_changed", message: "Another" } });
    await answer(7, { after: 0 }, "e3", [1], 1);
    await told(again, [10, 1, 2, 1]);
  });
}
