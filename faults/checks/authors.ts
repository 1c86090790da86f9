import type { Check, Violation } from "../violation.ts";

/** P7: whoever wrote an entry was a member when it was stored, by the order of the log itself. */
export const authors: Check = (_history, rooms) => {
  const violations: Violation[] = [];
  for (const { final, memberships } of rooms.values()) {
    for (const entry of final.log) {
      const { seq, event } = entry;
      if (!("message" in event)) continue;
      const present = memberships.get(event.actor.id) ?? [];
      if (present.some(({ from, to }) => seq >= from && seq <= to)) continue;
      violations.push({
        check: "authors",
        message: `Entry ${seq} was written by somebody who was not a member at that time`,
        evidence: entry,
      });
    }
  }
  return violations;
};
