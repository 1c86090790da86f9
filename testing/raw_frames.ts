import type { RawAnswer } from "./raw_http.ts";

/** One WebSocket frame, as RFC 6455, section 5.2, lays it out; also one that the RFC forbids. */
export interface RawFrame {
  opcode: number;
  payload?: Uint8Array | string;
  /** Default true. */
  fin?: boolean;
  /** The three reserved bits, 0 to 7. Default 0. */
  reserved?: number;
  /** Default true, as clients must. */
  masked?: boolean;
  /** How the length is written: in 7, 16 or 64 bits. Default the shortest. */
  lengthBits?: 7 | 16 | 64;
  /** The length that is claimed, when it is not the payload's. */
  claimedLength?: number;
}

/** Opcodes of RFC 6455, section 11.8. */
export const OPCODE = {
  continuation: 0x0,
  text: 0x1,
  binary: 0x2,
  close: 0x8,
  ping: 0x9,
  pong: 0xa,
} as const;

/** The bytes of a frame. */
export function encodeFrame(frame: RawFrame): Uint8Array<ArrayBuffer> {
  const { opcode, fin = true, reserved = 0, masked = true } = frame;
  const payload = typeof frame.payload === "string"
    ? new TextEncoder().encode(frame.payload)
    : frame.payload ?? new Uint8Array();
  const length = frame.claimedLength ?? payload.length;
  const bits = frame.lengthBits ?? (length < 126 ? 7 : length < 65_536 ? 16 : 64);
  const head = new DataView(new ArrayBuffer(2 + (bits === 7 ? 0 : bits / 8)));
  head.setUint8(0, (fin ? 0x80 : 0) | (reserved << 4) | opcode);
  head.setUint8(1, (masked ? 0x80 : 0) | (bits === 7 ? length : bits === 16 ? 126 : 127));
  if (bits === 16) head.setUint16(2, length);
  if (bits === 64) head.setBigUint64(2, BigInt(length));
  const mask = masked ? crypto.getRandomValues(new Uint8Array(4)) : new Uint8Array();
  const body = masked ? payload.map((byte, i) => byte ^ mask[i % 4]!) : payload;
  const bytes = new Uint8Array(head.byteLength + mask.length + body.length);
  bytes.set(new Uint8Array(head.buffer));
  bytes.set(mask, head.byteLength);
  bytes.set(body, head.byteLength + mask.length);
  return bytes;
}

/** A frame from the server. */
export interface ReceivedFrame {
  opcode: number;
  text: string;
  /** Of a close frame that has one. */
  code?: number;
}

/** A WebSocket of which a test writes and reads every byte. */
export class RawSocket {
  #bytes = new Uint8Array();

  constructor(private readonly answer: RawAnswer) {}

  async send(...frames: RawFrame[]): Promise<void> {
    for (const frame of frames) await this.write(encodeFrame(frame));
  }

  /** Writes all of `bytes`. */
  async write(bytes: Uint8Array): Promise<void> {
    for (let at = 0; at < bytes.length;) at += await this.answer.conn.write(bytes.subarray(at));
  }

  /** The next frame; undefined when the server has ended the connection, politely or not. */
  async next(): Promise<ReceivedFrame | undefined> {
    try {
      const [first, second] = await this.#take(2);
      let length = second! & 0x7f;
      if (length >= 126) {
        const wide = await this.#take(length === 126 ? 2 : 8);
        length = wide.reduce((sum, byte) => sum * 256 + byte, 0);
      }
      const payload = await this.#take(length);
      const opcode = first! & 0x0f;
      const closing = opcode === OPCODE.close && length >= 2;
      const text = new TextDecoder().decode(closing ? payload.subarray(2) : payload);
      return { opcode, text, ...(closing && { code: payload[0]! * 256 + payload[1]! }) };
    } catch {
      return undefined;
    }
  }

  /** Reads until `wanted` is true of a frame. Throws when the connection ends before. */
  async until(wanted: (frame: ReceivedFrame) => boolean): Promise<ReceivedFrame> {
    const seen: ReceivedFrame[] = [];
    for (;;) {
      const frame = await this.next();
      if (frame === undefined) {
        throw new Error(`The connection ended after ${JSON.stringify(seen)}`);
      }
      if (wanted(frame)) return frame;
      seen.push(frame);
    }
  }

  /** Reads to the end: the code of the close frame, or undefined when there was none. */
  async closeCode(): Promise<number | undefined> {
    for (let frame; (frame = await this.next()) !== undefined;) {
      if (frame.opcode === OPCODE.close) return frame.code;
    }
    return undefined;
  }

  async #take(count: number): Promise<Uint8Array> {
    while (this.#bytes.length < count) {
      const chunk = new Uint8Array(64 * 1024);
      const length = await this.answer.conn.read(chunk);
      if (length === null) throw new Error("The connection has ended");
      const joined = new Uint8Array(this.#bytes.length + length);
      joined.set(this.#bytes);
      joined.set(chunk.subarray(0, length), this.#bytes.length);
      this.#bytes = joined;
    }
    const taken = this.#bytes.subarray(0, count);
    this.#bytes = this.#bytes.subarray(count);
    return taken;
  }
}
