/** The appender on its own in a process: a program whose first job opens it, see Program. */
import type { Principal } from "../lib/auth/principal.ts";
import { createMemoryBus } from "../lib/bus/memory.ts";
import { Appender } from "../lib/chat/appender.ts";
import { openPostgres } from "../lib/database/postgres.ts";
import { answerJobs } from "./lines.ts";
import { ackedLoop, type AckedSendsJob } from "./load_sends.ts";
import { TEXT } from "./senders.ts";

let appender: Appender;
let people: Principal[];
let sent = 0;

await answerJobs(async (job: { databaseUrl: string; people: string[] } | AckedSendsJob) => {
  if (!("do" in job)) {
    const db = openPostgres(job.databaseUrl);
    appender = new Appender(db, createMemoryBus(), { epoch: () => "bench" });
    people = job.people.map((id) => ({ id, kind: "user", role: "user", name: "Somebody" }));
    return;
  }
  return await ackedLoop(job.rooms, job.ms, (sender, room) =>
    appender.append({
      room,
      sender: people[sender]!,
      clientId: `${sent++}`,
      body: { text: TEXT },
    }));
});
