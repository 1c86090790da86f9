/**
 * The bytes of a QR code (ISO/IEC 18004): data in byte mode with error correction at level M, for
 * the versions 1 to 20, which hold up to 666 bytes.
 */

/** By version, from 1 on: error correction codewords per block, and blocks. */
const CORRECTION = [
  ...[10, 16, 26, 18, 24, 16, 18, 22, 22, 26],
  ...[30, 22, 22, 24, 24, 28, 28, 26, 26, 26],
];
const BLOCKS = [1, 1, 1, 2, 2, 4, 4, 4, 5, 5, 5, 8, 9, 9, 10, 10, 11, 13, 14, 16];
const BYTE_MODE = 4;
const PADDING = [0xec, 0x11];

/** What fills a QR code of `version`, in the order in which it is drawn. */
export interface Codewords {
  version: number;
  bytes: number[];
}

/** The smallest code that holds `text`; undefined when none does. */
export function codewordsOf(text: string): Codewords | undefined {
  const content = new TextEncoder().encode(text);
  for (let version = 1; version <= BLOCKS.length; version++) {
    const capacity = totalBytes(version) - CORRECTION[version - 1]! * BLOCKS[version - 1]!;
    const countBytes = version < 10 ? 1 : 2;
    // The mode takes half a byte, the end mark the other half
    if (content.length + countBytes + 1 > capacity) continue;
    const data = dataBytes(content, countBytes, capacity);
    return { version, bytes: interleave(data, version) };
  }
  return undefined;
}

/** Bytes that fit into the modules that carry no pattern. */
export function totalBytes(version: number): number {
  let modules = (16 * version + 128) * version + 64;
  if (version >= 2) {
    const marks = Math.floor(version / 7) + 2;
    modules -= (25 * marks - 10) * marks - 55;
    if (version >= 7) modules -= 36;
  }
  return Math.floor(modules / 8);
}

function dataBytes(content: Uint8Array, countBytes: number, capacity: number): number[] {
  const count = countBytes === 1 ? [content.length] : [content.length >> 8, content.length & 255];
  // Everything stands half a byte to the right, behind the mode
  const data: number[] = [];
  let half = BYTE_MODE;
  for (const byte of [...count, ...content]) {
    data.push(half << 4 | byte >> 4);
    half = byte & 15;
  }
  data.push(half << 4);
  for (let i = 0; data.length < capacity; i++) data.push(PADDING[i % 2]!);
  return data;
}

/** Splits the data into blocks, adds the correction of each, and takes turns among them. */
function interleave(data: number[], version: number): number[] {
  const [correction, blocks] = [CORRECTION[version - 1]!, BLOCKS[version - 1]!];
  const total = totalBytes(version);
  const short = Math.floor(total / blocks) - correction;
  const shortBlocks = blocks - total % blocks;
  const generator = generatorOf(correction);
  const parts: number[][] = [];
  for (let i = 0, from = 0; i < blocks; i++) {
    const length = short + (i < shortBlocks ? 0 : 1);
    parts.push(data.slice(from, from + length));
    from += length;
  }
  const corrections = parts.map((part) => remainder(part, generator));
  return [...turns(parts, short + 1), ...turns(corrections, correction)];
}

function turns(blocks: number[][], length: number): number[] {
  return Array.from({ length }, (_, i) => blocks.map((block) => block[i])).flat()
    .filter((byte) => byte !== undefined);
}

/** The Reed-Solomon generator polynomial of this degree, without its leading 1. */
function generatorOf(degree: number): number[] {
  const polynomial = [...Array<number>(degree - 1).fill(0), 1];
  let root = 1;
  for (let i = 0; i < degree; i++) {
    for (let j = 0; j < degree; j++) {
      polynomial[j] = times(polynomial[j]!, root) ^ (polynomial[j + 1] ?? 0);
    }
    root = times(root, 2);
  }
  return polynomial;
}

function remainder(data: number[], generator: number[]): number[] {
  let rest = generator.map(() => 0);
  for (const byte of data) {
    const factor = byte ^ rest[0]!;
    rest = [...rest.slice(1), 0].map((value, i) => value ^ times(generator[i]!, factor));
  }
  return rest;
}

/** Product in GF(256) with the polynomial 0x11d. */
function times(a: number, b: number): number {
  let product = 0;
  for (let bit = 7; bit >= 0; bit--) {
    product = product << 1 ^ (product >> 7) * 0x11d;
    product ^= (b >> bit & 1) * a;
  }
  return product;
}
