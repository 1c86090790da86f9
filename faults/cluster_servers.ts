import { configureMosquitto } from "../testing/mosquitto.ts";
import { WorldProcess } from "./cluster_process.ts";
import type { ExitRecord } from "./history.ts";
import type { ServerHandle } from "./world.ts";

const ANSWER_MS = 1000;

/** Where a server keeps its things and whom it tells. */
export interface ServerOptions {
  /** A folder of its own. */
  folder: string;
  port: number;
  /** Path of what it writes, without `.out` and `.err`. */
  log: string;
  now(): number;
  ended(record: ExitRecord): void;
}

/** A server on one port. */
export class WorldServer extends WorldProcess implements ServerHandle {
  constructor(readonly url: string, ...options: ConstructorParameters<typeof WorldProcess>) {
    super(...options);
  }
}

/** A Redis that keeps nothing on disk. */
export function createRedis({ folder, port, ...rest }: ServerOptions): WorldServer {
  const args = ["--port", `${port}`, "--bind", "127.0.0.1", "--dir", folder];
  const redis: WorldServer = new WorldServer(`redis://127.0.0.1:${port}`, {
    name: "redis",
    program: () => ({
      command: "redis-server",
      args: [...args, "--save", "", "--appendonly", "no", "--daemonize", "no"],
      env: pathOnly(),
    }),
    answers: () => saysBack(port, INFO, `process_id:${redis.pid}\r`),
    ...rest,
  });
  return redis;
}

/** A Mosquitto as it is shipped, and the bridge's account at it. */
export async function createMosquitto(
  { folder, port, ...rest }: ServerOptions,
): Promise<{ mosquitto: WorldServer; bridge: { username: string; password: string } }> {
  const bridge = await configureMosquitto(folder, port);
  const mosquitto = new WorldServer(`mqtt://127.0.0.1:${port}`, {
    name: "mosquitto",
    program: () => ({ command: "mosquitto", args: ["-c", `${folder}/conf`], env: pathOnly() }),
    answers: () => saysBack(port, connectAs(bridge), "\x20\x02\x00\x00"),
    ...rest,
  });
  return { mosquitto, bridge };
}

const INFO = new TextEncoder().encode("INFO server\r\n");

/** A CONNECT of MQTT 3.1.1 without a client id, of a session that is not kept. */
function connectAs({ username, password }: { username: string; password: string }) {
  const text = (value: string) => {
    const bytes = new TextEncoder().encode(value);
    return [bytes.length >> 8, bytes.length & 0xff, ...bytes];
  };
  const body = [...text("MQTT"), 4, 0b1100_0010, 0, 60, ...[0, 0], ...text(username)];
  body.push(...text(password));
  return new Uint8Array([0x10, body.length, ...body]); // shorter than 128 bytes
}

function pathOnly(): Record<string, string> {
  return { PATH: Deno.env.get("PATH") ?? "" };
}

/** Whether what listens on `port` answers `question` with something that holds `expected`. */
async function saysBack(
  port: number,
  question: Uint8Array<ArrayBuffer>,
  expected: string,
): Promise<boolean> {
  const connection = await Deno.connect({ hostname: "127.0.0.1", port }).catch(() => undefined);
  if (connection === undefined) return false;
  const late = setTimeout(() => close(connection), ANSWER_MS);
  try {
    await connection.write(question);
    const buffer = new Uint8Array(4096);
    let answer = "";
    while (!answer.includes(expected)) {
      const length = await connection.read(buffer);
      if (length === null) return false;
      answer += String.fromCharCode(...buffer.subarray(0, length));
    }
    return true;
  } catch {
    return false;
  } finally {
    clearTimeout(late);
    close(connection);
  }
}

function close(connection: Deno.TcpConn): void {
  try {
    connection.close();
  } catch (error) {
    if (!(error instanceof Deno.errors.BadResource)) throw error;
  }
}
