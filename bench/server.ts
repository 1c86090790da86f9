/**
 * The role `web` alone, as the server under test: what `main.ts` starts, without workers and bridge.
 * The first job is the environment to read; the answer says where it listens.
 */
import { readConfig } from "../lib/config.ts";
import { createLog } from "../lib/log.ts";
import { openServices } from "../lib/services.ts";
import { startWeb } from "../routes/web.ts";
import { answerJobs } from "./lines.ts";

await answerJobs(async ({ env }: { env: Record<string, string> }) => {
  const services = await openServices(readConfig(env), { log: createLog("warn") });
  return { url: startWeb(services, () => undefined).url };
});
