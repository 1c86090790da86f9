import { findMosquitto } from "../testing/mosquitto.ts";
import { findService, type Service } from "../testing/services.ts";

/** Looks for the programs that a world runs: `redis-server` and Mosquitto 2. */
export async function findWorldServices(): Promise<Service> {
  const redis = await findService("redis-server", async () => {
    await new Deno.Command("redis-server", { args: ["--version"], stdout: "null" }).output();
  });
  return redis.missing === undefined ? await findMosquitto() : redis;
}
