import { FrameReader, OPCODE } from "./frame_reader.ts";

const encoder = new TextEncoder();
const PONG = 0x8a;
const FIRST = { text: 0x81, binary: 0x82 };

/** What a socket asks for, and what it does with what it reads. */
export interface RawSocketOptions {
  port: number;
  path: string;
  /** Subprotocol. */
  protocol?: string;
  /** Further lines of the request. */
  headers?: Record<string, string>;
  /**
   * Takes frames: whole ones, or with `cheap` the beginning and the end of large ones; `length` is
   * that of the whole frame in bytes.
   */
  frame: (head: Uint8Array, tail: Uint8Array, length: number) => void;
  cheap?: boolean;
  /** The connection ended without our wish; a close code where the server gave one. */
  lost: (reason: string) => void;
}

/** The server answered the upgrade with something else. */
export class SocketRefused extends Error {
  override readonly name = "SocketRefused";
  readonly status: number;
  /** When the server wants another attempt, in milliseconds. */
  readonly retryAfterMs: number | undefined;

  constructor(answer: string) {
    super(`The server refused the socket: ${answer}`);
    this.status = Number(answer.split(" ", 2)[1]);
    const seconds = /"retryAfter":([\d.]+)/.exec(answer)?.[1];
    if (seconds !== undefined) this.retryAfterMs = Number(seconds) * 1000;
  }
}

/**
 * A WebSocket client that costs as little as possible, so that one core of it can load one core of
 * a server: plain TCP, no copies, and a mask of zeros (RFC 6455, section 5.3).
 */
export class RawSocket {
  #closed = false;
  #writing: Promise<unknown> = Promise.resolve();
  #asleep: PromiseWithResolvers<void> | undefined;

  private constructor(private readonly conn: Deno.TcpConn) {}

  /** Connects, upgrades and starts to read. Throws when the server refuses. */
  static async open(options: RawSocketOptions): Promise<RawSocket> {
    const { port, path, protocol, headers = {} } = options;
    const conn = await Deno.connect({ hostname: "127.0.0.1", port });
    try {
      conn.setNoDelay(true);
      const lines = Object.entries({
        Host: `127.0.0.1:${port}`,
        Connection: "Upgrade",
        Upgrade: "websocket",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "MDEyMzQ1Njc4OWFiY2RlZg==",
        ...(protocol === undefined ? {} : { "Sec-WebSocket-Protocol": protocol }),
        ...headers,
      }).map(([name, value]) => `${name}: ${value}\r\n`).join("");
      await writeAll(conn, encoder.encode(`GET ${path} HTTP/1.1\r\n${lines}\r\n`));
      const socket = new RawSocket(conn);
      const rest = await readAnswer(conn);
      // Whoever opened the socket has it in hand before its first frame comes.
      setTimeout(() => void socket.#read(options, rest));
      return socket;
    } catch (error) {
      closeQuietly(conn);
      throw error;
    }
  }

  /** Sends one text frame. */
  send(text: string): void {
    this.#write(frameOf(FIRST.text, encoder.encode(text)));
  }

  /** Sends one binary frame. */
  sendBytes(bytes: Uint8Array): void {
    this.#write(frameOf(FIRST.binary, bytes));
  }

  /** Reads no more until wake(). */
  sleep(): void {
    this.#asleep ??= Promise.withResolvers();
  }

  wake(): void {
    this.#asleep?.resolve();
    this.#asleep = undefined;
  }

  /** Closes without a word: the server sees the end of the connection. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.wake();
    closeQuietly(this.conn);
  }

  #write(bytes: Uint8Array): void {
    this.#writing = this.#writing.then(() => writeAll(this.conn, bytes)).catch(() => {});
  }

  async #read(options: RawSocketOptions, rest: Uint8Array): Promise<void> {
    let reason = "";
    const reader = new FrameReader((opcode, head, tail, length) => {
      if (opcode === OPCODE.text || opcode === OPCODE.binary) options.frame(head, tail, length);
      else if (opcode === OPCODE.ping) this.#write(frameOf(PONG, head));
      else if (opcode === OPCODE.close && head.length >= 2) reason = `${head[0]! * 256 + head[1]!}`;
    }, !options.cheap);
    try {
      reader.push(rest);
      const buffer = new Uint8Array(options.cheap ? 65536 : 8192);
      for (let n; (n = await this.conn.read(buffer)) !== null;) {
        reader.push(buffer.subarray(0, n));
        if (this.#asleep !== undefined) await this.#asleep.promise;
      }
    } catch (error) {
      reason ||= String(error);
    }
    if (!this.#closed) options.lost(reason);
    this.close();
  }
}

function closeQuietly(conn: Deno.TcpConn): void {
  try {
    conn.close();
  } catch {
    // It is closed already.
  }
}

/** A frame from a client; the payload must stay below 64 KiB. */
function frameOf(first: number, payload: Uint8Array): Uint8Array {
  const { length } = payload;
  const header = length < 126
    ? [first, 0x80 | length]
    : [first, 0x80 | 126, length >> 8, length & 0xff];
  const frame = new Uint8Array(header.length + 4 + length);
  frame.set(header);
  frame.set(payload, header.length + 4);
  return frame;
}

/** Reads the HTTP answer; returns what came behind it. */
async function readAnswer(conn: Deno.TcpConn): Promise<Uint8Array> {
  const buffer = new Uint8Array(8192);
  let length = 0;
  for (;;) {
    const n = await conn.read(buffer.subarray(length));
    if (n === null) throw new Error("The server closed the connection");
    length += n;
    const text = new TextDecoder("latin1").decode(buffer.subarray(0, length));
    const end = text.indexOf("\r\n\r\n");
    if (end < 0) continue;
    if (!text.startsWith("HTTP/1.1 101")) {
      throw new SocketRefused(text);
    }
    return buffer.subarray(end + 4, length);
  }
}

async function writeAll(conn: Deno.TcpConn, bytes: Uint8Array): Promise<void> {
  for (let at = 0; at < bytes.length;) at += await conn.write(bytes.subarray(at));
}
