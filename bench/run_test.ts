import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import type { Report } from "./report.ts";

const strict = { sanitizeOps: true, sanitizeResources: true, sanitizeExit: true };
const PROGRAM = new URL("./run.ts", import.meta.url).pathname;
/** What each scenario is missing on a machine without these. */
const NEEDS: Record<string, RegExp> = {
  "mqtt-in": /Mosquitto/,
  "mqtt-out": /Mosquitto/,
  "telemetry": /Mosquitto/,
  "flood": /Mosquitto/,
  "provisioning": /Mosquitto/,
  "takeover": /Mosquitto/,
  "edge-cost": /redis-server/,
};
/** What must not happen in miniature either. */
const NOTHING =
  /(missing or repeated|lost, dropped or counted twice|receipts of what is not in the log)$/;
const SCENARIOS = "ceiling fan-out overload durable rooms idle reconnect mqtt-in mqtt-out " +
  "telemetry flood provisioning takeover cold-start edge-cost";

async function bench(...args: string[]) {
  const command = new Deno.Command(Deno.execPath(), { args: ["run", "-A", PROGRAM, ...args] });
  const { code, stdout, stderr } = await command.output();
  const decoder = new TextDecoder();
  return { code, stdout: decoder.decode(stdout), stderr: decoder.decode(stderr) };
}

Deno.test(
  "every scenario measures something, in miniature, or says what it lacks",
  // It takes what the machine has: where the services have their turn later, so has this.
  { ...strict, ignore: Deno.env.get("WITHOUT_SERVICES") === "1" },
  async () => {
    const json = await Deno.makeTempFile();
    try {
      const { code, stdout, stderr } = await bench("--tiny", "--json", json);
      assertEquals(code, 0, stderr);
      assertMatch(stdout, /^Machine {3}.+ cores, /m);
      assertStringIncludes(stdout, "fsync=on synchronous_commit=on");
      const report: Report = JSON.parse(await Deno.readTextFile(json));
      assertEquals(report.sections.map(({ name }) => name).join(" "), SCENARIOS);
      for (const { name, title, figures } of report.sections) {
        assertStringIncludes(stdout, `### ${title}`);
        const measured = figures.filter(({ median }) => median !== null);
        const excused = report.leftOut.some((what) => NEEDS[name]?.test(what));
        assert(measured.length > 0 || excused, `${name} measured nothing`);
        for (const { what, note } of figures.filter(({ median }) => median === null)) {
          assert(note !== undefined, `${what} has neither a value nor a reason`);
        }
        for (const { what, who, median } of figures) {
          if (who !== undefined || !NOTHING.test(what)) continue;
          assertEquals(median, 0, what);
        }
      }
    } finally {
      await Deno.remove(json);
    }
  },
);

Deno.test("the bench names what it can measure when asked for something else", strict, async () => {
  const { code, stderr } = await bench("--only", "speed");
  assertEquals(code, 2);
  assertStringIncludes(stderr, 'Not known: "speed"');
  assertStringIncludes(stderr, "--only      some of: ceiling, fan-out");
});
