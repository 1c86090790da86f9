import type { Check, Violation } from "../violation.ts";

/**
 * P7: whoever wrote an entry was a member when it was stored, by the order of the log itself. (That
 * a command has expired is said in the name of its device, which may have gone.)
 */
export const authors: Check = (_history, rooms) => {
  const violations: Violation[] = [];
  for (const { final, memberships } of rooms.values()) {
    for (const entry of final.log) {
      const { seq, event } = entry;
      if (!("message" in event) && event.type !== "device.state") continue;
      if (event.type === "command.updated" && event.message.command?.status === "expired") continue;
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
