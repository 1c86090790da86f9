/**
 * A small stand-in for Neon's SQL over HTTP in front of a real Postgres. The wire format is the
 * one that the public driver speaks (https://github.com/neondatabase/serverless, `httpQuery.ts`):
 * POST with the headers Neon-Connection-String, Neon-Raw-Text-Output and Neon-Array-Mode and the
 * body `{query, params}` or, for a transaction, `{queries: […]}`; the answer is `{fields, rows,
 * rowCount, command}` or `{results: […]}` with every value as text; an error of the database is a
 * 400 with its fields.
 */
import type { Buffer } from "node:buffer";
// @ts-types="npm:@types/pg@8.23.1"
import pg from "pg";

/** A running gateway. */
export interface NeonGateway extends AsyncDisposable {
  /** For `fetchEndpoint` or NEON_FETCH_ENDPOINT. */
  endpoint: string;
  /** Requests answered so far. */
  requests(): number;
  /** Answers the next requests with this status and nothing else; undefined ends that. */
  failWith(status: number | undefined): void;
}

interface Query {
  query: string;
  params?: (string | null)[];
}

const asText = (value: string | Buffer) => value.toString();
const rawText = { getTypeParser: (): typeof asText => asText };

/**
 * Starts a gateway; user and database come from each request's connection string, host, port and
 * password from `server`.
 */
export function startNeonGateway(server: string): NeonGateway {
  const pools = new Map<string, pg.Pool>();
  let requests = 0;
  let failure: number | undefined;

  const poolOf = (connectionString: string) => {
    const target = new URL(server);
    target.pathname = new URL(connectionString).pathname;
    const known = pools.get(target.href);
    if (known !== undefined) return known;
    const pool = new pg.Pool({ connectionString: target.href, types: rawText, max: 20 });
    // A connection that the server ends fails its own request; the next one opens another
    pool.on("error", () => {});
    pool.on("connect", (client) => client.on("error", () => {}));
    pools.set(target.href, pool);
    return pool;
  };

  const http = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, async (request) => {
    requests++;
    if (failure !== undefined) return new Response("refused on purpose", { status: failure });
    const connectionString = request.headers.get("neon-connection-string");
    if (connectionString === null) return refuse({ message: "no connection string" });
    if (request.headers.get("neon-raw-text-output") !== "true") {
      return refuse({ message: "only raw text is spoken here" });
    }
    return await answer(poolOf(connectionString), request);
  });

  return {
    endpoint: `http://127.0.0.1:${http.addr.port}/sql`,
    requests: () => requests,
    failWith: (status) => failure = status,
    async [Symbol.asyncDispose]() {
      await http.shutdown();
      await Promise.all([...pools.values()].map((pool) => pool.end()));
    },
  };
}

async function answer(pool: pg.Pool, request: Request): Promise<Response> {
  const body: Query | { queries: Query[] } = await request.json();
  const client = await pool.connect();
  const cancel = () => void cancelBackend(pool, client);
  // Like Neon, end the statement when nobody waits for its answer any more
  request.signal.addEventListener("abort", cancel);
  let broken = false;
  try {
    if (!("queries" in body)) return Response.json(await run(client, body));
    await client.query("begin");
    const results = [];
    for (const query of body.queries) results.push(await run(client, query));
    await client.query("commit");
    return Response.json({ results });
  } catch (error) {
    await client.query("rollback").catch(() => broken = true);
    return refuse(error);
  } finally {
    request.signal.removeEventListener("abort", cancel);
    client.release(broken);
  }
}

async function run(client: pg.PoolClient, { query, params = [] }: Query) {
  const result = await client.query({ text: query, values: params, rowMode: "array" });
  const { command, rowCount, fields, rows } = result;
  return { command, rowCount, fields, rows, rowAsArray: true };
}

async function cancelBackend(pool: pg.Pool, client: pg.PoolClient): Promise<void> {
  const { processID } = client as unknown as { processID: number };
  await pool.query("select pg_cancel_backend($1)", [processID]).catch(() => {});
}

function refuse(error: unknown): Response {
  const { message, code, severity, detail, position, constraint, routine } = error as Partial<
    pg.DatabaseError
  >;
  return Response.json(
    { message, code: code ?? "", severity, detail, position, constraint, routine },
    { status: 400 },
  );
}
