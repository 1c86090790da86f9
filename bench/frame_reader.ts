/** Bytes kept of the beginning and of the end of a frame that does not arrive in one piece. */
const KEPT = 2048;

/** Opcodes of RFC 6455, section 5.2. */
export const OPCODE = { text: 1, binary: 2, close: 8, ping: 9 } as const;

/**
 * Takes the frames that a server sends out of a stream of bytes without copying them. A frame that
 * lies whole in one chunk is handed over as it is; of one that does not, only the first and last
 * bytes are kept, unless `whole` is set.
 */
export class FrameReader {
  #header = new Uint8Array(10);
  #headerLength = 0;
  #opcode = 0;
  /** Bytes of the payload that are still to come; -1 while a header is read. */
  #left = -1;
  #length = 0;
  #parts: Uint8Array[] = [];
  #head: Uint8Array = new Uint8Array(0);
  #tail: Uint8Array = new Uint8Array(0);

  constructor(
    private readonly frame: (
      opcode: number,
      head: Uint8Array,
      tail: Uint8Array,
      length: number,
    ) => void,
    private readonly whole = false,
  ) {}

  /** Takes the next bytes; `chunk` may be used again after the call. */
  push(chunk: Uint8Array): void {
    let at = 0;
    while (at < chunk.length || this.#left === 0) {
      if (this.#left < 0) {
        at = this.#readHeader(chunk, at);
        if (this.#left < 0) return;
      }
      const end = Math.min(chunk.length, at + this.#left);
      const piece = chunk.subarray(at, end);
      this.#left -= end - at;
      at = end;
      if (this.#left > 0) return this.#keep(piece);
      this.#end(piece);
    }
  }

  #readHeader(chunk: Uint8Array, at: number): number {
    const header = this.#header;
    while (at < chunk.length) {
      header[this.#headerLength++] = chunk[at++]!;
      if (this.#headerLength < 2) continue;
      const short = header[1]! & 0x7f;
      const length = short === 126 ? 4 : short === 127 ? 10 : 2;
      if (this.#headerLength < length) continue;
      const view = new DataView(header.buffer);
      this.#left = length === 2
        ? short
        : length === 4
        ? view.getUint16(2)
        : Number(view.getBigUint64(2));
      this.#length = this.#left;
      this.#opcode = header[0]! & 0x0f;
      this.#headerLength = 0;
      return at;
    }
    return at;
  }

  #keep(piece: Uint8Array): void {
    if (this.whole) return void this.#parts.push(piece.slice());
    if (this.#head.length < KEPT) this.#head = joined(this.#head, piece).slice(0, KEPT);
    this.#tail = joined(this.#tail, piece.subarray(-KEPT)).slice(-KEPT);
  }

  #end(piece: Uint8Array): void {
    this.#left = -1;
    let head = piece;
    let tail = piece;
    if (this.#parts.length > 0) {
      head = tail = [...this.#parts, piece].reduce(joined);
      this.#parts = [];
    } else if (this.#head.length > 0) {
      head = this.#head.length < KEPT ? joined(this.#head, piece) : this.#head;
      tail = piece.length < KEPT ? joined(this.#tail, piece) : piece;
      this.#head = this.#tail = new Uint8Array(0);
    }
    this.frame(this.#opcode, head, tail, this.#length);
  }
}

function joined(a: Uint8Array, b: Uint8Array): Uint8Array {
  const all = new Uint8Array(a.length + b.length);
  all.set(a);
  all.set(b, a.length);
  return all;
}
