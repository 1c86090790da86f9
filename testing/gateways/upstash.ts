/**
 * A small server that speaks Upstash's REST protocol in front of a real Redis, so that tests can run
 * the driver and the client package of the edge. The wire format is that of Upstash's public REST API
 * documentation (upstash.com/docs/redis/features/restapi): commands as JSON arrays to `/`,
 * `/pipeline` and `/multi-exec`, `{result}` or `{error}`, bearer tokens, `Upstash-Encoding: base64`,
 * and pub/sub as server-sent events at `/subscribe/{channel}`.
 */
import { Redis as Client } from "ioredis";
import { closeClient } from "../../lib/redis/tcp_client.ts";

/** A running gateway. */
export interface UpstashGateway {
  readonly url: string;
  readonly port: number;
  readonly token: string;
  /** Commands taken so far, upper case name first. */
  readonly commands: string[][];
  close(): Promise<void>;
}

/** Starts a gateway in front of the Redis at `redisUrl`, which must answer. */
export async function startUpstashGateway(redisUrl: string): Promise<UpstashGateway> {
  const client = new Client(redisUrl, { protocol: 2, disconnectTimeout: 100 });
  client.on("error", () => {}); // whoever sends a command sees it
  await client.ping();
  const token = crypto.randomUUID();
  const commands: string[][] = [];
  const streams = new Set<() => void>();
  let closing = false;
  const run = (command: unknown) => {
    const args = readCommand(command);
    commands.push(args);
    return client.call(args[0]!, ...args.slice(1));
  };
  const outcome = (command: unknown) =>
    Promise.resolve().then(() => run(command)).then(
      (result) => ({ result }),
      (error: Error) => ({ error: error.message }),
    );

  async function handle(request: Request): Promise<Response> {
    if (request.headers.get("authorization") !== `Bearer ${token}`) {
      return Response.json({ error: "WRONGPASS invalid or missing auth token" }, { status: 401 });
    }
    if (request.method !== "POST") return Response.json({ error: "method" }, { status: 405 });
    const path = new URL(request.url).pathname;
    const encode = request.headers.get("upstash-encoding") === "base64" ? toBase64 : same;
    if (path.startsWith("/subscribe/")) {
      // A stream that began now would outlive those that are being ended, and keep the server.
      if (closing) return Response.json({ error: "closing" }, { status: 503 });
      return stream(client, decodeURIComponent(path.slice("/subscribe/".length)), streams);
    }
    const body: unknown = await request.json();
    if (path === "/") {
      const answer = await outcome(body);
      if ("error" in answer) return Response.json(answer, { status: 400 });
      return Response.json({ result: encode(answer.result) });
    }
    if (!Array.isArray(body)) return Response.json({ error: "ERR not an array" }, { status: 400 });
    if (path === "/pipeline") {
      const answers = await Promise.all(body.map(outcome));
      return Response.json(
        answers.map((a) => "error" in a ? a : { result: encode(a.result) }),
      );
    }
    if (path !== "/multi-exec") return Response.json({ error: "not found" }, { status: 404 });
    const results = await client.multi(body.map(readCommand)).exec() ?? [];
    return Response.json(
      results.map(([error, result]) =>
        error === null ? { result: encode(result) } : { error: error.message }
      ),
    );
  }

  const closed = new AbortController();
  const server = serve(
    (request) =>
      handle(request).catch((error) => Response.json({ error: String(error) }, { status: 400 })),
    closed.signal,
  );
  return {
    url: `http://127.0.0.1:${server.addr.port}`,
    port: server.addr.port,
    token,
    commands,
    async close() {
      closing = true;
      for (const end of streams) end();
      // Not shutdown(): under Deno 2.5 it can wait for ever for a connection whose stream was
      // cancelled by its client. Nobody waits for an answer any more.
      closed.abort();
      await server.finished;
      await closeClient(client);
    },
  };
}

function readCommand(value: unknown): string[] {
  if (!Array.isArray(value) || value.length === 0) throw new Error("ERR empty command");
  return value.map(String);
}

const same = (value: unknown) => value;

/** Strings become base64 of their UTF-8, except `OK`; numbers and null stay. */
function toBase64(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(toBase64);
  if (typeof value !== "string" || value === "OK") return value;
  return btoa(String.fromCharCode(...new TextEncoder().encode(value)));
}

/** An event stream over a Redis connection of its own, ended by the client or by the gateway. */
function stream(client: Client, channel: string, streams: Set<() => void>): Response {
  const subscriber = client.duplicate();
  subscriber.on("error", () => {}); // the client of the gateway sees the end of its stream
  const encoder = new TextEncoder();
  let end = () => {};
  const body = new ReadableStream<Uint8Array<ArrayBuffer>>({
    start(controller) {
      const send = (text: string) => controller.enqueue(encoder.encode(`data: ${text}\n\n`));
      subscriber.on("message", (name: string, text: string) => send(`message,${name},${text}`));
      // Told again whenever the connection to Redis was renewed.
      subscriber.on("ready", () => {
        // It fails when the stream ends meanwhile, or is done again with the next connection.
        subscriber.subscribe(channel).then(() => send(`subscribe,${channel},1`)).catch(() => {});
      });
      end = () => {
        streams.delete(end);
        subscriber.removeAllListeners("message").removeAllListeners("ready");
        subscriber.disconnect();
        try {
          controller.close();
        } catch {
          // The client was faster.
        }
      };
      streams.add(end);
    },
    cancel: () => end(),
  });
  return new Response(body, { headers: { "content-type": "text/event-stream" } });
}

/** Serves on a free port below the ephemeral ones. */
function serve(
  handler: (request: Request) => Promise<Response>,
  signal: AbortSignal,
): Deno.HttpServer<Deno.NetAddr> {
  for (let tries = 0;; tries++) {
    const port = 20_000 + Math.floor(Math.random() * 12_000);
    try {
      return Deno.serve({ hostname: "127.0.0.1", port, signal, onListen() {} }, handler);
    } catch (error) {
      if (!(error instanceof Deno.errors.AddrInUse) || tries >= 20) throw error;
    }
  }
}
