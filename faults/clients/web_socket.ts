import { FrameReader, OPCODE } from "../../bench/frame_reader.ts";
import { SUBPROTOCOL } from "../../lib/protocol.ts";

const encoder = new TextEncoder();
const decoder = new TextDecoder();
const TEXT = 0x81;
const CLOSE = 0x88;
const PONG = 0x8a;

/** How a socket ended: a close frame's code, or 1006 without one (RFC 6455, section 7.1.5). */
export interface Closing {
  code: number;
  reason: string;
}

/** The server answered the upgrade with something else. */
export class UpgradeRefused extends Error {
  override readonly name = "UpgradeRefused";
  constructor(readonly status: number, readonly code: string) {
    super(`The upgrade was answered with ${status} ${code}`);
  }
}

/** How to open a socket. */
export interface SocketOptions {
  /** The http URL of the node. */
  url: string;
  /** One of the two proves who connects. */
  token?: string;
  ticket?: string;
  timeoutMs: number;
  onText: (text: string) => void;
  /** Called once. */
  onClose: (closing: Closing) => void;
}

/**
 * A WebSocket client over plain TCP: unlike the one of the runtime it can stop reading, and end
 * without a word. It masks with zeros (RFC 6455, section 5.3).
 */
export class RawWebSocket {
  #closing: Closing | undefined;
  #writing: Promise<unknown> = Promise.resolve();
  #paused: Promise<void> | undefined;
  #resume: (() => void) | undefined;

  private constructor(
    private readonly conn: Deno.TcpConn,
    private readonly options: SocketOptions,
    /** What came right behind the answer. */
    private readonly rest: Uint8Array,
  ) {}

  /** Connects and upgrades; `begin()` starts to read. Rejects with UpgradeRefused, or whatever broke the connection. */
  static async open(options: SocketOptions): Promise<RawWebSocket> {
    const { hostname, port } = new URL(options.url);
    const conn = await Deno.connect({ hostname, port: Number(port) });
    const late = setTimeout(() => shut(conn), options.timeoutMs);
    try {
      conn.setNoDelay(true);
      await writeAll(conn, encoder.encode(requestOf(options)));
      const rest = await readAnswer(conn);
      return new RawWebSocket(conn, options, rest);
    } catch (error) {
      shut(conn);
      throw error;
    } finally {
      clearTimeout(late);
    }
  }

  get open(): boolean {
    return this.#closing === undefined;
  }

  begin(): void {
    void this.#read();
  }

  send(text: string): void {
    this.#write(TEXT, encoder.encode(text));
  }

  /** Reads nothing any more, so that the server cannot send. */
  pause(): void {
    this.#paused ??= new Promise((resolve) => this.#resume = resolve);
  }

  resume(): void {
    this.#resume?.();
    this.#paused = this.#resume = undefined;
  }

  /** Says goodbye and ends. */
  async close(): Promise<void> {
    if (!this.open) return;
    this.#write(CLOSE, new Uint8Array([1000 >> 8, 1000 & 0xff]));
    const late = setTimeout(() => shut(this.conn), 200);
    await this.#writing;
    clearTimeout(late);
    this.drop();
  }

  /** Ends without a word. */
  drop(): void {
    this.#end({ code: 1006, reason: "" });
  }

  #write(first: number, payload: Uint8Array): void {
    if (!this.open) return;
    this.#writing = this.#writing.then(() => writeAll(this.conn, frameOf(first, payload)))
      .catch(() => this.drop());
  }

  async #read(): Promise<void> {
    const reader = new FrameReader((opcode, payload) => this.#frame(opcode, payload), true);
    try {
      reader.push(this.rest);
      const buffer = new Uint8Array(16_384);
      while (this.open) {
        if (this.#paused !== undefined) await this.#paused;
        const length = await this.conn.read(buffer);
        if (length === null) break;
        reader.push(buffer.subarray(0, length));
      }
    } catch {
      // Reset, or closed by us.
    }
    this.drop();
  }

  #frame(opcode: number, payload: Uint8Array): void {
    if (!this.open) return;
    if (opcode === OPCODE.text) this.options.onText(decoder.decode(payload));
    else if (opcode === OPCODE.ping) this.#write(PONG, payload.slice());
    else if (opcode === OPCODE.close) {
      const code = payload.length < 2 ? 1005 : payload[0]! << 8 | payload[1]!;
      this.#end({ code, reason: decoder.decode(payload.subarray(2)) });
    }
  }

  #end(closing: Closing): void {
    if (!this.open) return;
    this.#closing = closing;
    this.resume();
    shut(this.conn);
    this.options.onClose(closing);
  }
}

function requestOf({ url, token, ticket }: SocketOptions): string {
  const query = ticket === undefined ? "" : `?ticket=${encodeURIComponent(ticket)}`;
  const bearer = token === undefined ? "" : `Authorization: Bearer ${token}\r\n`;
  return `GET /v1/socket${query} HTTP/1.1\r\nHost: ${new URL(url).host}\r\n` +
    "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n" +
    "Sec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==\r\n" +
    `Sec-WebSocket-Protocol: ${SUBPROTOCOL}\r\n${bearer}\r\n`;
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
  const buffer = new Uint8Array(16_384);
  for (let length = 0;;) {
    const n = await conn.read(buffer.subarray(length));
    if (n === null || length + n === buffer.length) throw new Error("No answer to the upgrade");
    length += n;
    const text = new TextDecoder("latin1").decode(buffer.subarray(0, length));
    const end = text.indexOf("\r\n\r\n");
    if (end < 0) continue;
    if (text.startsWith("HTTP/1.1 101")) return buffer.slice(end + 4, length);
    const code = /"code":"(\w+)"/.exec(text)?.[1] ?? await restCode(conn);
    throw new UpgradeRefused(Number(text.split(" ")[1]), code);
  }
}

/** The code of a problem document that comes in a packet of its own. */
async function restCode(conn: Deno.TcpConn): Promise<string> {
  const buffer = new Uint8Array(4096);
  const n = await conn.read(buffer);
  return /"code":"(\w+)"/.exec(decoder.decode(buffer.subarray(0, n ?? 0)))?.[1] ?? "";
}

async function writeAll(conn: Deno.TcpConn, bytes: Uint8Array): Promise<void> {
  for (let at = 0; at < bytes.length;) at += await conn.write(bytes.subarray(at));
}

/** Closes, also what is closed already. */
function shut(conn: Deno.TcpConn): void {
  try {
    conn.close();
  } catch {
    // It was closed.
  }
}
