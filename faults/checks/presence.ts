import type { PresenceRecord } from "../history.ts";
import type { Check, Violation } from "../violation.ts";

/** Milliseconds after healing in which presence may still be wrong, and what a look takes. */
const BOUND_MS = 45_000 + 1000;

/** P9: within 45 s after everything was healed, every node says who is online, and is right. */
export const presence: Check = (history) => {
  const last = new Map<string, PresenceRecord>();
  for (const record of history.presence) {
    if (record.state === "off") continue;
    const key = `${record.through} ${record.room}`;
    const known = last.get(key);
    if (known === undefined || known.at < record.at) last.set(key, record);
  }
  const healedAt = history.convergence?.healedAt ?? 0;
  const violations: Violation[] = [];
  for (const record of last.values()) {
    const message = record.state === "unknown"
      ? "Who is online was unknown to the end"
      : !sameSet(record.online, record.expected)
      ? "Who is online was wrong to the end"
      : record.at > healedAt + BOUND_MS
      ? `Who is online was right only ${Math.round(record.at - healedAt)} ms after healing`
      : undefined;
    if (message !== undefined) violations.push({ check: "presence", message, evidence: record });
  }
  return violations;
};

function sameSet(one: readonly string[], other: readonly string[]): boolean {
  const [a, b] = [new Set(one), new Set(other)];
  return a.size === b.size && [...a].every((id) => b.has(id));
}
