import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { freePort } from "../testing/mosquitto.ts";
import { canEmbed, MainProcess } from "../testing/node_process.ts";
import { until } from "../testing/until.ts";

const strict = { sanitizeOps: true, sanitizeResources: true, sanitizeExit: true };
/** Needs embedded mode, and so file locks, which the edge's oldest Deno lacks. */
const embedded = { ...strict, ignore: !canEmbed };
const START_MS = 60_000;

/** Runs main.ts until it ends by itself. */
async function refusal(env: Record<string, string>): Promise<string> {
  await using main = new MainProcess(env);
  await until("it ends", () => main.exit !== undefined, START_MS);
  assertEquals(main.exit!.code, 1, main.output);
  return main.stderr;
}

/** A folder for embedded mode, whose Postgres may run as somebody else. */
async function dataFolder(): Promise<AsyncDisposable & { path: string }> {
  const path = await Deno.makeTempDir({ prefix: "confab-e2e-" });
  await Deno.chmod(path, 0o755);
  return { path, [Symbol.asyncDispose]: () => Deno.remove(path, { recursive: true }) };
}

/** Occupies a port, unless somebody else does. */
function occupy(port: number): Disposable {
  try {
    const listener = Deno.listen({ hostname: "127.0.0.1", port });
    return { [Symbol.dispose]: () => listener.close() };
  } catch (error) {
    if (!(error instanceof Deno.errors.AddrInUse)) throw error;
    return { [Symbol.dispose]: () => {} };
  }
}

Deno.test(
  "contradictions end the start with the variable's name, and no secret",
  strict,
  async () => {
    const cases: [Record<string, string>, string][] = [
      [{ PORT: "many" }, "PORT"],
      [{ ROLES: "web" }, "DATABASE_URL"],
      [{ PRODUCTION: "1" }, "REDIS_URL"],
      [{ DATABASE_URL: "postgres://u:hunter2@127.0.0.1/x" }, "JWT_PRIVATE_JWK"],
      [{ UPSTASH_REDIS_REST_TOKEN: "hunter2" }, "UPSTASH_REDIS_REST_URL"],
      [{ MQTT_URL: "mqtt://127.0.0.1", MQTT_PORT: "1883" }, "MQTT_PORT"],
    ];
    await Promise.all(cases.map(async ([env, name]) => {
      const said = await refusal(env);
      assertStringIncludes(said, name);
      assertMatch(said, /^Confab cannot start\.\n/);
      assert(!said.includes("hunter2"), said);
    }));
  },
);

Deno.test("an explicit port that is taken is refused", embedded, async () => {
  await using folder = await dataFolder();
  const port = freePort();
  using _taken = occupy(port);
  for (const name of ["PORT", "MQTT_PORT"]) {
    const free = { PORT: `${freePort()}`, MQTT_PORT: `${freePort()}` };
    const said = await refusal({ DATA_DIR: folder.path, ...free, [name]: `${port}` });
    assertMatch(
      said,
      new RegExp(`^Confab cannot start\\.\n${name}: ${port} on 127.0.0.1 is taken`),
    );
  }
});

Deno.test("a default port that is taken is stepped over, and that is said", embedded, async () => {
  await using folder = await dataFolder();
  using _web = occupy(8000);
  using _mqtt = occupy(1883);
  await using main = new MainProcess({ DATA_DIR: folder.path });
  await until("it runs", () => {
    assertEquals(main.exit, undefined, main.output);
    return main.stdout.includes("mosquitto_pub");
  }, START_MS);
  assertStringIncludes(main.stdout, "Port 8000 was taken.");
  assertStringIncludes(main.stdout, "Port 1883 was taken.");
  const [, url] = /Web client +(http:\S+)\//.exec(main.stdout)!;
  const response = await fetch(`${url}/readyz`);
  assertEquals([response.status, (await response.json()).status], [200, "ok"]);
  assertEquals((await main.kill("SIGINT")).code, 0);
});
