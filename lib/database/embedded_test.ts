import { assertEquals, assertNotEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { BINARIES } from "../../testing/cluster.ts";
import { type Service, testWith } from "../../testing/services.ts";
import { until } from "../../testing/until.ts";
import { startEmbedded } from "./embedded.ts";
import { installBinaries } from "./embedded_binaries.ts";
import { EmbeddedError } from "./embedded_error.ts";
import { prepareFolder, serverUser } from "./embedded_user.ts";
import { openPostgres } from "./postgres.ts";

const binaries: Service = await serverUser()
  .then(async (user) => await installBinaries(await prepareFolder(BINARIES, user), () => {}))
  .then(() => ({ name: "Postgres" }), (error) => ({ name: "Postgres", missing: error.message }));

const test = (sentence: string, run: (dir: string) => Promise<void>) =>
  testWith(binaries, `startEmbedded() ${sentence}`, async () => {
    const dir = await Deno.makeTempDir({ prefix: "confab-embedded-" });
    try {
      await run(dir);
    } finally {
      await Deno.remove(dir, { recursive: true });
    }
  });

/** Starts a program that runs the cluster, as another process. */
async function startHolder(dir: string) {
  const program = new URL("../../testing/embedded_holder.ts", import.meta.url).href;
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--quiet", program, dir],
    stdout: "piped",
  }).spawn();
  const reader = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
  let printed = "";
  while (!printed.includes("\n")) {
    const { value, done } = await reader.read();
    if (done) throw new Error("the holder ended before it printed its URL");
    printed += value;
  }
  return {
    url: printed.trim(),
    async kill() {
      child.kill("SIGKILL");
      await child.status;
      await reader.cancel();
    },
  };
}

async function listens(url: string): Promise<boolean> {
  const port = Number(new URL(url).port);
  return await Deno.connect({ hostname: "127.0.0.1", port })
    .then((link) => (link.close(), true), () => false);
}

test("keeps the data and the URL between starts", async (dir) => {
  const first = await startEmbedded({ dir, bin: BINARIES });
  {
    await using db = openPostgres(first.url);
    await db.query("create table t as select 42 as a");
  }
  await first.stop();
  await first.exited;
  const second = await startEmbedded({ dir, bin: BINARIES });
  try {
    assertEquals(second.url, first.url);
    await using db = openPostgres(second.url);
    assertEquals(await db.query("select a from t"), [{ a: 42 }]);
  } finally {
    await second.stop();
  }
});

test("ends the server when the process that runs it is killed, and keeps commits", async (dir) => {
  const holder = await startHolder(dir);
  {
    await using db = openPostgres(holder.url);
    await db.query("create table t as select 42 as a");
  }
  await holder.kill();
  await until("the server ended", async () => !await listens(holder.url));
  const next = await startEmbedded({ dir, bin: BINARIES });
  try {
    await using db = openPostgres(next.url);
    assertEquals(await db.query("select a from t"), [{ a: 42 }]);
  } finally {
    await next.stop();
  }
});

test("refuses a cluster that another process runs, naming DATABASE_URL", async (dir) => {
  const holder = await startHolder(dir);
  const error = await assertRejects(() => startEmbedded({ dir, bin: BINARIES }), EmbeddedError);
  assertStringIncludes(error.message, "Another process runs the Postgres");
  assertStringIncludes(error.message, "DATABASE_URL");
  await holder.kill();
  await until("the server ended", async () => !await listens(holder.url));
});

test("starts over after a start that was killed while creating the cluster", async (dir) => {
  const first = await startEmbedded({ dir, bin: BINARIES });
  await first.stop();
  await Deno.remove(`${dir}/run/password`); // written last
  const lines: string[] = [];
  const second = await startEmbedded({ dir, bin: BINARIES, log: (line) => lines.push(line) });
  await second.stop();
  assertEquals(lines, ["Creating the database cluster…"]);
  assertNotEquals(second.url, first.url);
});

test("starts when postmaster.pid names a process that is no server", async (dir) => {
  const first = await startEmbedded({ dir, bin: BINARIES });
  const file = `${dir}/data/postmaster.pid`;
  const written = await Deno.readTextFile(file);
  await first.stop();
  await Deno.writeTextFile(file, written.replace(/^\d+/, `${Deno.pid}`));
  const second = await startEmbedded({ dir, bin: BINARIES });
  await second.stop();
});

test("tells when the server ends by itself", async (dir) => {
  const server = await startEmbedded({ dir, bin: BINARIES });
  const [pid] = (await Deno.readTextFile(`${dir}/data/postmaster.pid`)).split("\n");
  Deno.kill(Number(pid), "SIGKILL");
  await server.exited;
  await server.stop();
});
