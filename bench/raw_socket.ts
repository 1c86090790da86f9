import { FrameReader, OPCODE } from "./frame_reader.ts";

const encoder = new TextEncoder();
const PONG = 0x8a;
const TEXT = 0x81;

/** What a socket does with what it reads. */
export interface RawSocketOptions {
  port: number;
  token: string;
  /** Takes text frames: whole ones, or with `cheap` the beginning and the end of large ones. */
  frame: (head: Uint8Array, tail: Uint8Array) => void;
  cheap?: boolean;
  /** The connection ended without our wish. */
  lost: (reason: string) => void;
}

/**
 * A WebSocket client that costs as little as possible, so that one core of it can load one core of
 * a server: plain TCP, no copies, and a mask of zeros (RFC 6455, section 5.3).
 */
export class RawSocket {
  #closed = false;
  #writing: Promise<unknown> = Promise.resolve();

  private constructor(private readonly conn: Deno.TcpConn) {}

  /** Connects, upgrades and starts to read. Throws when the server refuses. */
  static async open(options: RawSocketOptions): Promise<RawSocket> {
    const conn = await Deno.connect({ hostname: "127.0.0.1", port: options.port });
    conn.setNoDelay(true);
    await writeAll(
      conn,
      encoder.encode(
        `GET /v1/socket HTTP/1.1\r\nHost: 127.0.0.1:${options.port}\r\nConnection: Upgrade\r\n` +
          "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n" +
          `Sec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==\r\nSec-WebSocket-Protocol: confab.v1\r\n` +
          `Authorization: Bearer ${options.token}\r\n\r\n`,
      ),
    );
    const socket = new RawSocket(conn);
    const rest = await readAnswer(conn);
    void socket.#read(options, rest);
    return socket;
  }

  /** Sends one text frame. */
  send(text: string): void {
    this.#write(frameOf(TEXT, encoder.encode(text)));
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.conn.close();
  }

  #write(bytes: Uint8Array): void {
    this.#writing = this.#writing.then(() => writeAll(this.conn, bytes)).catch(() => {});
  }

  async #read(options: RawSocketOptions, rest: Uint8Array): Promise<void> {
    let reason = "";
    const reader = new FrameReader((opcode, head, tail) => {
      if (opcode === OPCODE.text) options.frame(head, tail);
      else if (opcode === OPCODE.ping) this.#write(frameOf(PONG, head));
      else if (opcode === OPCODE.close) {
        reason = `${new DataView(head.slice().buffer).getUint16(0)}`;
      }
    }, !options.cheap);
    try {
      reader.push(rest);
      const buffer = new Uint8Array(options.cheap ? 65536 : 8192);
      for (let n; (n = await this.conn.read(buffer)) !== null;) reader.push(buffer.subarray(0, n));
    } catch (error) {
      reason ||= String(error);
    }
    if (!this.#closed) options.lost(reason);
    this.close();
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
      conn.close();
      throw new Error(`The server refused the socket: ${text}`);
    }
    return buffer.subarray(end + 4, length);
  }
}

async function writeAll(conn: Deno.TcpConn, bytes: Uint8Array): Promise<void> {
  for (let at = 0; at < bytes.length;) at += await conn.write(bytes.subarray(at));
}
