/**
 * The shipped Caddyfile in front of a node: it closes what Deno.serve leaves open, and passes on
 * WebSockets and event streams. A real Caddy runs it, with shorter time limits.
 */
import { assert, assertEquals } from "@std/assert";
import { TestStream } from "../testing/event_stream.ts";
import { freePort } from "../testing/mosquitto.ts";
import { findService, testWith } from "../testing/services.ts";
import { startTestServer } from "../testing/test_server.ts";
import { TestSocket } from "../testing/test_socket.ts";
import { until } from "../testing/until.ts";

const caddyService = await findService("Caddy 2", async () => {
  const { stdout } = await new Deno.Command("caddy", { args: ["version"] }).output();
  const version = new TextDecoder().decode(stdout);
  if (!/^v?2/.test(version)) throw new Error(`caddy is version ${version}`);
});

/** Milliseconds that a half-sent request lives in these tests. */
const READ_MS = 500;

/** The shipped file for `upstream`, with time limits that a test can wait for. */
async function caddyfile(port: number, upstream: string): Promise<string> {
  let text = await Deno.readTextFile(new URL("../Caddyfile", import.meta.url));
  const replace = (find: string | RegExp, by: string) => {
    const changed = text.replace(find, by);
    assert(changed !== text, `The Caddyfile has no ${find}`);
    text = changed;
  };
  replace("{$SITE_ADDRESS}", `http://127.0.0.1:${port}`);
  replace(/dynamic a web 8000 \{[^}]*\}/, `to ${upstream}`);
  replace("read_header 10s", `read_header ${READ_MS}ms`);
  replace("read_body 30s", `read_body ${READ_MS}ms`);
  replace("servers {", "admin off\n\tservers {");
  return text;
}

/** Caddy before `upstream`; use it with `await using`. */
async function startCaddy(upstream: string): Promise<AsyncDisposable & { url: string }> {
  const dir = await Deno.makeTempDir({ prefix: "confab-caddy-" });
  const port = freePort();
  await Deno.writeTextFile(`${dir}/Caddyfile`, await caddyfile(port, new URL(upstream).host));
  const child = new Deno.Command("caddy", {
    args: ["run", "--config", `${dir}/Caddyfile`, "--adapter", "caddyfile"],
    env: { XDG_DATA_HOME: dir, XDG_CONFIG_HOME: dir },
    stdin: "null",
    stdout: "null",
    stderr: "null",
  }).spawn();
  const caddy = {
    url: `http://127.0.0.1:${port}`,
    async [Symbol.asyncDispose]() {
      child.kill("SIGKILL");
      await child.status;
      await Deno.remove(dir, { recursive: true });
    },
  };
  const answers = async () => {
    const response = await fetch(`${caddy.url}/healthz`).catch(() => undefined);
    await response?.body?.cancel();
    return response?.ok === true;
  };
  try {
    await until("Caddy answers", answers, 10_000);
    return caddy;
  } catch (error) {
    await caddy[Symbol.asyncDispose]();
    throw error;
  }
}

/** Sends the beginning of a request and resolves when the server ends the connection. */
async function stopsAfter(url: string, beginning: string): Promise<string> {
  const { hostname, port } = new URL(url);
  using conn = await Deno.connect({ hostname, port: Number(port) });
  await conn.write(new TextEncoder().encode(beginning));
  const late = setTimeout(() => conn.close(), 15_000);
  let answer = "";
  const chunk = new Uint8Array(4096);
  try {
    for (let length; (length = await conn.read(chunk)) !== null;) {
      answer += new TextDecoder().decode(chunk.subarray(0, length));
    }
    return answer;
  } finally {
    clearTimeout(late);
  }
}

testWith(caddyService, "half a request is cut off by the shipped proxy", async () => {
  await using server = await startTestServer();
  await using caddy = await startCaddy(server.url);
  const headers =
    "POST /v1/auth/login HTTP/1.1\r\nhost: chat\r\ncontent-type: application/json\r\n";
  await stopsAfter(caddy.url, headers);
  const half = await stopsAfter(caddy.url, `${headers}content-length: 100\r\n\r\n{"username`);
  assert(!half.includes("accessToken"), half);
});

testWith(caddyService, "a body over the proxy's limit never reaches the node", async () => {
  await using server = await startTestServer();
  await using caddy = await startCaddy(server.url);
  const response = await fetch(`${caddy.url}/v1/auth/login`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ username: "x".repeat(200_000) }),
  });
  await response.body?.cancel();
  assert([413, 502].includes(response.status), `${response.status}`); // 502 until Caddy 2.7
  assertEquals(response.headers.get("content-type"), null, "the answer is not the node's");
});

testWith(caddyService, "metrics stay behind the shipped proxy", async () => {
  await using server = await startTestServer();
  await using caddy = await startCaddy(server.url);
  const [direct, through] = await Promise.all(
    [server.url, caddy.url].map(async (url) => {
      const response = await fetch(`${url}/metrics`);
      await response.body?.cancel();
      return response.status;
    }),
  );
  assertEquals([direct, through], [200, 404]);
});

testWith(caddyService, "sockets and streams pass the shipped proxy as they come", async () => {
  await using server = await startTestServer();
  await using caddy = await startCaddy(server.url);
  const ada = await server.api.register();
  const room = await server.api.room(ada);
  await using socket = await TestSocket.connect(caddy.url, { token: ada.token });
  await using stream = await TestStream.open(caddy.url, room, { token: ada.token });
  await socket.ok({ type: "join", room });
  const { seq } = await socket.ok({ type: "send", room, clientId: "c1", text: "hello" });
  await socket.wait("the event", (frame) => frame.type === "event" && frame.seq === seq);
  await stream.reach(Number(seq));
});
