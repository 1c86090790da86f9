import { assertEquals } from "@std/assert";
import { ConfabError } from "../lib/errors.ts";
import { newId } from "../lib/ids.ts";
import { createLog } from "../lib/log.ts";
import { Inbound } from "./inbound.ts";
import { KnownDevices } from "./known_devices.ts";
import { Topics } from "./topics.ts";

const strict = { sanitizeOps: true, sanitizeResources: true, sanitizeExit: true };
const topics = new Topics("confab/");
const device = newId();

/** Inbound with a handler for `status`, for a device that may publish `burst` times. */
function fixture(burst: number) {
  const story: string[] = [];
  const actions = {
    device: (id: string) =>
      Promise.resolve({ id, kind: "device", name: "d", role: "device" } as const),
    send: () => Promise.reject(new ConfabError("read_only")),
    log: () => Promise.reject(new ConfabError("unavailable")),
  };
  const inbound = new Inbound({
    topics,
    actions,
    devices: new KnownDevices(actions, { perSecond: 0, burst }),
    publisher: {
      publish: (_, payload) => {
        story.push(JSON.parse(payload).code);
        return Promise.resolve();
      },
    },
    handlers: {
      status: ({ delivery }) => {
        story.push(`status ${new TextDecoder().decode(delivery.payload)}`);
        return Promise.resolve();
      },
    },
    log: createLog("silent"),
    signal: new AbortController().signal,
    onHeard: (id) => story.push(`heard ${id === device}`),
    onBirth: () => story.push("born"),
    onStored: () => {},
  });
  const say = async (topic: string, text: string, retained = false) => {
    story.length = 0;
    await inbound.accept({
      topic,
      payload: new TextEncoder().encode(text),
      qos: 0,
      retained,
      properties: {},
      acknowledge: () => story.push("ack"),
    });
    return [...story];
  };
  return {
    say,
    status: (text: string, retained?: boolean) => say(topics.status(device), text, retained),
  };
}

const BIRTH = '{"online":true}';
const WILL = '{"online":false}';

Deno.test("births beyond the quota are refused, last wills never are", strict, async () => {
  const { status } = fixture(1);
  assertEquals(await status(BIRTH), ["heard true", "born", `status ${BIRTH}`, "ack"]);
  assertEquals(await status(BIRTH), ["heard true", "rate_limited", "ack"]);
  for (let i = 0; i < 3; i++) assertEquals(await status(WILL), [`status ${WILL}`, "ack"]);
});

Deno.test("of last wills beyond the quota the newest counts, until a birth", strict, async () => {
  const { status } = fixture(1);
  await status(BIRTH);
  const wills = Array.from({ length: 100 }, (_, i) => `{"online":false,"session":${i}}`);
  const said = (await Promise.all(wills.map((will) => status(will)))).at(-1)!;
  assertEquals(said.filter((one) => one !== "ack"), [`status ${wills.at(-1)}`]);
  const [, story] = await Promise.all([status(WILL), status(BIRTH, true)]);
  assertEquals(story.filter((one) => one.startsWith("status")), [`status ${BIRTH}`]);
});

Deno.test("what the broker shows again is not the device's voice", strict, async () => {
  const { say, status } = fixture(0);
  assertEquals(await status(BIRTH, true), ["born", `status ${BIRTH}`, "ack"]);
  assertEquals(await status(WILL, true), [`status ${WILL}`, "ack"]);
  const topic = topics.send(device, newId());
  assertEquals(await say(topic, "old", true), ["ack"]);
  assertEquals(await say(topic, "new"), ["heard true", "rate_limited", "ack"]);
});
