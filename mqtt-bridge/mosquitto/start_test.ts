import { assert, assertEquals } from "@std/assert";
import { findMosquitto, startMosquitto } from "../../testing/mosquitto.ts";
import { TestDevice } from "../../testing/mqtt_device.ts";
import { testWith } from "../../testing/services.ts";

/** Writes a program for the shell that notes how it was called, and goes on with `then`. */
async function note(path: string, calls: string, then: string): Promise<void> {
  await Deno.writeTextFile(path, `#!/bin/sh\nprintf '%s\\n' "$0 $*" >> ${calls}\n${then}\n`);
  await Deno.chmod(path, 0o755);
}

async function output(command: string, args: string[], env: Record<string, string> = {}) {
  const { success, stdout, stderr } = await new Deno.Command(command, { args, env }).output();
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  assert(success, text(stderr));
  return text(stdout).trim();
}

testWith(
  await findMosquitto(),
  "start.sh shows the password in no list of processes, and the bridge gets in with it",
  async () => {
    await using stack = new AsyncDisposableStack();
    const dir = await Deno.makeTempDir({ prefix: "confab-start-" });
    stack.defer(() => Deno.remove(dir, { recursive: true }));
    await Promise.all(["bin", "data"].map((name) => Deno.mkdir(`${dir}/${name}`)));
    const calls = `${dir}/calls`;
    const tool = await output("sh", ["-c", "command -v mosquitto_ctrl"]);
    await note(`${dir}/bin/mosquitto_ctrl`, calls, `exec ${tool} "$@"`);
    await note(`${dir}/bin/mosquitto`, calls, "");
    await note(`${dir}/bin/chown`, calls, "");
    const script = await Deno.readTextFile(new URL("start.sh", import.meta.url));
    await Deno.writeTextFile(`${dir}/start.sh`, script.replaceAll("/mosquitto/", `${dir}/`));
    const broker = stack.use(await startMosquitto());
    const password = ` a'"$b \\ %s ${crypto.randomUUID()} `;
    const env = { MQTT_PASSWORD: password, PATH: `${dir}/bin:${Deno.env.get("PATH")}` };
    await output("sh", [`${dir}/start.sh`], env);
    const called = await Deno.readTextFile(calls);
    assertEquals(called.match(/mosquitto_ctrl dynsec init|mosquitto -c/g)?.length, 2, called);
    assert(!called.includes(password.trim()), called);

    const file = await Deno.readTextFile(`${dir}/data/dynamic-security.json`);
    assert(/"publishClientReceive":\s*false/.test(file), file);
    await broker.startAnew(file);
    const { url } = broker;
    const account = { url, username: "confab-bridge", clientId: "confab-bridge-0" };
    await using _bridge = await TestDevice.connect({ ...account, password });
  },
);
