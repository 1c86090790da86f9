import { acknowledged } from "./checks/acknowledged.ts";
import { answered } from "./checks/answered.ts";
import { commands } from "./checks/commands.ts";
import { authors } from "./checks/authors.ts";
import { complete } from "./checks/complete.ts";
import { content } from "./checks/content.ts";
import { converged } from "./checks/converged.ts";
import { desiredStates } from "./checks/desired_states.ts";
import { deviceFeed } from "./checks/device_feed.ts";
import { devicePresence } from "./checks/device_presence.ts";
import { membershipKept } from "./checks/membership_kept.ts";
import { numbers } from "./checks/numbers.ts";
import { once } from "./checks/once.ts";
import { order } from "./checks/order.ts";
import { presence } from "./checks/presence.ts";
import { processes } from "./checks/processes.ts";
import { realTime } from "./checks/real_time.ts";
import { rebuilt } from "./checks/rebuilt.ts";
import { removed } from "./checks/removed.ts";
import { revoked } from "./checks/revoked.ts";
import { indexRooms } from "./checks/room_index.ts";
import { rules } from "./checks/rules.ts";
import { senderOrder } from "./checks/sender_order.ts";
import { silence } from "./checks/silence.ts";
import { statesKept } from "./checks/states_kept.ts";
import { telemetry } from "./checks/telemetry.ts";
import { type Work, workDone } from "./checks/work_done.ts";
import type { History } from "./history.ts";
import type { Check, Violation } from "./violation.ts";

/** Every invariant by the name that its violations carry, in the order in which they are judged. */
export const CHECKS: Readonly<Record<string, Check>> = {
  "numbers": numbers,
  "acknowledged": acknowledged,
  "membership kept": membershipKept,
  "answered": answered,
  "once": once,
  "authors": authors,
  "real time": realTime,
  "sender order": senderOrder,
  "order": order,
  "device feed": deviceFeed,
  "commands": commands,
  "desired states": desiredStates,
  "states kept": statesKept,
  "content": content,
  "complete": complete,
  "rebuilt": rebuilt,
  "removed": removed,
  "revoked": revoked,
  "presence": presence,
  "device presence": devicePresence,
  "silence": silence,
  "telemetry": telemetry,
  "rules": rules,
  "converged": converged,
  "processes": processes,
};

/** Judges a run. `least` is what it must have done at least; without it that is not asked. */
export function check(history: History, least?: Work): Violation[] {
  const rooms = indexRooms(history);
  const violations = Object.values(CHECKS).flatMap((judge) => judge(history, rooms));
  return least === undefined ? violations : [...violations, ...workDone(history, least)];
}
