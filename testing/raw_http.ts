import { SUBPROTOCOL } from "../lib/protocol.ts";

/** The head of an answer, and the connection it came over. */
export interface RawAnswer extends Disposable {
  status: number;
  headers: Headers;
  conn: Deno.TcpConn;
}

/**
 * Sends a GET request over a connection of its own and reads no further than the head of the
 * answer: what a WebSocket client hides (why an upgrade was refused), and a reader that never reads.
 */
export async function rawGet(url: string, headers: Record<string, string>): Promise<RawAnswer> {
  const { hostname, port, host, pathname, search } = new URL(url);
  const conn = await Deno.connect({ hostname, port: Number(port) });
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`).join("");
  const head = `GET ${pathname}${search} HTTP/1.1\r\nhost: ${host}\r\n${lines}\r\n`;
  await conn.write(new TextEncoder().encode(head));
  let text = "";
  const byte = new Uint8Array(1);
  while (!text.endsWith("\r\n\r\n")) {
    if (await conn.read(byte) === null) throw new Error(`The connection ended: ${text}`);
    text += String.fromCharCode(byte[0]!);
  }
  const [first = "", ...fields] = text.trimEnd().split("\r\n");
  return {
    status: Number(first.split(" ")[1]),
    headers: new Headers(fields.map((field) => {
      const colon = field.indexOf(":");
      return [field.slice(0, colon), field.slice(colon + 1).trim()] as [string, string];
    })),
    conn,
    [Symbol.dispose]: () => conn.close(),
  };
}

/** Asks for a WebSocket (RFC 6455, section 4.1) and returns what the server says to that. */
export async function rawUpgrade(
  server: string,
  { query = {}, headers = {} }: {
    query?: Record<string, string>;
    headers?: Record<string, string>;
  },
): Promise<RawAnswer> {
  return await rawGet(`${server}/v1/socket?${new URLSearchParams(query)}`, {
    connection: "Upgrade",
    upgrade: "websocket",
    "sec-websocket-version": "13",
    "sec-websocket-key": btoa("0123456789abcdef"),
    "sec-websocket-protocol": SUBPROTOCOL,
    ...headers,
  });
}

/** Reads a body of `content-length` bytes as JSON. */
// deno-lint-ignore no-explicit-any -- tests look into answers whose shape they assert
export async function rawJson({ conn, headers }: RawAnswer): Promise<any> {
  const body = new Uint8Array(Number(headers.get("content-length")));
  for (let at = 0; at < body.length;) at += await conn.read(body.subarray(at)) ?? body.length;
  return JSON.parse(new TextDecoder().decode(body));
}

/** Sends a short text frame, masked with zeros (RFC 6455, section 5.2). */
export async function rawSend({ conn }: RawAnswer, frame: unknown): Promise<void> {
  const payload = new TextEncoder().encode(JSON.stringify(frame));
  if (payload.length > 65_535) throw new RangeError("Only short frames");
  const { length } = payload;
  const size = length < 126 ? [0x80 | length] : [0x80 | 126, length >> 8, length & 0xff];
  await conn.write(new Uint8Array([0x81, ...size, 0, 0, 0, 0, ...payload]));
}

/** Everything a server still sends until it ends the connection: text frames and the close code. */
export async function rawDrain(
  { conn }: RawAnswer,
): Promise<{ texts: string[]; code: number | undefined }> {
  const bytes = await readAll(conn);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const texts: string[] = [];
  for (let at = 0; at + 2 <= bytes.length;) {
    const opcode = bytes[at]! & 0x0f;
    let length = bytes[at + 1]! & 0x7f;
    at += 2;
    if (length === 126) [length, at] = [view.getUint16(at), at + 2];
    else if (length === 127) [length, at] = [Number(view.getBigUint64(at)), at + 8];
    if (at + length > bytes.length) break; // cut off in the middle
    if (opcode === 8) return { texts, code: view.getUint16(at) };
    if (opcode === 1) texts.push(new TextDecoder().decode(bytes.subarray(at, at + length)));
    at += length;
  }
  return { texts, code: undefined };
}

/** Reads until the other side ends, or says with a close frame that it wants to. */
async function readAll(conn: Deno.TcpConn): Promise<Uint8Array<ArrayBuffer>> {
  const chunks: Uint8Array<ArrayBuffer>[] = [];
  const late = setTimeout(() => conn.close(), 20_000);
  try {
    for (;;) {
      const chunk = new Uint8Array(256 * 1024);
      const length = await conn.read(chunk);
      if (length === null) break;
      chunks.push(chunk.subarray(0, length));
      if (endsWithClose(chunks.at(-1)!)) break;
    }
  } catch {
    // Reset by the other side: what has come is all there is.
  }
  clearTimeout(late);
  return new Uint8Array(await new Blob(chunks).arrayBuffer());
}

/** A close frame with one of our codes and reasons is the last thing in the chunk. */
function endsWithClose(chunk: Uint8Array): boolean {
  for (let at = Math.max(0, chunk.length - 127); at + 4 <= chunk.length; at++) {
    const length = chunk[at + 1]!;
    if (chunk[at] === 0x88 && length >= 2 && at + 2 + length === chunk.length) return true;
  }
  return false;
}
