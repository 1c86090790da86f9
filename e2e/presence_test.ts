import { assert, assertEquals } from "@std/assert";
import type { RoomId, ServerFrame } from "../lib/protocol.ts";
import { type Account, ApiClient } from "../testing/api_client.ts";
import { type BackendKind, edge, selfHosted } from "../testing/backend.ts";
import { TestStream } from "../testing/event_stream.ts";
import { startNodeProcess } from "../testing/node_process.ts";
import { startProxy } from "../testing/proxy.ts";
import { findRedis, TEST_REDIS_URL, testWith } from "../testing/services.ts";
import { TestSocket } from "../testing/test_socket.ts";
import { until } from "../testing/until.ts";

/** A lease, a round that is 20 % late, what is gathered; the rest is for a slow machine. */
const LEASE_SECONDS = 3;
const BOUND_MS = LEASE_SECONDS * 1400 + 1000 + 6000;

/** Two processes on one backend, and a room of three. */
async function twoNodes(kind: BackendKind, second: Record<string, string> = {}) {
  await using stack = new AsyncDisposableStack();
  const backend = stack.use(await kind.start());
  const env = { ...backend.env, PRESENCE_LEASE_SECONDS: `${LEASE_SECONDS}`, LOG_LEVEL: "info" };
  const [one, two] = await Promise.all([
    startNodeProcess(env).then((node) => stack.use(node)),
    startNodeProcess({ ...env, ...second }).then((node) => stack.use(node)),
  ]);
  const api = new ApiClient(one.url);
  const [ada, bob, eve] = await Promise.all(["ada", "bob", "eve"].map((n) => api.register(n))) as [
    Account,
    Account,
    Account,
  ];
  const room = await api.room(ada, bob, eve);
  const socket = async ({ url }: { url: string }, { token }: Account) => {
    const made = opened.use(await TestSocket.connect(url, { token }));
    await made.ok({ type: "join", room });
    return made;
  };
  const opened = stack.move();
  return {
    ...{ one, two, api, ada, bob, eve, room, socket },
    there: new ApiClient(two.url),
    [Symbol.asyncDispose]: () => opened.disposeAsync(),
  };
}

/** What the signals say about somebody by now. */
function stateOf(frames: ServerFrame[], room: RoomId, { id }: Account): string | undefined {
  let state: string | undefined;
  for (const frame of frames) {
    if (frame.type !== "signal" || frame.room !== room || frame.signal.type !== "presence") {
      continue;
    }
    if (frame.signal.state !== "known") state = frame.signal.state;
    state = frame.signal.changes.find(({ principal }) => principal === id)?.state ?? state;
  }
  return state;
}

async function sees(socket: TestSocket, room: RoomId, who: Account, state: string) {
  await until(
    `${who.name} is ${state}`,
    () => stateOf(socket.frames, room, who) === state,
    BOUND_MS,
  );
}

/** Presence over REST: the state, and who is online. */
async function read(api: ApiClient, { token }: Account, room: RoomId) {
  const { status, body } = await api.request("GET", `/v1/rooms/${room}/presence`, { token });
  assertEquals(status, 200);
  const online = body.items.filter((item: { state: string }) => item.state === "online");
  return { state: body.state, online: online.map((one: { principal: string }) => one.principal) };
}

/** Who is online, over REST. A slow machine that renews late makes it unknown for a while. */
async function readKnown(api: ApiClient, who: Account, room: RoomId): Promise<string[]> {
  let found = await read(api, who, room);
  await until("it is known", async () => {
    if (found.state === "unknown") found = await read(api, who, room);
    return found.state === "known";
  }, BOUND_MS);
  return found.online;
}

for (const kind of [await selfHosted(), await edge()]) {
  testWith(
    kind.service,
    `people come and go on any node, also with one that dies (P9), with ${kind.name}`,
    async () => {
      await using s = await twoNodes(kind);
      const a = await s.socket(s.one, s.ada);
      assertEquals(a.ready.limits.presenceMembers, 200);
      const b = await s.socket(s.two, s.bob);
      const stream = await TestStream.open(s.two.url, s.room, { token: s.eve.token });
      for (const who of [s.ada, s.bob, s.eve]) await sees(a, s.room, who, "online");
      await sees(b, s.room, s.ada, "online");
      const all = [s.ada.id, s.bob.id, s.eve.id].sort();
      for (const api of [s.api, s.there]) {
        assertEquals(await readKnown(api, s.bob, s.room), all);
      }
      await until("the stream is told, too", () => {
        return stream.events.some(({ data }) => data.signal?.type === "presence");
      });
      await b.close();
      await sees(a, s.room, s.bob, "offline");
      assertEquals(stateOf(a.frames, s.room, s.eve), "online");
      await stream[Symbol.asyncDispose]();
      await sees(a, s.room, s.eve, "offline");
      const again = await s.socket(s.two, s.bob);
      await sees(a, s.room, s.bob, "online");
      await s.two.main.kill("SIGKILL");
      await sees(a, s.room, s.bob, "offline");
      assertEquals(await readKnown(s.api, s.ada, s.room), [s.ada.id]);
      await again.closed();
      assertEquals(stateOf(a.frames, s.room, s.ada), "online");
    },
  );
}

testWith(
  await findRedis(),
  "a node without Redis says that presence is unknown, and serves on",
  async () => {
    const proxy = startProxy(Number(new URL(TEST_REDIS_URL).port || 6379));
    try {
      const kind = await selfHosted();
      await using s = await twoNodes(kind, { REDIS_URL: `redis://127.0.0.1:${proxy.port}` });
      const a = await s.socket(s.one, s.ada);
      const b = await s.socket(s.two, s.bob);
      await sees(b, s.room, s.ada, "online");
      proxy.cut();
      await sees(b, s.room, s.ada, "unknown");
      const late = await s.socket(s.two, s.eve); // a join and a send do not wait for it
      await late.ok({ type: "send", room: s.room, clientId: "c", text: "hello" });
      const { state, online } = await read(s.there, s.bob, s.room);
      assertEquals([state, online], ["unknown", []]);
      const offline = b.frames.filter((frame) =>
        frame.type === "signal" && frame.signal.type === "presence" &&
        frame.signal.changes.some((one) => one.principal === s.ada.id && one.state === "offline")
      );
      assertEquals(offline, [], "unknown is never offline");
      assert(a.closing === undefined);
      proxy.heal();
      await sees(b, s.room, s.ada, "online");
      await sees(b, s.room, s.eve, "online");
    } finally {
      await proxy.close();
    }
  },
);
