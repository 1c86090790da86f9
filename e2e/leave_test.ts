import { assert, assertEquals } from "@std/assert";
import { ApiClient } from "../testing/api_client.ts";
import { selfHosted } from "../testing/backend.ts";
import { startNodeProcess } from "../testing/node_process.ts";
import { startProxy } from "../testing/proxy.ts";
import { testWith } from "../testing/services.ts";
import { TestSocket } from "../testing/test_socket.ts";

const kind = await selfHosted();

/** What P10 promises, and what a test may take to see it. */
const LEAVE_MS = 4000;

/** A node whose database and Redis fall silent in the middle of its work, and then has to leave. */
async function leaveInSilence(silent: ("DATABASE_URL" | "REDIS_URL")[]): Promise<void> {
  await using backend = await kind.start();
  const env = { ...backend.env };
  const proxies = silent.map((name) => {
    const url = new URL(env[name]!);
    const proxy = startProxy(Number(url.port || (name === "REDIS_URL" ? 6379 : 5432)));
    url.hostname = "127.0.0.1";
    url.port = `${proxy.port}`;
    env[name] = url.href;
    return proxy;
  });
  try {
    await using node = await startNodeProcess(env);
    const api = new ApiClient(node.url);
    const ada = await api.register();
    const room = await api.room(ada);
    await using socket = await TestSocket.connect(node.url, { token: ada.token });
    await socket.ok({ type: "join", room });
    for (const proxy of proxies) proxy.blackhole();
    socket.send({ type: "send", id: "s", room, clientId: "c1", text: "hello" });
    const request = api.request("GET", `/v1/rooms/${room}/log`, { token: ada.token })
      .catch(() => {});
    const { code, ms } = await node.main.kill("SIGINT");
    await request;
    assertEquals(code, 0, node.main.output);
    assert(ms < LEAVE_MS, `It took ${ms} ms`);
  } finally {
    for (const proxy of proxies) await proxy.close();
  }
}

testWith(
  kind.service,
  "a node leaves in time while its database says nothing",
  () => leaveInSilence(["DATABASE_URL"]),
);

testWith(
  kind.service,
  "a node leaves in time while neither its database nor Redis says anything",
  () => leaveInSilence(["DATABASE_URL", "REDIS_URL"]),
);
