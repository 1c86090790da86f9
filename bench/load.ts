/** The load generator: a program that answers the jobs below, see Program. */
import { answerJobs } from "./lines.ts";
import { pace, type PaceJob } from "./load_pace.ts";
import { saturate, type SaturateJob } from "./load_saturate.ts";
import { ackedSends, type AckedSendsJob } from "./load_sends.ts";
import { Receivers } from "./receivers.ts";
import { Senders } from "./senders.ts";

/** What the generator can be asked to do. */
export type LoadJob =
  | { do: "receive"; port: number; room: string; tokens: string[] }
  | { do: "connect"; port: number; tokens: string[] }
  | SaturateJob
  | PaceJob
  | AckedSendsJob
  | { do: "close" };

/** Figures of a run in which something failed would be worth nothing. */
function failed(why: string): never {
  // deno-lint-ignore no-console -- standard output carries the answers
  console.error(`The load generator gives up: ${why}`);
  Deno.exit(1);
}

const receivers = new Receivers(failed);
const senders = new Senders(failed);

await answerJobs(async (job: LoadJob) => {
  switch (job.do) {
    case "receive":
      return await receivers.join(job.port, job.room, job.tokens);
    case "connect":
      return await senders.open(job.port, job.tokens);
    case "saturate":
      return await saturate(job, receivers, senders);
    case "pace":
      return await pace(job, receivers, senders);
    case "sends":
      return await ackedSends(job, senders);
    case "close":
      receivers.close();
      return senders.close();
  }
});
