import type { WriteRecord } from "../history.ts";
import type { Check, Violation } from "../violation.ts";

/**
 * P1 for members: the last acknowledged change of somebody's membership holds at the end. Only
 * judged where nothing else about the same person was under way at that time or later.
 */
export const membershipKept: Check = (history, rooms) => {
  const changes = new Map<string, WriteRecord[]>();
  for (const write of history.writes) {
    if (write.what.type !== "add" && write.what.type !== "remove") continue;
    const key = `${write.room} ${write.what.principal}`;
    const own = changes.get(key);
    if (own === undefined) changes.set(key, [write]);
    else own.push(write);
  }
  const violations: Violation[] = [];
  for (const own of changes.values()) {
    const last = own.reduce((a, b) => b.startedAt > a.startedAt ? b : a);
    const what = last.what as { type: "add" | "remove"; principal: string };
    const settled = own.every((one) =>
      one === last || one.refusal !== undefined ||
      one.acks.some(({ at }) => at < last.startedAt)
    );
    const members = rooms.get(last.room)?.final.members;
    if (last.acks.length === 0 || !settled || members === undefined) continue;
    const present = members.some(({ id }) => id === what.principal);
    if (present === (what.type === "add")) continue;
    violations.push({
      check: "membership kept",
      message: what.type === "add"
        ? "Somebody was added, and is not a member at the end"
        : "Somebody was removed, and is a member at the end",
      evidence: last,
    });
  }
  return violations;
};
