import { assertEquals } from "@std/assert";
import { transformSync } from "amaro";
import { serve } from "./testing/serve.ts";
import { ScriptedServer } from "./testing/scripted_server.ts";

const strict = { sanitizeOps: true, sanitizeResources: true, sanitizeExit: true };

const here = new URL("./", import.meta.url);

/** The version of Node here, such as "v20.1.0", or why there is none. */
async function nodeVersion(): Promise<{ version?: string; reason?: string }> {
  try {
    const { stdout } = await new Deno.Command("node", { args: ["--version"] }).output();
    const version = new TextDecoder().decode(stdout).trim();
    return Number(/^v(\d+)/.exec(version)?.[1]) >= 20
      ? { version }
      : { reason: `node ${version} is older than 20` };
  } catch {
    return { reason: "node is not installed" };
  }
}

/** Writes the SDK without its types, for a Node that cannot strip them itself. */
async function stripInto(folder: string): Promise<void> {
  await Deno.mkdir(`${folder}/client/testing`, { recursive: true });
  const files = ["../protocol.ts", "testing/node_program.ts"];
  for await (const { name } of Deno.readDir(here)) {
    if (name.endsWith(".ts") && !name.endsWith("_test.ts")) files.push(name);
  }
  for (const file of files) {
    const source = await Deno.readTextFile(new URL(file, here));
    const { code } = transformSync(source, { mode: "strip-only" });
    const target = `${folder}/client/${file.replace(/\.ts$/, ".mjs")}`;
    await Deno.writeTextFile(target, code.replaceAll(/(from "[^"]+)\.ts"/g, '$1.mjs"'));
  }
}

const node = await nodeVersion();

Deno.test({
  name: `The SDK runs under Node ${node.version ?? `(skipped: ${node.reason})`}`,
  ignore: node.version === undefined && Deno.env.get("REQUIRE_SERVICES") !== "1",
  ...strict,
  async fn() {
    const server = new ScriptedServer(() => Date.now());
    server.say("r", "zero");
    let cut = false;
    server.intercept = (frame, socket) => {
      if (frame.type !== "send" || frame.text !== "two" || cut) return false;
      cut = true;
      socket.close(4012, "Restarting");
      return true;
    };
    const served = serve(server);
    const folder = await Deno.makeTempDir();
    try {
      await stripInto(folder);
      const flags = node.version?.startsWith("v20.") ? ["--experimental-websocket"] : [];
      const program = `${folder}/client/testing/node_program.mjs`;
      const { stdout, stderr } = await new Deno.Command("node", {
        args: [...flags, "--no-warnings", program, served.url],
        signal: AbortSignal.timeout(30_000),
      }).output();
      const printed = new TextDecoder().decode(stdout);
      if (printed === "") throw new Error(new TextDecoder().decode(stderr));
      const result = JSON.parse(printed);
      assertEquals(result.texts, ["zero", "one", "two", "three"]);
      assertEquals(result.head, 4);
      assertEquals(result.states.filter((name: string) => name === "connected").length, 2);
    } finally {
      await served.stop();
      await Deno.remove(folder, { recursive: true });
    }
  },
});
