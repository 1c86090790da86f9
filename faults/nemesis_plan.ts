import { DECK } from "./faults/deck.ts";
import { type Lane, LANES } from "./faults/fault.ts";
import { Random } from "./random.ts";

/** A fault that will come. */
export interface PlannedFault {
  class: string;
  lane: Lane;
  /** Milliseconds from the beginning of the nemesis; later when the lane is late. */
  atMs: number;
  /** How long it is in force, in milliseconds. */
  forMs: number;
  /** Decides the rest: which process, which link, how slow. */
  seed: number;
}

/** What one run is dealt. */
export interface Plan {
  seed: number;
  seconds: number;
  /** In the order of `atMs`. */
  faults: PlannedFault[];
  /** The classes that come at least once, sorted. */
  dealt: string[];
  /** The classes for which the time was too short, sorted. */
  left: string[];
}

/**
 * Deals the faults of a run: the same for the same arguments. In each lane every class comes once
 * before one comes again. Thirty seconds hold every class; in less, the seed decides which.
 */
export function plan(seed: number, seconds: number): Plan {
  const random = new Random(seed);
  const faults = LANES.flatMap((lane) => dealLane(lane, seconds * 1000, random.fork()))
    .sort((a, b) => a.atMs - b.atMs);
  const dealt = [...new Set(faults.map((fault) => fault.class))].sort();
  const left = DECK.map((fault) => fault.class).filter((name) => !dealt.includes(name)).sort();
  return { seed, seconds, faults, dealt, left };
}

/** Draws cards while there is time, then spreads what time is left between them. */
function dealLane(lane: Lane, ms: number, random: Random): PlannedFault[] {
  const cards: { class: string; forMs: number; spanMs: number; seed: number }[] = [];
  const deck = DECK.filter((fault) => fault.lane === lane);
  let leftMs = ms;
  for (let some = true; some;) {
    some = false;
    for (const fault of random.shuffle(deck)) {
      const forMs = random.between(...fault.ms);
      const spanMs = forMs + fault.mendMs;
      const seed = Math.floor(random.next() * 2 ** 32);
      if (spanMs > leftMs) continue;
      leftMs -= spanMs;
      cards.push({ class: fault.class, forMs, spanMs, seed });
      some = true;
    }
  }
  const gaps = cards.map(() => random.next());
  const share = leftMs / gaps.reduce((sum, gap) => sum + gap, 0);
  let atMs = 0;
  return cards.map(({ class: name, forMs, spanMs, seed }, i) => {
    const beginsAt = atMs + gaps[i]! * share;
    atMs = beginsAt + spanMs;
    return { class: name, lane, atMs: Math.floor(beginsAt), forMs, seed };
  });
}

/** The plan for people, one fault a line. */
export function describePlan({ seed, seconds, faults, dealt, left }: Plan): string {
  const lines = faults.map(({ class: name, lane, atMs, forMs }) =>
    `${(atMs / 1000).toFixed(1).padStart(6)} s  ${lane.padEnd(9)}  ${name}` +
    (forMs > 0 ? ` for ${(forMs / 1000).toFixed(1)} s` : "")
  );
  const head = `Seed ${seed}, ${seconds} s: ${faults.length} faults of ${dealt.length} classes`;
  const tail = left.length === 0 ? [] : [`Not dealt in this time: ${left.join(", ")}`];
  return [head, ...lines, ...tail].join("\n");
}
