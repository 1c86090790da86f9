/**
 * Runs with another Deno what the edge runs: `deno task test:edge [deno] [files]`, or the binary
 * named by EDGE_DENO (this one when there is neither); processes that tests start use it, too. The
 * sockets and streams are tested twice: on one node, and with the drivers of Neon and Upstash; so is
 * what is asked of the database for devices, with its arrays, times and JSON.
 * Without type checks, because types belong to the Deno that is developed with.
 */
const FILES = ["routes/", "lib/realtime/", "lib/chat/", "lib/auth/", "lib/bus/"];
/** Tests of the bridge and of brokers, which do not run there. */
const NOT_THERE = /^(bridge|device|mosquitto)_/;
const DRIVERS = [
  "lib/limits/",
  "lib/presence/",
  "lib/redis/upstash_test.ts",
  "lib/database/neon_test.ts",
];
/** Tests of a server that testing/test_server.ts starts. */
const WIRE = ["stream", "socket", "socket_access", "socket_limits"];
/** Tests of statements. */
const STATEMENTS = [
  "lib/chat/commands_test.ts",
  "lib/chat/device_claims_test.ts",
  "lib/chat/device_states_test.ts",
  "lib/store/device_presence_test.ts",
  "lib/store/telemetry_test.ts",
];

async function endToEnd(): Promise<string[]> {
  const tests: string[] = [];
  for await (const { name } of Deno.readDir(new URL("../e2e", import.meta.url))) {
    if (name.endsWith("_test.ts") && !NOT_THERE.test(name)) tests.push(`e2e/${name}`);
  }
  return tests.sort();
}

async function run(deno: string, files: string[], env: Record<string, string>): Promise<number> {
  const { code } = await new Deno.Command(deno, {
    args: ["run", "-A", "--frozen", "testing/run.ts", "--no-check", "--frozen", ...files],
    env,
  }).spawn().status;
  return code;
}

async function main(): Promise<number> {
  const named = Deno.args[0]?.endsWith("deno") ? Deno.args[0] : undefined;
  const files = named === undefined ? Deno.args : Deno.args.slice(1);
  const deno = named ?? Deno.env.get("EDGE_DENO") ?? Deno.execPath();
  const code = await run(
    deno,
    files.length > 0 ? files : [...FILES, ...await endToEnd(), ...DRIVERS],
    {},
  );
  if (code !== 0 || files.length > 0) return code;
  const again = [...WIRE.map((name) => `e2e/${name}_test.ts`), ...STATEMENTS];
  return await run(deno, again, { TEST_SHAPE: "edge" });
}

if (import.meta.main) Deno.exit(await main());
