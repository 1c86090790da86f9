/** Whether a service that tests need is there; `missing` says why not. */
export interface Service {
  readonly name: string;
  readonly missing?: string;
}

/**
 * Asks once whether a service is there: `check` throws, or takes over two seconds, when not. With
 * WITHOUT_SERVICES=1 none is, as on the machine of somebody who has just cloned this.
 */
export async function findService(name: string, check: () => Promise<void>): Promise<Service> {
  if (Deno.env.get("WITHOUT_SERVICES") === "1") return { name, missing: "WITHOUT_SERVICES is set" };
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error("no answer within 2 s")), 2_000);
  });
  try {
    await Promise.race([check(), late]);
    return { name };
  } catch (error) {
    return { name, missing: error instanceof Error ? error.message : String(error) };
  } finally {
    clearTimeout(timer);
  }
}

/**
 * Registers a test that needs `service`. Without it the test is skipped and its name says why; with
 * REQUIRE_SERVICES=1 it fails instead. All sanitizers are on.
 */
export function testWith(service: Service, name: string, run: () => Promise<void>): void {
  const strict = { sanitizeOps: true, sanitizeResources: true, sanitizeExit: true };
  if (service.missing === undefined) return Deno.test({ name, fn: run, ...strict });
  const reason = `${service.name} is not there: ${service.missing}`;
  if (Deno.env.get("REQUIRE_SERVICES") === "1") {
    Deno.test({
      name,
      fn: () => {
        throw new Error(reason);
      },
      ...strict,
    });
  } else {
    Deno.test({ name: `${name} (skipped: ${reason})`, ignore: true, fn: run });
  }
}

/** Where tests find Redis; the process that runs it is not ours, so keys carry a random prefix. */
export const TEST_REDIS_URL = Deno.env.get("TEST_REDIS_URL") ?? "redis://127.0.0.1:6379";

/** Looks for the Redis of the tests. */
export function findRedis(): Promise<Service> {
  return findService(`Redis at ${new URL(TEST_REDIS_URL).host}`, async () => {
    const { hostname, port } = new URL(TEST_REDIS_URL);
    (await Deno.connect({ hostname, port: Number(port || 6379) })).close();
  });
}
