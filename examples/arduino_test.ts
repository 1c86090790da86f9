/** The sketch against the headers of `arduino/check/`: see examples/README.md for what that proves. */
import { assertEquals } from "@std/assert";
import { findService, testWith } from "../testing/services.ts";

const ARDUINO = new URL("arduino/", import.meta.url).pathname;

async function compile(...args: string[]): Promise<{ code: number; text: string }> {
  const { code, stdout, stderr } = await new Deno.Command("g++", { args, stdin: "null" }).output();
  return { code, text: new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr) };
}

const compiler = await findService("g++", async () => {
  const { code, text } = await compile("--version");
  if (code !== 0) throw new Error(text);
});

/** Compiles a sketch with the program that plays the broker for it, and runs both. */
async function check(arduino: string): Promise<{ code: number; text: string }> {
  const program = `${arduino}/run`;
  const flags = ["-std=gnu++17", "-Wall", "-Wextra", "-Werror", "-x", "c++"];
  const folder = `${arduino}/check`;
  const compiled = await compile(...flags, "-I", folder, "-o", program, `${folder}/run.cpp`);
  if (compiled.code !== 0) return compiled;
  const { code, stdout } = await new Deno.Command(program, { stdin: "null" }).output();
  return { code, text: new TextDecoder().decode(stdout) };
}

/** A copy of the sketch and its check, changed by `change`. */
async function copied(change: (sketch: string) => string) {
  const dir = await Deno.makeTempDir({ prefix: "confab-arduino-" });
  for (const folder of ["ConfabDevice", "check"]) {
    await Deno.mkdir(`${dir}/${folder}`);
    for await (const { name } of Deno.readDir(`${ARDUINO}${folder}`)) {
      const text = await Deno.readTextFile(`${ARDUINO}${folder}/${name}`);
      const changed = name.endsWith(".ino") ? change(text) : text;
      await Deno.writeTextFile(`${dir}/${folder}/${name}`, changed);
    }
  }
  return { dir, [Symbol.asyncDispose]: () => Deno.remove(dir, { recursive: true }) };
}

testWith(
  compiler,
  "the sketch compiles without a warning, and repeats until the receipt",
  async () => {
    await using copy = await copied((sketch) => sketch);
    const { code, text } = await check(copy.dir);
    assertEquals(code, 0, text);
  },
);

const DEFECTS: Record<string, [string, string]> = {
  "publishes with QoS 0": [
    "strlen(message.payload), false, 1)",
    "strlen(message.payload), false, 0)",
  ],
  "never repeats": [
    "if (message.published && !isOver(message.publishedAt, REPEAT_MS)) continue;",
    "if (message.published) continue;",
  ],
  "forgets its number": ['preferences.putUInt("number", number);', ""],
  "sends no key": ['json["clientId"] = key;', ""],
};
for (const [what, [from, to]] of Object.entries(DEFECTS)) {
  testWith(compiler, `the check finds a sketch that ${what}`, async () => {
    await using copy = await copied((sketch) => {
      if (!sketch.includes(from)) throw new Error(`The sketch has no "${from}"`);
      return sketch.replace(from, to);
    });
    const { code, text } = await check(copy.dir);
    assertEquals([code, text.includes("NOT OK")], [1, true], text);
  });
}
