import type { Check, Violation } from "../violation.ts";

/** P2: a room's log counts from 1 to its head without a gap, in one epoch for all rooms. */
export const numbers: Check = (history) => {
  const violations: Violation[] = [];
  const add = (message: string, evidence: unknown) =>
    violations.push({ check: "numbers", message, evidence });
  const epochs = new Set<string>();
  for (const { room, epoch, head, log } of history.final) {
    epochs.add(epoch);
    const wrong = log.findIndex(({ seq }, i) => seq !== i + 1);
    if (wrong >= 0) add(`Entry ${wrong + 1} of the log has the seq ${log[wrong]!.seq}`, { room });
    if (log.length !== head) {
      add(`The head is ${head}, the log has ${log.length} entries`, { room });
    }
    for (const entry of log) {
      epochs.add(entry.epoch);
      if (entry.room !== room) add("The log of a room holds an entry of another", { room, entry });
    }
  }
  if (epochs.size > 1) add("The epoch has changed", [...epochs]);
  return violations;
};
