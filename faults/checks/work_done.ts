import type { History, Via, WriteKind } from "../history.ts";
import type { Violation } from "../violation.ts";
import { type MeteringWork, missingOf } from "./metering_done.ts";

/** What a run must have done so that its silence means something. */
export interface Work {
  /** Acknowledged writes by the way they went. */
  acks: Partial<Record<Via, number>>;
  /** Acknowledged writes of some kinds. */
  kinds?: Partial<Record<WriteKind["type"], number>>;
  /** What devices measured, where they did. */
  metering?: MeteringWork;
  /** Entries that readers were given. */
  deliveries: number;
  /** Fault classes that must have been in force, with evidence. */
  classes: readonly string[];
}

/** A run that was idle, or did not break what it should have broken, proves nothing. */
export function workDone(history: History, least: Work): Violation[] {
  const violations: Violation[] = [];
  const add = (message: string, evidence: unknown) =>
    violations.push({ check: "work done", message, evidence });
  for (const [via, count] of Object.entries(least.acks)) {
    const done = history.writes.filter((w) => w.via === via && w.acks.length > 0).length;
    if (done < count) add(`Only ${done} of ${count} writes over ${via} were acknowledged`, { via });
  }
  for (const [kind, count] of Object.entries(least.kinds ?? {})) {
    const done = history.writes.filter((w) => w.what.type === kind && w.acks.length > 0).length;
    if (done < count) {
      add(`Only ${done} of ${count} of the kind ${kind} were acknowledged`, { kind });
    }
  }
  if (least.metering !== undefined) {
    for (const message of missingOf(history, least.metering)) add(message, least.metering);
  }
  const given = history.deliveries.reduce((sum, { entries }) => sum + entries.length, 0);
  if (given < least.deliveries) {
    add(`Only ${given} of ${least.deliveries} entries were delivered`, {});
  }
  const seen = new Set(
    history.faults.filter(({ evidence }) => evidence !== "").map((fault) => fault.class),
  );
  for (const name of least.classes) {
    if (!seen.has(name)) add(`The fault "${name}" was dealt and nothing shows it`, { name });
  }
  return violations;
}
