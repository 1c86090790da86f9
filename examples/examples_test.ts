/** The examples as their readers run them: processes of their own against a whole Confab. */
import { assert, assertEquals } from "@std/assert";
import type { LogEntry } from "../lib/protocol.ts";
import { type Account, ApiClient } from "../testing/api_client.ts";
import { type Backend, single } from "../testing/backend.ts";
import {
  type ExampleAccess,
  type ExampleDevice,
  exampleKinds,
  findMosquittoTools,
  runTour,
} from "../testing/example_process.ts";
import { freePort } from "../testing/mosquitto.ts";
import { startNodeProcess } from "../testing/node_process.ts";
import { testWith } from "../testing/services.ts";
import { range } from "../testing/subscriber.ts";
import { until } from "../testing/until.ts";

const READINGS = 200;
const LATE_MS = 60_000;

/** A Confab with its embedded broker, and one room with a device in it. */
async function scene() {
  await using stack = new AsyncDisposableStack();
  const backend: Backend = stack.use(await single().start());
  const env = { ...backend.env, MQTT_PORT: `${freePort()}` };
  const { url, main } = stack.use(await startNodeProcess(env));
  const folder = await Deno.makeTempDir({ prefix: "confab-example-" });
  stack.defer(() => Deno.remove(folder, { recursive: true }));
  const api = new ApiClient(url);
  const owner = await api.register("ann");
  const room = await api.room(owner);
  const made = await api.request("POST", "/v1/devices", {
    token: owner.token,
    body: { name: "Sensor" },
  });
  assertEquals(made.status, 201);
  const { host, port, username: device, password: secret } = made.body.mqtt;
  const path = `/v1/rooms/${room}/members/${device}`;
  const joined = await api.request("PUT", path, { token: owner.token, body: {} });
  assertEquals(joined.status, 201);
  const access: ExampleAccess = { host, port, device, secret, room };
  const opened = stack.move();
  return {
    api,
    owner,
    room,
    access,
    folder,
    pid: main.pid,
    [Symbol.asyncDispose]: () => opened.disposeAsync(),
  };
}

/** What a message says; undefined for other entries. */
function contentOf({ event }: LogEntry): string | undefined {
  if (event.type !== "message.created") return undefined;
  const { text, data } = event.message;
  return text ?? JSON.stringify(data);
}

function messagesOf(log: LogEntry[], sender: string): string[] {
  const own = log.filter(({ event }) =>
    event.type === "message.created" && event.message.sender.id === sender
  );
  return own.map((entry) => contentOf(entry)!);
}

const seqs = (entries: LogEntry[]) => entries.map(({ seq }) => seq);

/** Every entry that a device told of in one life comes after the one before, without a gap. */
function checkOrder(entries: LogEntry[]): void {
  assertEquals(seqs(entries), range(entries[0]!.seq, entries.at(-1)!.seq));
}

/** Waits until the device has told of the whole log; resolves to the log. */
async function caughtUp(api: ApiClient, owner: Account, room: string, device: ExampleDevice) {
  const log = await api.log(owner, room);
  const head = log.at(-1)!.seq;
  await until(
    `the device knows entry ${head}; it says: ${device.stderr}`,
    () => device.entries.at(-1)?.seq === head,
    LATE_MS,
  );
  return log;
}

async function settled(device: ExampleDevice, receipts: number): Promise<void> {
  await until(
    `${receipts} receipts; it says: ${device.stderr}`,
    () => device.receipts.length >= receipts,
    LATE_MS,
  );
}

for (const kind of await exampleKinds()) {
  testWith(
    kind.service,
    `the device in ${kind.name} loses nothing and doubles nothing through a kill -9`,
    async () => {
      await using test = await scene();
      const { api, owner, room, access, folder, pid } = test;
      const before = range(1, READINGS).map((i) =>
        i % 2 === 0 ? `{"reading":${i}}` : `Reading ${i}`
      );
      await using first = kind.start(access, folder);
      first.write(before.slice(0, READINGS / 2));
      await settled(first, READINGS / 4);
      // Confab is held in the middle of it, so that receipts are missing when the device is killed.
      Deno.kill(pid, "SIGSTOP");
      first.write(before.slice(READINGS / 2));
      await until("all readings are taken", () => first.taken.length === READINGS, LATE_MS);
      assertEquals((await first.kill("SIGKILL")).signal, "SIGKILL");
      Deno.kill(pid, "SIGCONT");
      assert(first.receipts.length < READINGS, "it was killed in the middle");
      for (const i of range(1, 5)) await api.send(owner, room, `Said meanwhile ${i}`);

      await using second = kind.start(access, folder);
      const after = range(1, 5).map((i) => `After the restart ${i}`);
      second.write(after);
      const everything = () => [...first.receipts, ...second.receipts].length;
      await until(
        `it knows that everything is stored; it says: ${second.stderr}`,
        () => second.receipts.length >= after.length && everything() >= READINGS + after.length,
        LATE_MS,
      );
      const log = await caughtUp(api, owner, room, second);
      const stored = messagesOf(log, access.device);
      assertEquals(stored.toSorted(), [...before, ...after].toSorted());
      assertEquals([...first.refused, ...second.refused], []);

      // What both lives told of is the log; the second may begin with what the first ended with.
      for (const life of [first, second]) checkOrder(life.entries);
      const border = second.entries[0]!.seq;
      const told = [...first.entries.filter(({ seq }) => seq < border), ...second.entries];
      assertEquals(seqs(told), seqs(log));
      assertEquals(told.map(contentOf), log.map(contentOf));

      assert(second.sessions[0]! > first.sessions[0]!, "a later connection has a higher number");
      assertEquals((await second.kill("SIGTERM")).code, 0);
    },
  );
}

testWith(
  await findMosquittoTools(),
  "the tour with Mosquitto's tools hears what it expects",
  async () => {
    await using test = await scene();
    const { code, output } = await runTour(test.access);
    assertEquals(code, 0, output);
    assert(!output.includes(test.access.secret), "the secret is not shown");
    const stored = messagesOf(await test.api.log(test.owner, test.room), test.access.device);
    const [hello, reading, cutOff, ...more] = stored;
    assert(hello?.startsWith("Hello from tour-") && cutOff?.startsWith("Cut off: tour-"), output);
    assertEquals([reading, more], ['{"celsius":21.5}', []]);
  },
);

testWith(
  await findMosquittoTools(),
  "the tour fails when what it expects does not come",
  async () => {
    await using test = await scene();
    // A reader hears all, and what it sends is refused.
    const path = `/v1/rooms/${test.room}/members/${test.access.device}`;
    const reader = { token: test.owner.token, body: { role: "reader" } };
    assertEquals((await test.api.request("PUT", path, reader)).status, 200);
    const { code, output } = await runTour(test.access);
    assertEquals(code, 1, output);
    assert(output.includes("missing: it is an entry of the room's log"), output);
  },
);
