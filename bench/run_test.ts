import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";

const PROGRAM = new URL("./run.ts", import.meta.url).pathname;

async function bench(...args: string[]) {
  const command = new Deno.Command(Deno.execPath(), { args: ["run", "-A", PROGRAM, ...args] });
  const { code, stdout, stderr } = await command.output();
  const decoder = new TextDecoder();
  return { code, stdout: decoder.decode(stdout), stderr: decoder.decode(stderr) };
}

Deno.test("the bench measures durable sends and prints them with machine and goal", async () => {
  const json = await Deno.makeTempFile();
  try {
    const { code, stdout, stderr } = await bench("--quick", "durable", "--json", json);
    assertEquals(code, 0, stderr);
    assertMatch(stdout, /^Machine {3}.+ cores, /m);
    assertStringIncludes(stdout, "fsync=on synchronous_commit=on");
    const { quick, figures } = JSON.parse(await Deno.readTextFile(json));
    assertEquals(quick, true);
    for (
      const name of ["at the appender, 256 to one hot room", "over WebSocket, 1 to a room each"]
    ) {
      assertMatch(stdout, new RegExp(`^\\| durable sends ${name} +\\|`, "m"));
      const found = figures.find(({ what }: { what: string }) => what === `durable sends ${name}`);
      assert(found.median > 0);
      assertEquals(found.unit, "messages/s");
    }
  } finally {
    await Deno.remove(json);
  }
});

Deno.test("the bench names what it can measure when asked for something else", async () => {
  const { code, stderr } = await bench("speed");
  assertEquals(code, 2);
  assertStringIncludes(stderr, 'Not known: "speed". Names: fan-out, durable');
});
