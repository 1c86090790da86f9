import { judge, readingMessage, type RuleState, type Verdict } from "./reading_rules.ts";
import type { PublishedReading } from "./telemetry_payload.ts";
import type { DueRule, RuleChange, StoredRule } from "./telemetry_ports.ts";

/** A rule as this bridge follows it. */
export interface WatchedRule extends StoredRule {
  /** The stay of its device in the room. */
  joinedSeq: number;
  /** A change is on its way to the database, or its message to the room: nothing else is judged. */
  busy: boolean;
  /** The change that is not in the database yet. */
  change: RuleChange | undefined;
  /** The readings that it comes from. */
  judged: PublishedReading[];
  /** Readings that came while it was busy, each of which will change its state; oldest first. */
  queue: PublishedReading[];
  /** What would have been told, and left the queue. */
  untold: number;
  /** How many of these the change tells of. */
  telling: number;
}

/** Readings that wait for one rule: at least every second one of a threshold becomes a message. */
const MAX_QUEUE = 16;

/** A rule as it is stored, with what waits for it of the rules of this device in `before`. */
export function watched(
  stored: StoredRule,
  joinedSeq: number,
  before: readonly WatchedRule[],
): WatchedRule {
  const known = before.find(({ uid }) => uid === stored.uid);
  return {
    ...stored,
    joinedSeq,
    busy: stored.pending !== null,
    change: undefined,
    judged: [],
    // What another bridge has made of the same readings is not made of them again
    queue: known?.queue.slice(known.version === stored.version ? 0 : -1) ?? leftBy(stored, before),
    untold: known?.untold ?? 0,
    telling: 0,
  };
}

/** What the rule that was changed into this one has not told of. */
function leftBy({ rule }: StoredRule, before: readonly WatchedRule[]): PublishedReading[] {
  const old = before.find((one) => one.rule.id === rule.id && one.rule.metric === rule.metric);
  if (old === undefined) return [];
  return old.change === undefined ? [...old.queue] : [...old.judged, ...old.queue];
}

/** True when the reading will change the state that the rule has once all is judged that waits. */
export function moves(rule: WatchedRule, { value }: PublishedReading): boolean {
  const ahead = rule.queue.reduce<RuleState>(
    (state, { value }) => judge(rule.rule, state, value) ?? state,
    rule.change ?? rule,
  );
  return judge(rule.rule, ahead, value) !== undefined;
}

/** Lets a reading that moves the rule wait for it. Too many are counted instead, the oldest first. */
export function enqueue(rule: WatchedRule, reading: PublishedReading): void {
  rule.queue.push(reading);
  if (rule.queue.length <= MAX_QUEUE) return;
  // Of a threshold, that the value passed it and was back
  rule.queue.splice(0, rule.rule.kind === "change" ? 1 : 2);
  rule.untold++;
}

/** Judges what waits, up to what is to be told; the change is then to be stored. False: nothing. */
export function judgeQueue(rule: WatchedRule): boolean {
  const judged: PublishedReading[] = [];
  let verdict: Verdict | undefined;
  while (!verdict?.tell && rule.queue.length > 0) {
    const reading = rule.queue.shift()!;
    judged.push(reading);
    verdict = judge(rule.rule, verdict ?? rule, reading.value) ?? verdict;
  }
  if (verdict === undefined) return false;
  const { uid, version, joinedSeq, seen } = rule;
  const { fired, value, tell } = verdict;
  const told = judged.at(-1)!;
  rule.busy = true;
  rule.judged = judged;
  rule.telling = tell ? rule.untold : 0;
  const pending = tell ? readingMessage(rule.rule, told.value, told.at, rule.telling) : null;
  rule.change = { uid, version, joinedSeq, fired, value, seen, dueIn: null, pending };
  return true;
}

/** Its message is of a former stay in the room. */
export function isOver({ pendingStay, joinedSeq }: DueRule): boolean {
  return pendingStay !== undefined && pendingStay !== joinedSeq;
}
