import type { History, WriteRecord } from "../history.ts";
import type { Check, Violation } from "../violation.ts";

/**
 * P11: every wish has an answer by the end, since its client repeats it until there is one; and a
 * refusal has a reason that the run knows: the sender's membership, access or role changed, or that
 * of the device it is for, or the message was deleted. Wishes of people whose access ended are left
 * open. That a command has ended, or a version was overtaken, is for other checks to judge.
 */
export const answered: Check = (history) => {
  const violations: Violation[] = [];
  const ended = new Set(history.accessEnds.map(({ principal }) => principal));
  const changes = membershipChanges(history);
  const deletions = new Set(
    history.writes.filter(({ what }) => what.type === "delete")
      .map(({ room, what }) => `${room} ${(what as { target: number }).target}`),
  );
  for (const write of history.writes) {
    if (ended.has(write.actor) || write.acks.length > 0) continue;
    const message = write.refusal === undefined
      ? `A ${write.what.type} was never answered, in ${write.tries} tries`
      : isExplained(write, write.refusal, changes, deletions)
      ? undefined
      : `A ${write.what.type} was refused for no reason: ${write.refusal.code}`;
    if (message !== undefined) violations.push({ check: "answered", message, evidence: write });
  }
  return violations;
};

const OVERTAKEN = new Set(["command_settled", "version_conflict"]);
const GONE = new Set(["not_found", "not_a_member", "forbidden", "read_only"]);

function isExplained(
  { actor, room, what }: WriteRecord,
  { at, code }: { at: number; code: string },
  changes: ReadonlyMap<string, number>,
  deletions: ReadonlySet<string>,
): boolean {
  const about = "target" in what && deletions.has(`${room} ${what.target}`);
  if (code === "message_deleted" || (code === "not_found" && about)) return about;
  if (OVERTAKEN.has(code)) return true;
  const concerned = "device" in what ? [actor, what.device] : [actor];
  return GONE.has(code) &&
    concerned.some((one) => (changes.get(`${room} ${one}`) ?? Infinity) <= at);
}

/** When somebody first began to change a membership, by room and principal. */
function membershipChanges({ writes, principals }: History): Map<string, number> {
  const first = new Map<string, number>();
  for (const { room, what, startedAt } of writes as readonly WriteRecord[]) {
    if (what.type !== "add" && what.type !== "remove") continue;
    const key = `${room} ${what.principal}`;
    first.set(key, Math.min(first.get(key) ?? Infinity, startedAt));
  }
  for (const { id, stranger } of principals) {
    if (!stranger) continue;
    for (const { room } of writes) first.set(`${room} ${id}`, 0);
  }
  return first;
}
