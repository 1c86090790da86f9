/** Where figures were measured. */
export interface Machine {
  cpu: string;
  cores: number;
  memoryGiB: number;
  kernel: string;
  deno: string;
  date: string;
  /** Load of the last minute before the run: above about 0.3 somebody else was at work. */
  load: number;
}

/** Describes this machine; what it does not tell is `unknown`. */
export async function describeMachine(): Promise<Machine> {
  const cpuInfo = await Deno.readTextFile("/proc/cpuinfo").catch(() => "");
  const release = await Deno.readTextFile("/proc/sys/kernel/osrelease").catch(() => "unknown");
  return {
    cpu: /^model name\s*:\s*(.+)$/m.exec(cpuInfo)?.[1] ?? `unknown (${Deno.build.arch})`,
    cores: navigator.hardwareConcurrency,
    memoryGiB: Math.round(Deno.systemMemoryInfo().total / 1024 ** 3),
    kernel: `${Deno.build.os} ${release.trim()}`,
    deno: Deno.version.deno,
    date: new Date().toISOString().slice(0, 10),
    load: Math.round(Deno.loadavg()[0]! * 100) / 100,
  };
}
