import { wait } from "../clients/waiting.ts";
import type { ExitRecord, FaultRecord } from "../history.ts";
import type { Random } from "../random.ts";
import type { ProcessHandle, World } from "../world.ts";
import type { Claims } from "./claims.ts";

/** The clients of a run, as far as faults concern them. */
export interface Crowd {
  /** Ends every connection of clients without a word; resolves to how many. */
  cutClients(): number | Promise<number>;
  /** Lets some sockets read nothing for `ms`; resolves, when they read again, to how many did so. */
  stallReaders(count: number, ms: number): Promise<number>;
  /**
   * Everybody sends a last message and is silent for `ms`. `silent` is called when the last
   * messages are acknowledged. Resolves at the end, to whether they were.
   */
  quiet(ms: number, silent: () => void): Promise<boolean>;
}

/** How long to wait until a process shows as stopped. */
const STOPPED_MS = 2000;
const LONGER_MS = 8000;

/** What faults work on. */
export interface Scene {
  world: World;
  crowd: Crowd;
  /** Who has which process or link now, so that one fault does not mend another one's. */
  claims: Claims;
}

/** Faults of one lane come one after the other; those of different lanes at the same time. */
export const LANES = ["processes", "servers", "links"] as const;
/** See LANES. */
export type Lane = typeof LANES[number];

/** A way in which the world breaks. */
export interface Fault {
  /** Such as `web-kill`; names it in plans and records. */
  readonly class: string;
  readonly lane: Lane;
  /** Milliseconds that it is in force, from which a plan chooses. */
  readonly ms: readonly [least: number, most: number];
  /** Milliseconds that a plan adds for what is started again. */
  readonly mendMs: number;
  /** What a record of it must show, for people. */
  readonly evidence: string;
  /**
   * Breaks something for `forMs` and mends it, also when `signal` is aborted. Resolves to what
   * really happened, with what was measured; to nothing when nothing did.
   */
  inject(scene: Scene, card: { forMs: number; random: Random; signal: AbortSignal }): Promise<
    FaultRecord[]
  >;
}

/** What `inject` is told besides the scene. */
export type Card = Parameters<Fault["inject"]>[1];

/** Ends a process and returns how the world recorded that; undefined when it was not running. */
export async function endRecorded(
  world: World,
  process: ProcessHandle,
  signal: "SIGKILL" | "SIGINT" | "SIGTERM",
): Promise<ExitRecord | undefined> {
  const { pid, running } = process;
  if (!running) return undefined;
  await process.end(signal);
  return world.exits.find((exit) => exit.name === process.name && exit.pid === pid);
}

/** Such as `exit by SIGKILL` or `exit code 0 812 ms after SIGINT`. */
export function describeExit({ signal, code, at, told }: ExitRecord): string {
  if (signal !== null) return `exit by ${signal}`;
  return told === undefined
    ? `exit code ${code}`
    : `exit code ${code} ${Math.round(at - told.at)} ms after ${told.signal}`;
}

/** Kills a process, leaves it dead for a while and starts it again; a record when it died of that. */
export async function killAndStart(
  { world }: Scene,
  process: ProcessHandle,
  { forMs, signal }: Card,
  name: string,
): Promise<FaultRecord[]> {
  const from = world.now();
  const exit = await endRecorded(world, process, "SIGKILL");
  await wait(forMs, signal);
  await process.start();
  if (exit?.signal !== "SIGKILL") return [];
  const evidence = `${describeExit(exit)}, answered again as process ${process.pid}`;
  return [{ class: name, target: process.name, from, to: world.now(), evidence }];
}

/**
 * Stops a process with SIGSTOP for a while, and up to eight seconds longer until `enough`; a record
 * when the system showed it as stopped.
 */
export async function pauseAndResume(
  { world }: Scene,
  process: ProcessHandle,
  { forMs, signal }: Card,
  name: string,
  enough: () => boolean = () => true,
): Promise<FaultRecord[]> {
  const from = world.now();
  process.pause();
  try {
    // On a busy machine it takes a moment until all its threads have stopped
    const deadline = from + STOPPED_MS;
    while (!await process.isStopped() && world.now() < deadline) await wait(5, signal);
    const before = await process.isStopped();
    await wait(Math.max(0, from + forMs - world.now()), signal);
    const latest = world.now() + LONGER_MS;
    while (!enough() && world.now() < latest && !signal.aborted) await wait(20, signal);
    const after = await process.isStopped();
    const to = world.now();
    if (!before || !after) return [];
    const evidence = `state T in /proc at both ends of ${Math.round(to - from)} ms`;
    return [{ class: name, target: process.name, from, to, evidence }];
  } finally {
    process.resume();
  }
}
