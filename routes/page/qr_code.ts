import { codewordsOf } from "./qr_codewords.ts";

/** Modules of a QR code, dark ones true; `at(x, y)` from the upper left corner, without a margin. */
export interface QrCode {
  size: number;
  at(x: number, y: number): boolean;
}

const MASKS: ((x: number, y: number) => boolean)[] = [
  (x, y) => (x + y) % 2 === 0,
  (_, y) => y % 2 === 0,
  (x) => x % 3 === 0,
  (x, y) => (x + y) % 3 === 0,
  (x, y) => (Math.floor(x / 3) + Math.floor(y / 2)) % 2 === 0,
  (x, y) => x * y % 2 + x * y % 3 === 0,
  (x, y) => (x * y % 2 + x * y % 3) % 2 === 0,
  (x, y) => ((x + y) % 2 + x * y % 3) % 2 === 0,
];

/**
 * The QR code of a text (ISO/IEC 18004, byte mode, level M); undefined above 666 bytes of UTF-8.
 * Made here, because the page loads its own modules only and has no bundler to bring a package in.
 */
export function qrCode(text: string): QrCode | undefined {
  const codewords = codewordsOf(text);
  if (codewords === undefined) return undefined;
  const codes = MASKS.map((_, mask) => {
    const drawing = new Drawing(codewords.version);
    drawing.bytes(codewords.bytes, mask);
    return drawing;
  });
  const best = codes.reduce((a, b) => b.unrest() < a.unrest() ? b : a);
  return { size: best.size, at: (x, y) => best.dark(x, y) };
}

class Drawing {
  readonly size: number;
  #version: number;
  #modules: boolean[];
  /** Where a pattern is, and no data. */
  #taken: boolean[];

  constructor(version: number) {
    this.#version = version;
    this.size = 17 + 4 * version;
    this.#modules = Array(this.size ** 2).fill(false);
    this.#taken = Array(this.size ** 2).fill(false);
    this.#patterns();
  }

  dark(x: number, y: number): boolean {
    return this.#modules[y * this.size + x] ?? false;
  }

  /** Draws the data, under a mask. */
  bytes(bytes: number[], mask: number): void {
    this.#format(mask);
    let bit = 0;
    for (let right = this.size - 1; right >= 1; right -= 2) {
      if (right === 6) right = 5; // the timing pattern
      for (let i = 0; i < this.size; i++) {
        const y = (right + 1 & 2) === 0 ? this.size - 1 - i : i;
        for (const x of [right, right - 1]) {
          if (this.#taken[y * this.size + x]) continue;
          const dark = ((bytes[bit >> 3] ?? 0) >> (7 - (bit & 7)) & 1) === 1;
          this.#modules[y * this.size + x] = dark !== MASKS[mask]!(x, y);
          bit++;
        }
      }
    }
  }

  /** How hard it is to read, by runs and squares of one colour: less is better. */
  unrest(): number {
    let sum = 0;
    const line = (at: (i: number) => boolean) => {
      let run = 1;
      for (let i = 1; i <= this.size; i++) {
        if (i < this.size && at(i) === at(i - 1)) run++;
        else {
          if (run >= 5) sum += run - 2;
          run = 1;
        }
      }
    };
    for (let y = 0; y < this.size; y++) {
      line((x) => this.dark(x, y));
      line((x) => this.dark(y, x));
      for (let x = 1; x < this.size && y > 0; x++) {
        const corner = this.dark(x, y);
        const square = [this.dark(x - 1, y), this.dark(x, y - 1), this.dark(x - 1, y - 1)];
        if (square.every((dark) => dark === corner)) sum += 3;
      }
    }
    return sum;
  }

  #set(x: number, y: number, dark: boolean): void {
    if (x < 0 || y < 0 || x >= this.size || y >= this.size) return;
    this.#modules[y * this.size + x] = dark;
    this.#taken[y * this.size + x] = true;
  }

  #patterns(): void {
    for (let i = 0; i < this.size; i++) {
      this.#set(6, i, i % 2 === 0);
      this.#set(i, 6, i % 2 === 0);
    }
    const far = this.size - 4;
    for (const [x, y] of [[3, 3], [far, 3], [3, far]] as const) this.#rings(x, y, 4);
    const marks = this.#marks();
    const last = marks.length - 1;
    marks.forEach((x, i) =>
      marks.forEach((y, j) => {
        const corner = i === 0 && j === 0 || i === 0 && j === last || i === last && j === 0;
        if (!corner) this.#rings(x, y, 2);
      })
    );
    this.#format(0);
    if (this.#version >= 7) this.#versionBits();
  }

  /** A finder pattern with its white border (radius 4), or an alignment pattern (radius 2). */
  #rings(x: number, y: number, radius: number): void {
    for (let dy = -radius; dy <= radius; dy++) {
      for (let dx = -radius; dx <= radius; dx++) {
        const ring = Math.max(Math.abs(dx), Math.abs(dy));
        this.#set(x + dx, y + dy, radius === 2 ? ring !== 1 : ring !== 2 && ring !== 4);
      }
    }
  }

  /** Where alignment patterns stand, in both directions. */
  #marks(): number[] {
    if (this.#version === 1) return [];
    const count = Math.floor(this.#version / 7) + 2;
    const step = Math.ceil((this.#version * 4 + 4) / (count * 2 - 2)) * 2;
    const places = Array.from({ length: count - 1 }, (_, i) => this.size - 7 - i * step);
    return [6, ...places.reverse()];
  }

  /** Level M is 0, so only the mask is said. */
  #format(mask: number): void {
    const code = checked(mask, 10, 0x537) ^ 0x5412;
    const bit = (i: number) => (code >> i & 1) === 1;
    const { size } = this;
    for (let i = 0; i < 15; i++) {
      const near = i < 6 ? i : i < 8 ? i + 1 : 14 - i;
      if (i < 8) this.#set(8, near, bit(i));
      else this.#set(i === 8 ? 7 : near, 8, bit(i));
      if (i < 8) this.#set(size - 1 - i, 8, bit(i));
      else this.#set(8, size - 15 + i, bit(i));
    }
    this.#set(8, size - 8, true);
  }

  #versionBits(): void {
    const code = checked(this.#version, 12, 0x1f25);
    for (let i = 0; i < 18; i++) {
      const [far, near] = [this.size - 11 + i % 3, Math.floor(i / 3)];
      this.#set(far, near, (code >> i & 1) === 1);
      this.#set(near, far, (code >> i & 1) === 1);
    }
  }
}

/** `value` followed by `length` check bits (BCH). */
function checked(value: number, length: number, polynomial: number): number {
  let rest = value;
  for (let i = 0; i < length; i++) rest = rest << 1 ^ (rest >> length - 1) * polynomial;
  return value << length | rest;
}
