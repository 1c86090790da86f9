/** Which cores the processes of a run may use, as lists for `taskset -c`; absent: any. */
export interface Pins {
  server?: string;
  load?: string;
  /** Postgres, and the Redis or MQTT broker that a server uses. */
  services?: string;
  /** One sentence for people. */
  said: string;
}

/**
 * Gives server and load generator a core each, and what the server uses the rest, where `taskset`
 * exists. With two cores it shares the load generator's, so that the server's figures are those of
 * one core with nobody else on it.
 */
export async function choosePins(): Promise<Pins> {
  const cores = await allowedCores();
  if (cores.length < 2 || !await hasTaskset()) {
    return {
      said: "not pinned: one core or no taskset, so the figures include the scheduler's luck",
    };
  }
  const [server, load] = [`${cores[0]}`, `${cores[1]}`];
  const rest = cores.slice(2).join(",");
  const services = rest === "" ? load : rest;
  return {
    server,
    load,
    services,
    said: `server (a peer's too) on core ${server}, load generator on core ${load}; Postgres, ` +
      `Redis and the MQTT broker of a server on core ${services}` +
      (rest === "" ? ", which they share with the load generator" : ""),
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
