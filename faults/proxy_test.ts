import { assert, assertEquals, assertRejects } from "@std/assert";
import { until } from "../testing/until.ts";
import { FaultProxy } from "./proxy.ts";
import { listenBelowEphemeral } from "./proxy_listener.ts";
import { Random } from "./random.ts";

const strict = { sanitizeOps: true, sanitizeResources: true, sanitizeExit: true };

/** A server that keeps its connections and what they sent, and the proxy before it. */
class Scene implements AsyncDisposable {
  readonly served: Deno.TcpConn[] = [];
  /** What the server has read, when it reads. */
  heard = "";
  /** Connections that the server has seen end. */
  ended = 0;
  readonly proxy: FaultProxy;
  readonly #clients: Deno.TcpConn[] = [];
  readonly #listener = listenBelowEphemeral();
  readonly #serving: Promise<void>;

  constructor(readonly options: { reads: boolean } = { reads: true }) {
    const { port } = this.#listener.addr;
    this.#serving = this.#serve();
    this.proxy = new FaultProxy({
      name: "client->server",
      from: "clients",
      to: "web",
      target: () => port,
    });
  }

  async connect(): Promise<Deno.TcpConn> {
    const client = await Deno.connect({ hostname: "127.0.0.1", port: this.proxy.port });
    this.#clients.push(client);
    return client;
  }

  /** Connects and waits until the server has the connection too. */
  async pair(): Promise<{ client: Deno.TcpConn; server: Deno.TcpConn }> {
    const before = this.served.length;
    const client = await this.connect();
    await until("the server has it", () => this.served.length > before);
    return { client, server: this.served[before]! };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const client of this.#clients) close(client);
    await this.proxy[Symbol.asyncDispose]();
    this.#listener.close();
    for (const server of this.served) close(server);
    await this.#serving;
  }

  async #serve(): Promise<void> {
    const reading: Promise<void>[] = [];
    for await (const conn of this.#listener) {
      this.served.push(conn);
      if (this.options.reads) reading.push(this.#hear(conn));
    }
    await Promise.all(reading);
  }

  async #hear(conn: Deno.TcpConn): Promise<void> {
    const buffer = new Uint8Array(65_536);
    try {
      for (let n = await conn.read(buffer); n !== null; n = await conn.read(buffer)) {
        this.heard += new TextDecoder().decode(buffer.subarray(0, n));
      }
    } catch {
      // Closed by the test or reset by the proxy.
    }
    this.ended++;
  }
}

function close(conn: Deno.TcpConn): void {
  try {
    conn.close();
  } catch (error) {
    if (!(error instanceof Deno.errors.BadResource)) throw error;
  }
}

async function say(conn: Deno.TcpConn, text: string): Promise<void> {
  await conn.write(new TextEncoder().encode(text));
}

async function hear(conn: Deno.TcpConn): Promise<string | null> {
  const buffer = new Uint8Array(1024);
  const length = await conn.read(buffer).catch(() => null);
  return length === null ? null : new TextDecoder().decode(buffer.subarray(0, length));
}

const test = (sentence: string, run: (scene: Scene) => Promise<void>, reads = true) =>
  Deno.test(`a fault proxy ${sentence}`, strict, async () => {
    await using scene = new Scene({ reads });
    await run(scene);
  });

test("carries both ways and counts", async (scene) => {
  const { client, server } = await scene.pair();
  await say(client, "question");
  await until("it arrives", () => scene.heard === "question");
  await say(server, "answer");
  assertEquals(await hear(client), "answer");
  assertEquals(scene.proxy.open, 1);
  assertEquals(scene.proxy.traffic, { there: 8, back: 6, delayed: 0, refused: 0 });
});

test("hands on the end of one direction and keeps the other", async (scene) => {
  const { client, server } = await scene.pair();
  await say(client, "last");
  await client.closeWrite();
  await until("the server sees the end", () => scene.ended === 1);
  assertEquals(scene.heard, "last");
  await say(server, "still here");
  assertEquals(await hear(client), "still here");
  server.close();
  assertEquals(await hear(client), null);
  await until("nothing is left", () => scene.proxy.open === 0);
});

test("cuts what is open and refuses until it is healed", async (scene) => {
  const { client } = await scene.pair();
  scene.proxy.cut();
  assertEquals(await hear(client), null);
  assertEquals(await hear(await scene.connect()), null);
  assertEquals(scene.proxy.traffic.refused, 1);
  assertEquals(scene.served.length, 1);
  scene.proxy.heal();
  const { client: next } = await scene.pair();
  await say(next, "again");
  await until("it arrives", () => scene.heard === "again");
});

test("drops what is open and carries new connections", async (scene) => {
  const { client } = await scene.pair();
  scene.proxy.drop();
  assertEquals(await hear(client), null);
  await until("the server sees it too", () => scene.ended === 1);
  const { client: next } = await scene.pair();
  await say(next, "again");
  await until("it arrives", () => scene.heard === "again");
});

test("keeps connections open in a black hole, and carries late what waited", async (scene) => {
  const { client, server } = await scene.pair();
  scene.proxy.blackHole();
  await say(client, "lost?");
  await say(server, "lost too?");
  const newcomer = await scene.connect();
  await say(newcomer, " and new");
  await until("it is held", () => scene.proxy.held === 22);
  server.close(); // nobody hears of that either
  assertEquals([scene.heard, scene.served.length, scene.proxy.open], ["", 1, 2]);
  scene.proxy.heal();
  assertEquals(await hear(client), "lost too?");
  assertEquals(await hear(client), null);
  await until("the newcomer arrives", () => scene.heard === " and new");
});

for (const carries of ["there", "back"] as const) {
  test(`carries only one way when half open (${carries})`, async (scene) => {
    const { client, server } = await scene.pair();
    scene.proxy.halfOpen(carries);
    await say(client, "question");
    await say(server, "answer");
    if (carries === "there") {
      await until("the question arrives", () => scene.heard === "question");
      await until("the answer is held", () => scene.proxy.held === 6);
    } else {
      assertEquals(await hear(client), "answer");
      await until("the question is held", () => scene.proxy.held === 8);
      assertEquals(scene.heard, "");
    }
    scene.proxy.heal();
    if (carries === "there") assertEquals(await hear(client), "answer");
    else await until("the question arrives", () => scene.heard === "question");
  });
}

test("delays every chunk and keeps the order", async (scene) => {
  const { client } = await scene.pair();
  scene.proxy.delay(40, 60, new Random(1));
  const startedAt = performance.now();
  const sent = Array.from({ length: 50 }, (_, i) => `${i},`);
  for (const text of sent) await say(client, text);
  await until("everything arrives", () => scene.heard === sent.join(""));
  assert(performance.now() - startedAt >= 39);
  assert(scene.proxy.traffic.delayed > 0);
});

test("delivers in order what a delay still keeps when it is healed", async (scene) => {
  const { client } = await scene.pair();
  scene.proxy.delay(50, 0, new Random(1));
  await say(client, "first");
  await until("it is held", () => scene.proxy.held === 5);
  scene.proxy.heal();
  await say(client, "second");
  await until("both arrive", () => scene.heard === "firstsecond");
});

test("carries slowly", async (scene) => {
  const { client } = await scene.pair();
  scene.proxy.slow(20_000);
  const startedAt = performance.now();
  await say(client, "x".repeat(4000));
  await until("everything arrives", () => scene.heard.length === 4000);
  // 4,000 bytes at 20,000 a second, less the last piece, after which nobody waits
  assert(performance.now() - startedAt >= 140);
});

test("lets go at once of what crept when it is healed", async (scene) => {
  const { client } = await scene.pair();
  scene.proxy.slow(100);
  await say(client, "x".repeat(4000));
  await until("it creeps", () => scene.heard.length > 0);
  scene.proxy.heal();
  await until("everything arrives", () => scene.heard.length === 4000);
});

test("makes the sender wait for a reader who does not read", async (scene) => {
  const { client } = await scene.pair();
  const chunk = new Uint8Array(64 * 1024);
  let sent = 0;
  const sending = (async () => {
    // More than every buffer of the system between here and there holds
    for (; sent < 256 * 2 ** 20;) sent += await client.write(chunk);
  })();
  let [before, since] = [-1, performance.now()];
  await until("the sender stands still", () => {
    if (sent !== before) [before, since] = [sent, performance.now()];
    return performance.now() - since > 250;
  });
  assert(scene.proxy.held <= 320 * 1024, `${scene.proxy.held} bytes are held`);
  client.close();
  await assertRejects(() => sending);
}, false);

test("closes a connection whose target refuses", async (scene) => {
  await using broken = new FaultProxy({
    name: "client->nobody",
    from: "clients",
    to: "web",
    target: () => 1,
  });
  const client = await Deno.connect({ hostname: "127.0.0.1", port: broken.port });
  assertEquals(await hear(client), null);
  client.close();
  assertEquals(scene.proxy.open, 0);
});
