import fc from "fast-check";

/** What a command does, with how often out of 64; the first is what shrinking leads to. */
const WEIGHTS = {
  /** The store reads for a question, or answers it. */
  step: 12,
  /** A client takes frames. */
  receive: 8,
  /** A node hands over what its feeds have accepted. */
  flush: 5,
  send: 5,
  change: 4,
  membership: 5,
  /** The bus delivers, keeps a copy or loses. */
  bus: 6,
  beacon: 2,
  connect: 3,
  cut: 1,
  follow: 2,
  stop: 1,
  /** A client loads older messages. */
  earlier: 3,
  /** A wait of a client ends. */
  timer: 3,
  fail: 1,
  lose: 2,
  restore: 1,
} as const;

/** What happens next; the parts are picked from what there is by remainder. */
export interface Command {
  kind: keyof typeof WEIGHTS;
  a: number;
  b: number;
  c: number;
}

const KINDS = Object.entries(WEIGHTS).flatMap(([kind, weight]) =>
  Array<keyof typeof WEIGHTS>(weight).fill(kind as keyof typeof WEIGHTS)
);

/** A number of a schedule as a command: numbers are generated and shrunk faster than records. */
export function commandOf(code: number): Command {
  const rest = Math.floor(code / KINDS.length);
  return {
    kind: KINDS[code % KINDS.length]!,
    a: rest & 15,
    b: (rest >> 4) & 63,
    c: (rest >> 10) & 4095,
  };
}

/** Schedules, uniformly: fast-check's preference of small numbers would prefer some commands. */
export function schedules(minLength = 12, maxLength = 64): fc.Arbitrary<number[]> {
  const code = fc.nat({ max: KINDS.length * 2 ** 22 - 1 });
  return fc.noBias(fc.array(code, { minLength, maxLength, size: "max" }));
}
