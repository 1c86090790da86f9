const SEQ = new TextEncoder().encode('"seq":');
const UPDATED = new TextEncoder().encode('"updatedSeq":');
const QUOTE = 34, ZERO = 48, NINE = 57, CLOSING = new Set([93, 125]);

/**
 * The first and the last seq of the events in a frame, read from its two ends alone: `head` and
 * `tail` are its first and last bytes (or all of it). Undefined for a frame without events.
 */
export function eventRange(
  head: Uint8Array,
  tail: Uint8Array,
): { first: number; last: number } | undefined {
  const first = firstSeq(head);
  const last = lastNumber(tail);
  return first === undefined || last === undefined ? undefined : { first, last };
}

function firstSeq(bytes: Uint8Array): number | undefined {
  const limit = bytes.length - SEQ.length;
  for (let at = 0; at < limit; at++) {
    if (bytes[at] !== QUOTE || bytes[at + 1] !== SEQ[1]) continue;
    if (SEQ.every((byte, i) => bytes[at + i] === byte)) return numberAt(bytes, at + SEQ.length);
  }
  return undefined;
}

function numberAt(bytes: Uint8Array, at: number): number {
  let value = 0;
  for (; bytes[at]! >= ZERO && bytes[at]! <= NINE; at++) value = value * 10 + bytes[at]! - ZERO;
  return value;
}

/** The `updatedSeq` that ends an event of a new message, behind which only brackets close. */
function lastNumber(bytes: Uint8Array): number | undefined {
  let at = bytes.length - 1;
  while (CLOSING.has(bytes[at]!)) at--;
  const end = at;
  while (bytes[at]! >= ZERO && bytes[at]! <= NINE) at--;
  return at === end ? lastUpdated(bytes) : numberAt(bytes, at + 1);
}

/** The same where something else follows the last event, such as a signal. */
function lastUpdated(bytes: Uint8Array): number | undefined {
  for (let at = bytes.length - UPDATED.length; at >= 0; at--) {
    if (UPDATED.every((byte, i) => bytes[at + i] === byte)) {
      return numberAt(bytes, at + UPDATED.length);
    }
  }
  return undefined;
}
