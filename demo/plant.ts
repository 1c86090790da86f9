/**
 * A small water works that fills bottles: mains → tank 1 → tank 2 → tank 3 → tank 4 → filling line.
 * What flows follows from pumps, valves and levels; nothing here knows of Confab or MQTT.
 */

/** Litres in a tank. */
export interface Tank {
  litres: number;
  readonly capacity: number;
}

/** A pump; in `auto` it keeps the tank behind it filled. */
export interface Pump {
  /** Wanted speed, 0 to 5; kept while it is off. */
  speed: number;
  on: boolean;
  auto: boolean;
  /** What it really turns, 0 to 5: it needs time to follow. */
  turning: number;
  /** Of the bearing, °C. */
  temperature: number;
  /** A worn bearing runs hot. */
  worn: boolean;
}

/** A valve; what is wanted and what is, in per cent open. */
export interface Valve {
  wanted: number;
  position: number;
  /** It does not move. */
  stuck: boolean;
}

/** The belt below the fillers. */
export interface Conveyor {
  /** Wanted bottles per second, 0 to 4. */
  speed: number;
  running: boolean;
  bottles: number;
}

/** A pipe with a valve and perhaps a pump. `from` nothing: the mains; `to` nothing: out of here. */
interface Pipe {
  from?: Tank;
  to?: Tank;
  valve: Valve;
  pump?: Pump;
  /** Litres per second when open, and at full speed. */
  capacity: number;
  /** What flowed in the last step, litres per second. */
  flow: number;
}

/** Tanks below the first share are filled up to the second. */
const KEEP = { low: 0.45, high: 0.72 };
const MAX_SPEED = 5;
/** How fast pumps change their speed (per second) and valves move (per cent per second). */
const RAMP = 1.5;
const STROKE = 12;
const AMBIENT = 19;

/** How full a tank is, 0 to 1. */
export function levelOf({ litres, capacity }: Tank): number {
  return litres / capacity;
}

/** The plant; step() moves its time on. */
export class Plant {
  readonly tanks: Tank[] = [1200, 900, 700, 800].map((capacity, i) => ({
    capacity,
    litres: capacity * (0.66 - 0.06 * i),
  }));
  readonly pumps: Pump[] = Array.from({ length: 6 }, (_, i) => ({
    speed: i === 1 ? 2 : 4,
    on: false,
    auto: true,
    turning: 0,
    temperature: 34,
    worn: false,
  }));
  readonly valves: Valve[] = Array.from({ length: 8 }, (_, i) => {
    const open = i === 7 ? 0 : 100;
    return { wanted: open, position: open, stuck: false };
  });
  readonly conveyor: Conveyor = { speed: 2, running: true, bottles: 0 };
  readonly pipes: Pipe[];
  #random: () => number;

  constructor(random: () => number) {
    this.#random = random;
    const [t1, t2, t3, t4] = this.tanks as [Tank, Tank, Tank, Tank];
    const valve = (number: number) => ({ valve: this.valves[number - 1]!, flow: 0 });
    const pumped = (number: number) => ({ pump: this.pumps[number - 1]!, ...valve(number + 1) });
    this.pipes = [
      { to: t1, capacity: 14, ...valve(1) },
      { from: t1, to: t2, capacity: 12, ...pumped(1) },
      { from: t1, to: t2, capacity: 12, ...pumped(2) },
      { from: t2, to: t3, capacity: 13, ...pumped(3) },
      { from: t3, to: t3, capacity: 6, ...pumped(4) },
      { from: t3, to: t4, capacity: 12, ...pumped(5) },
      { from: t4, capacity: 8, ...pumped(6) },
      { from: t1, capacity: 10, ...valve(8) },
    ];
  }

  /** What runs through the pipe with this valve, in litres per second; 1 is the inlet. */
  flow(valve: number): number {
    return this.pipes.find((pipe) => pipe.valve === this.valves[valve - 1])!.flow;
  }

  /** Electric power of everything, kilowatts. */
  get power(): number {
    const pumps = this.pumps.reduce((sum, { turning }) => sum + 0.1 * turning ** 2, 0);
    return 1.2 + pumps + (this.conveyor.running ? 0.4 * this.conveyor.speed : 0);
  }

  /** A number that wanders a little around `value`. */
  noisy(value: number, spread: number): number {
    return value + (this.#random() - 0.5) * 2 * spread;
  }

  /** Everything stops, and stays so until somebody starts it again. */
  emergencyStop(): void {
    for (const pump of this.pumps) Object.assign(pump, { on: false, auto: false });
    this.conveyor.running = false;
  }

  /** Back to automatic work. */
  reset(): void {
    for (const pump of this.pumps) pump.auto = true;
    this.conveyor.running = true;
  }

  /** Lets `seconds` pass; at most one at a time is exact enough. */
  step(seconds: number): void {
    for (const pipe of this.pipes) this.#control(pipe);
    for (const pump of this.pumps) turn(pump, seconds);
    for (const valve of this.valves) {
      if (!valve.stuck) valve.position = approach(valve.position, valve.wanted, STROKE * seconds);
    }
    for (const pipe of this.pipes) flow(pipe, seconds, this.#share(pipe));
    const filled = this.pipes[6]!.flow * seconds;
    this.conveyor.bottles += filled / 1.5;
  }

  /** How much of its capacity a pipe has, 0 to 1. */
  #share({ pump, valve }: Pipe): number {
    const driven = pump === undefined ? 1 : pump.turning / MAX_SPEED;
    return driven * valve.position / 100;
  }

  #control({ from, to, pump, valve }: Pipe): void {
    if (pump === undefined) {
      // The inlet is a float valve; the drain stays as it is wanted.
      if (from === undefined && to !== undefined) {
        if (levelOf(to) > 0.8) valve.wanted = 0;
        else if (levelOf(to) < 0.55) valve.wanted = 100;
      }
      return;
    }
    if (from !== undefined && levelOf(from) < 0.05) pump.on = false;
    else if (!pump.auto) return;
    else if (to === undefined) pump.on = this.conveyor.running;
    else if (from === to || levelOf(to) < KEEP.low) pump.on = true;
    else if (levelOf(to) > KEEP.high) pump.on = false;
    if (to === undefined) pump.speed = this.conveyor.speed;
  }
}

function turn(pump: Pump, seconds: number): void {
  pump.turning = approach(pump.turning, pump.on ? pump.speed : 0, RAMP * seconds);
  const warm = AMBIENT + 7 * pump.turning + (pump.worn && pump.on ? 32 : 0);
  pump.temperature += (warm - pump.temperature) * Math.min(1, seconds / 15);
}

function flow(pipe: Pipe, seconds: number, share: number): void {
  const { from, to, capacity } = pipe;
  const wanted = capacity * share * seconds;
  const there = from?.litres ?? Infinity;
  const room = to === undefined || to === from ? Infinity : to.capacity - to.litres;
  const moved = Math.max(0, Math.min(wanted, there, room));
  if (from !== undefined) from.litres -= moved;
  if (to !== undefined) to.litres += moved;
  pipe.flow = moved / seconds;
}

function approach(value: number, target: number, step: number): number {
  return Math.abs(target - value) <= step ? target : value + Math.sign(target - value) * step;
}
