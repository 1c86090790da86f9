import { assert, assertEquals } from "@std/assert";
import { ConfabClient, SessionTokens } from "../lib/client/mod.ts";
import type { LogEntry } from "../lib/protocol.ts";
import { type Account, ApiClient } from "../testing/api_client.ts";
import { GENEROUS } from "../testing/backend.ts";
import { LoadSender } from "../testing/load_sender.ts";
import { canEmbed, type NodeProcess, startNodeProcess } from "../testing/node_process.ts";
import { range } from "../testing/subscriber.ts";
import { TestSocket } from "../testing/test_socket.ts";
import { until } from "../testing/until.ts";

const strict = {
  sanitizeOps: true,
  sanitizeResources: true,
  sanitizeExit: true,
  ignore: !canEmbed, // no file locks in this Deno, which serves as the edge's
};
/** Acknowledged sends after which the process is ended: in the middle of the load. */
const ENOUGH = 300;

/** Embedded mode in a folder of its own, that can be started again and again. */
async function installation() {
  const dir = await Deno.makeTempDir({ prefix: "confab-e2e-" });
  await Deno.chmod(dir, 0o755); // Postgres runs as somebody else when we are root
  const env = { ...GENEROUS, DATA_DIR: dir };
  let node: NodeProcess | undefined;
  return {
    dir,
    start: async (more: Record<string, string> = {}): Promise<NodeProcess> =>
      node = await startNodeProcess({ ...env, ...more }),
    async [Symbol.asyncDispose]() {
      await node?.main.kill("SIGTERM");
      await until("Postgres has ended", async () => await postmaster(dir) === undefined, 20_000);
      await Deno.remove(dir, { recursive: true });
    },
  };
}

/** Process id of the Postgres below `dir`, while it runs. */
async function postmaster(dir: string): Promise<number | undefined> {
  const file = `${dir}/postgres/data/postmaster.pid`;
  const pid = Number((await Deno.readTextFile(file).catch(() => "")).split("\n")[0]);
  if (!(pid > 0)) return undefined;
  const alive = await Deno.readTextFile(`/proc/${pid}/cmdline`).catch(() => "");
  return alive.includes(dir) ? pid : undefined;
}

interface Load {
  owner: Account;
  room: string;
  listener: TestSocket;
  senders: { account: Account; load: LoadSender }[];
  /** Resolves when every sender has seen its socket closed. */
  ended: Promise<unknown>;
}

/** Four people who send as fast as they are answered, and a listener; returns in the middle of it. */
async function startLoad({ url }: NodeProcess, stack: AsyncDisposableStack): Promise<Load> {
  const api = new ApiClient(url);
  const accounts = await Promise.all(range(1, 4).map((i) => api.register(`sender${i}`)));
  const owner = accounts[0]!;
  const room = await api.room(owner, ...accounts.slice(1));
  const listener = stack.use(await TestSocket.connect(url, { token: owner.token }));
  await listener.ok({ type: "join", room, after: 0 });
  const senders = await Promise.all(accounts.map(async (account) => {
    const socket = stack.use(await TestSocket.connect(url, { token: account.token }));
    return { account, load: new LoadSender(socket, room, account.name) };
  }));
  const ended = Promise.all(senders.map(({ load }) => load.run()));
  const acked = () => senders.reduce((sum, { load }) => sum + load.acked.length, 0);
  await until(`${ENOUGH} sends are acknowledged`, () => acked() >= ENOUGH, 30_000);
  return { owner, room, listener, senders, ended };
}

/** The log has no gap, holds every acknowledged send at its seq, and no text twice. */
async function checkLog({ url }: NodeProcess, { owner, room, senders }: Load): Promise<LogEntry[]> {
  const log = await new ApiClient(url).log(owner, room);
  assertEquals(log.map(({ seq }) => seq), range(1, log.length));
  const texts = log.map(({ event }) =>
    event.type === "message.created" ? event.message.text : undefined
  );
  for (const { clientId, text, seq } of senders.flatMap(({ load }) => load.acked)) {
    assertEquals(texts[seq! - 1], text, `${clientId} was acknowledged as ${seq}`);
  }
  const messages = texts.filter((text) => text !== undefined);
  assertEquals(new Set(messages).size, messages.length, "nothing is stored twice");
  return log;
}

/** Sends everything again: what was acknowledged keeps its seq, and nothing is stored twice. */
async function repeatAll(node: NodeProcess, load: Load): Promise<void> {
  for (const { account, load: { sent, room } } of load.senders) {
    await using socket = await TestSocket.connect(node.url, { token: account.token });
    for (const { clientId, text } of sent) {
      socket.send({ type: "send", id: clientId, room, clientId, text });
    }
    await socket.settle();
    await until(
      "every repeat is answered",
      () => socket.frames.filter(({ type }) => type === "ok").length === sent.length,
    );
    for (const frame of socket.frames) {
      if (frame.type !== "ok") continue;
      const { seq } = sent.find(({ clientId }) => clientId === frame.id)!;
      if (seq !== undefined) assertEquals([frame.seq, frame.duplicate], [seq, true]);
    }
  }
  const log = await checkLog(node, load);
  const messages = log.filter(({ event }) => event.type === "message.created");
  assertEquals(messages.length, load.senders.reduce((sum, { load }) => sum + load.sent.length, 0));
}

/** A listener that comes back with its cursor gets exactly what it has missed. */
async function checkResume(node: NodeProcess, { owner, room, listener }: Load, log: LogEntry[]) {
  const seen = listener.seqs(room);
  assertEquals(seen, range(1, seen.length), "what was delivered has no gap");
  await using back = await TestSocket.connect(node.url, { token: owner.token });
  const cursor = { after: seen.length, epoch: listener.ready.epoch };
  const join = await back.ok({ type: "join", room, ...cursor });
  assertEquals([join.recovered, join.head], [true, log.length]);
  if (log.length > seen.length) await back.reach(room, log.length);
  await back.settle();
  const entries = log.slice(seen.length).map((entry) => ({ type: "event" as const, ...entry }));
  assertEquals<LogEntry[]>(back.entries(room), entries);
}

for (const crash of ["the process", "the process and its Postgres"]) {
  Deno.test(`kill -9 of ${crash} loses nothing that was acknowledged`, strict, async () => {
    await using stack = new AsyncDisposableStack();
    const installed = stack.use(await installation());
    const first = await installed.start();
    const load = await startLoad(first, stack);
    const database = await postmaster(installed.dir);
    if (crash !== "the process") Deno.kill(database!, "SIGKILL");
    const exit = await first.main.kill("SIGKILL");
    assertEquals(exit.signal, "SIGKILL");
    await load.ended;
    assert(load.senders.some(({ load }) => load.sent.length > load.acked.length), "under load");
    const second = await installed.start();
    const log = await checkLog(second, load);
    await checkResume(second, load, log);
    await repeatAll(second, load);
  });
}

for (const signal of ["SIGTERM", "SIGINT"] as const) {
  Deno.test(
    `${signal} under load: everybody is told, and no acknowledgement is false`,
    strict,
    async () => {
      await using stack = new AsyncDisposableStack();
      const installed = stack.use(await installation());
      const first = await installed.start();
      const load = await startLoad(first, stack);
      const { code, ms } = await first.main.kill(signal);
      assertEquals(code, 0, first.main.output);
      assert(ms < 4000, `it took ${ms} ms`);
      await load.ended;
      for (const socket of [load.listener, ...load.senders.map(({ load }) => load.socket)]) {
        assertEquals((await socket.closed()).code, 4012);
        const last = socket.frames.at(-1)!;
        assert(last.type === "error" && last.code === "restarting" && last.id === undefined);
        assert(last.retryAfter! >= 0 && last.retryAfter! <= 3);
      }
      for (const { load: { refusals } } of load.senders) {
        assertEquals(refusals.filter((code) => code !== "restarting"), []);
      }
      const second = await installed.start();
      const log = await checkLog(second, load);
      await checkResume(second, load, log);
    },
  );
}

Deno.test("the SDK sends everything once through a kill -9 and a restart", strict, async () => {
  await using stack = new AsyncDisposableStack();
  const installed = stack.use(await installation());
  // Below those that freePort() gives to others, so that it is free again for the second start.
  const port = `${10_000 + Math.floor(Math.random() * 10_000)}`;
  const { url, main } = await installed.start({ PORT: port });
  const api = new ApiClient(url);
  const accounts = await Promise.all(range(1, 3).map((i) => api.register(`sender${i}`)));
  const room = await api.room(accounts[0]!, ...accounts.slice(1));
  const seen: number[] = [];
  const sends: Promise<{ seq: number }>[] = [];
  let acked = 0;
  for (const { username, name } of accounts) {
    const tokens = new SessionTokens({ url });
    await tokens.login({ username, password: "correct horse battery" });
    const client = new ConfabClient({ url, tokens });
    stack.defer(() => client.close());
    client.connect();
    const followed = client.room(room);
    if (name === "sender1") followed.on("entry", ({ seq }) => seen.push(seq));
    await followed.load();
    for (const i of range(1, 150)) {
      sends.push(followed.send({ text: `${name} ${i}` }).then((ok) => (acked++, ok)));
    }
  }
  await until("the load is on its way", () => acked >= 100, 30_000);
  await main.kill("SIGKILL");
  await installed.start({ PORT: port });
  const oks = await Promise.all(sends);
  assertEquals(new Set(oks.map(({ seq }) => seq)).size, 450);
  const log = await api.log(accounts[0]!, room);
  assertEquals(log.length, 450 + 3);
  await until("the last entry is there", () => seen.at(-1) === log.length);
  assertEquals(seen, range(seen[0]!, log.length), "each entry once, in order");
});
