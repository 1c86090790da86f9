import type { Pins } from "./pins.ts";
import { cpuMs, type Measured } from "./process.ts";

/** What a stretch of work used. */
export interface Used {
  /** Wall clock. */
  ms: number;
  /** CPU of the server's process. */
  serverMs: number;
  /** CPU of the load generator's process, in percent of a core. */
  loadBusy: number;
  /** How busy the load generator's core was with everything on it, in percent; 0 when not pinned. */
  loadCoreBusy: number;
}

/** Does `work` and sees what both processes, and the load generator's core, used meanwhile. */
export async function metered<T>(
  pins: Pins,
  server: Measured,
  load: Measured,
  work: () => Promise<T>,
): Promise<{ result: T; used: Used }> {
  const read = async () => ({
    at: performance.now(),
    server: await cpuMs(server),
    load: await cpuMs(load),
    core: await coreTicks(pins.load),
  });
  const before = await read();
  const result = await work();
  const after = await read();
  const ms = after.at - before.at;
  const ticks = after.core.all - before.core.all;
  return {
    result,
    used: {
      ms,
      serverMs: after.server - before.server,
      loadBusy: (after.load - before.load) * 100 / ms,
      loadCoreBusy: ticks === 0 ? 0 : (after.core.busy - before.core.busy) * 100 / ticks,
    },
  };
}

async function coreTicks(core: string | undefined): Promise<{ busy: number; all: number }> {
  const stat = core === undefined ? "" : await Deno.readTextFile("/proc/stat").catch(() => "");
  const line = new RegExp(`^cpu${core} (.*)$`, "m").exec(stat)?.[1] ?? "";
  const ticks = line.split(" ").filter((part) => part !== "").slice(0, 8).map(Number);
  const all = ticks.reduce((sum, one) => sum + one, 0);
  const [, , , idle = 0, waiting = 0] = ticks;
  return { busy: all - idle - waiting, all };
}
