import type { Plant } from "./plant.ts";

/** Something that goes wrong for a while. */
interface Mishap {
  /** Seconds since the start. */
  until: number;
  begin(): void;
  end(): void;
}

const SECONDS_BETWEEN = 75;

/** What goes wrong in a plant, by its random numbers: worn bearings, and valves that stick. */
export class Mishaps {
  #plant: Plant;
  #random: () => number;
  #current: Mishap[] = [];
  #seconds = 0;
  #next = 12;

  constructor(plant: Plant, random: () => number) {
    this.#plant = plant;
    this.#random = random;
  }

  /** Lets time pass, and things break and be mended. */
  step(seconds: number): void {
    this.#seconds += seconds;
    for (const mishap of this.#current.filter(({ until }) => until <= this.#seconds)) mishap.end();
    this.#current = this.#current.filter(({ until }) => until > this.#seconds);
    if (this.#seconds < this.#next) return;
    this.#next += SECONDS_BETWEEN * (0.6 + 0.8 * this.#random());
    const mishap = this.#one();
    mishap.begin();
    this.#current.push(mishap);
  }

  #one(): Mishap {
    const { pumps, valves } = this.#plant;
    const from = this.#seconds;
    if (this.#random() < 0.5) {
      // The pump to the filling line always runs, so its bearing shows.
      const pump = pumps[this.#random() < 0.7 ? 5 : 3]!;
      return {
        until: from + 45,
        begin: () => void (pump.worn = true),
        end: () => void (pump.worn = false),
      };
    }
    const valve = valves[this.#random() < 0.5 ? 5 : 3]!;
    return {
      until: from + 70,
      begin: () => void Object.assign(valve, { stuck: true, position: 5 }),
      end: () => void (valve.stuck = false),
    };
  }
}
