/** Which cores the processes of a run may use, as lists for `taskset -c`; absent: any. */
export interface Pins {
  server?: string;
  load?: string;
  postgres?: string;
  /** One sentence for people. */
  said: string;
}

/**
 * Gives server and load generator a core each, and Postgres the rest, where `taskset` exists. With
 * two cores Postgres runs on whichever has time: on one of them alone it would be what is measured.
 */
export async function choosePins(): Promise<Pins> {
  const cores = await allowedCores();
  if (cores.length < 2 || !await hasTaskset()) {
    return {
      said: "not pinned: one core or no taskset, so the figures include the scheduler's luck",
    };
  }
  const server = `${cores[0]}`;
  const load = `${cores[1]}`;
  const rest = cores.slice(2).join(",");
  return {
    server,
    load,
    ...(rest === "" ? {} : { postgres: rest }),
    said: `server on core ${server}, load generator on core ${load}, ` +
      `Postgres on ${rest === "" ? "both" : `core ${rest}`}`,
  };
}

/** Moves a process and what it starts from now on to `cores`. */
export async function pin(pid: number, cores: string | undefined): Promise<void> {
  if (cores === undefined) return;
  const args = ["-a", "-p", "-c", cores, `${pid}`];
  await new Deno.Command("taskset", { args, stdout: "null", stderr: "null" }).output();
}

async function allowedCores(): Promise<number[]> {
  const status = await Deno.readTextFile("/proc/self/status").catch(() => "");
  const list = /^Cpus_allowed_list:\s*(\S+)$/m.exec(status)?.[1] ?? "";
  return list.split(",").filter((part) => part !== "").flatMap((part) => {
    const [first, last = first] = part.split("-").map(Number);
    return Array.from({ length: last! - first! + 1 }, (_, i) => first! + i);
  });
}

async function hasTaskset(): Promise<boolean> {
  try {
    const args = ["--version"];
    return (await new Deno.Command("taskset", { args, stdout: "null" }).output()).success;
  } catch {
    return false;
  }
}
