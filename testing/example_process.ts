/** The programs of `examples/` as processes, and what they need to run. */
import { keptEnvironment } from "./node_process.ts";
import { findService, type Service } from "./services.ts";
import type { LogEntry } from "../lib/protocol.ts";

const EXAMPLES = new URL("../examples/", import.meta.url).pathname;
/** Packages of the Node device stay here between runs, as the embedded Postgres does. */
const INSTALLED = new URL("../.data/examples/", import.meta.url).pathname;
const INSTALL_MS = 90_000;

/** What a device needs to know; its secret is never on a command line. */
export interface ExampleAccess {
  host: string;
  port: number;
  device: string;
  secret: string;
  room: string;
}

/** A device of `examples/` in one language. */
export interface ExampleKind {
  name: string;
  service: Service;
  start(access: ExampleAccess, folder: string): ExampleDevice;
}

/** The environment of an example, and nothing else of ours but where programs are found. */
export function exampleEnvironment(access: ExampleAccess): Record<string, string> {
  return {
    ...keptEnvironment(),
    CONFAB_HOST: access.host,
    CONFAB_PORT: `${access.port}`,
    CONFAB_DEVICE: access.device,
    CONFAB_SECRET: access.secret,
    CONFAB_ROOM: access.room,
  };
}

/** A message that a device has put on its disk, and one that it knows to be stored. */
interface Taken {
  taken: string;
  line: string;
}
interface Receipt {
  receipt: string;
  seq: number;
  duplicate: boolean;
}

/** A running device of `examples/`, which tells what happens in lines of JSON. */
export class ExampleDevice implements AsyncDisposable {
  readonly taken: Taken[] = [];
  readonly receipts: Receipt[] = [];
  readonly refused: unknown[] = [];
  readonly entries: LogEntry[] = [];
  /** The numbers of its connections. */
  readonly sessions: number[] = [];
  stderr = "";
  readonly #child: Deno.ChildProcess;
  readonly #input: WritableStreamDefaultWriter<Uint8Array>;
  readonly #ended: Promise<Deno.CommandStatus>;

  constructor(program: string, args: string[], env: Record<string, string>) {
    const child = new Deno.Command(program, {
      args,
      clearEnv: true,
      env,
      stdin: "piped",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    this.#child = child;
    const input = this.#input = child.stdin.getWriter();
    const reading = Promise.all([
      readLines(child.stdout, (line) => this.#said(JSON.parse(line))),
      readLines(child.stderr, (line) => this.stderr += `${line}\n`),
    ]);
    this.#ended = (async () => {
      const status = await child.status;
      await reading;
      await input.close().catch(() => {}); // a broken pipe, after a kill
      return status;
    })();
  }

  /** Writes lines to its standard input; those that it does not read before its end are lost. */
  write(lines: string[]): void {
    const text = lines.map((line) => `${line}\n`).join("");
    this.#input.write(new TextEncoder().encode(text)).catch(() => {});
  }

  /** Sends a signal and waits for the end. */
  async kill(signal: Deno.Signal): Promise<Deno.CommandStatus> {
    try {
      this.#child.kill(signal);
    } catch (error) {
      if (!(error instanceof TypeError)) throw error; // it ended by itself meanwhile
    }
    return await this.#ended;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill("SIGKILL");
  }

  #said(line: Taken | Receipt | { entry: LogEntry } | { online: number } | { refused: unknown }) {
    if ("taken" in line) this.taken.push(line);
    else if ("receipt" in line) this.receipts.push(line);
    else if ("entry" in line) this.entries.push(line.entry);
    else if ("online" in line) this.sessions.push(line.online);
    else this.refused.push(line);
  }
}

/** Complete lines only: the last one of a process that was killed may be cut off. */
async function readLines(stream: ReadableStream<Uint8Array>, take: (line: string) => void) {
  const decoder = new TextDecoder();
  let rest = "";
  for await (const chunk of stream) {
    const lines = (rest + decoder.decode(chunk, { stream: true })).split("\n");
    rest = lines.pop()!;
    for (const line of lines) take(line);
  }
}

/** The devices in Node and in Python. Installs the packages of the first when they are not there. */
export async function exampleKinds(): Promise<ExampleKind[]> {
  return [await nodeKind(), await pythonKind()];
}

/** Runs a program without input; throws with what it wrote when it fails. */
async function run(
  program: string,
  args: string[],
  options: { cwd?: string; signal?: AbortSignal } = {},
): Promise<string> {
  const { success, stdout, stderr } = await new Deno.Command(program, {
    args,
    stdin: "null",
    ...options,
  }).output();
  const decoder = new TextDecoder();
  if (!success) throw new Error(decoder.decode(stderr).trim().split("\n").at(-1));
  return decoder.decode(stdout);
}

async function nodeKind(): Promise<ExampleKind> {
  let service = await findService("Node 18 or later", async () => {
    const version = await run("node", ["--version"]);
    if (Number(/^v(\d+)/.exec(version)?.[1]) < 18) throw new Error(`this is ${version.trim()}`);
  });
  let folder = "";
  if (service.missing === undefined) {
    try {
      folder = await installNodeDevice();
    } catch (error) {
      const missing = error instanceof Error ? error.message : String(error);
      service = { name: "what `npm ci` installs", missing };
    }
  }
  return {
    name: "Node",
    service,
    start: (access, state) =>
      new ExampleDevice("node", [`${folder}/device.mjs`], {
        ...exampleEnvironment(access),
        CONFAB_STATE: state,
      }),
  };
}

/** Installs it as its page says, once for each version of its files, and answers with the folder. */
async function installNodeDevice(): Promise<string> {
  const source = `${EXAMPLES}node`;
  const files: [string, Uint8Array<ArrayBuffer>][] = [];
  for await (const { name, isFile } of Deno.readDir(source)) {
    if (isFile) files.push([name, await Deno.readFile(`${source}/${name}`)]);
  }
  files.sort(([a], [b]) => a < b ? -1 : 1);
  const content = await new Blob(files.flat()).arrayBuffer();
  const hash = new Uint8Array(await crypto.subtle.digest("SHA-256", content)).toHex();
  const folder = `${INSTALLED}node-${hash.slice(0, 16)}`;
  if (await Deno.stat(`${folder}/node_modules`).then(() => true, () => false)) return folder;
  await Deno.mkdir(INSTALLED, { recursive: true });
  const part = await Deno.makeTempDir({ dir: INSTALLED });
  try {
    for (const [name, bytes] of files) await Deno.writeFile(`${part}/${name}`, bytes);
    const args = ["ci", "--no-audit", "--no-fund", "--prefer-offline", "--ignore-scripts"];
    await run("npm", args, { cwd: part, signal: AbortSignal.timeout(INSTALL_MS) });
    await Deno.rename(part, folder);
  } catch (error) {
    await Deno.remove(part, { recursive: true });
    // Another run may have been quicker.
    if (!await Deno.stat(`${folder}/node_modules`).then(() => true, () => false)) throw error;
  }
  return folder;
}

async function pythonKind(): Promise<ExampleKind> {
  let python = "python3";
  const check = ["-c", "import paho.mqtt.client"];
  const service = await findService("Python 3 with paho-mqtt", async () => {
    // Debian's package is that of Debian's Python, which need not be the first on the PATH.
    const debian = "/usr/bin/python3";
    if (await run(debian, check).then(() => true, () => false)) python = debian;
    else await run(python, check);
  });
  return {
    name: "Python",
    service,
    start: (access, state) =>
      new ExampleDevice(python, ["-B", `${EXAMPLES}python/device.py`], {
        ...exampleEnvironment(access),
        CONFAB_STATE: state,
      }),
  };
}

/** Runs the tour to its end; `output` is all that it wrote. */
export async function runTour(access: ExampleAccess): Promise<{ code: number; output: string }> {
  const { code, stdout, stderr } = await new Deno.Command("bash", {
    args: [`${EXAMPLES}mosquitto/tour.sh`],
    clearEnv: true,
    env: exampleEnvironment(access),
    stdin: "null",
    signal: AbortSignal.timeout(120_000),
  }).output();
  const decoder = new TextDecoder();
  return { code, output: decoder.decode(stdout) + decoder.decode(stderr) };
}

/** Looks for Mosquitto's command line tools and for what the tour uses besides. */
export function findMosquittoTools(): Promise<Service> {
  return findService("mosquitto_sub and mosquitto_pub", async () => {
    for (const tool of ["mosquitto_sub", "mosquitto_pub"]) {
      // It ends with an error, whose text names its version.
      await new Deno.Command(tool, { args: ["--help"], stdin: "null" }).output();
    }
    await run("bash", ["--version"]);
  });
}
