/** What the clock of `/proc/<pid>/stat` counts per second on every Linux that Deno runs on. */
const TICKS_PER_SECOND = 100;

/** A process whose use of the machine is measured. */
export interface Measured {
  readonly pid: number;
}

/** Milliseconds of CPU, user and system, that all threads of the process have used. */
export async function cpuMs({ pid }: Measured): Promise<number> {
  const stat = await Deno.readTextFile(`/proc/${pid}/stat`).catch(() => "");
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return (Number(fields[11]) + Number(fields[12])) * 1000 / TICKS_PER_SECOND;
}

/** Memory in KiB: `VmRSS` now, or `VmHWM`, the most so far. */
export async function memoryKiB(
  { pid }: Measured,
  field: "VmRSS" | "VmHWM" = "VmRSS",
): Promise<number> {
  const status = await Deno.readTextFile(`/proc/${pid}/status`).catch(() => "");
  return Number(new RegExp(`^${field}:\\s*(\\d+)`, "m").exec(status)?.[1]);
}

/** Has the kernel forget the highest memory so far, so that VmHWM begins anew. */
export async function forgetPeak({ pid }: Measured): Promise<void> {
  await Deno.writeTextFile(`/proc/${pid}/clear_refs`, "5");
}

/** Arguments of `Deno.Command` for a command that runs on `cores` (any when absent). */
export function onCores(cores: string | undefined, command: string, args: string[]) {
  return cores === undefined
    ? { command, args }
    : { command: "taskset", args: ["-c", cores, command, ...args] };
}
