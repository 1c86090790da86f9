import type { Principal } from "../lib/auth/principal.ts";
import type { Log } from "../lib/log.ts";
import type { RoomId } from "../lib/protocol.ts";
import { within } from "../lib/within.ts";
import { mayPass } from "./passing.ts";
import type { BridgeActions } from "./ports.ts";
import { judgeTime } from "./reading_rules.ts";
import type { PublishedReading } from "./telemetry_payload.ts";
import type { DueRule, Place, TelemetryLane } from "./telemetry_ports.ts";
import { enqueue, isOver, judgeQueue, moves, watched, type WatchedRule } from "./watched_rule.ts";

/** What watching rules needs. */
export interface RuleWatchOptions {
  lane: Pick<TelemetryLane, "dueRules" | "saveRules" | "settleRules">;
  actions: Pick<BridgeActions, "send">;
  /** A device as who it speaks; undefined when it is disabled. */
  principal(id: string): Promise<Principal | undefined>;
  /** Seconds for which the bridge has listened without a pause. */
  heardFor(): number;
  /** Somebody else has changed the rule: what is known of its device is outdated. */
  onChanged(rule: WatchedRule): void;
  onStored(room: RoomId, seq: number): void;
  log: Log;
}

/** Rules that may wait for the database at once; of others the next reading decides. */
const MAX_WAITING = 2000;
const PAGE = 200;
const MAX_PAGES = 10;
/** A message that takes longer, for its room is locked, holds up neither others nor readings. */
const SEND_MS = 500;

/**
 * Makes messages of readings by the rules. First the new state of a rule is stored together with
 * its message, then the message is sent, under a client id that follows from both, then the
 * message is taken from the rule. So a bridge that takes over at any point neither repeats nor
 * forgets one. A rule makes at most one message a second.
 */
export class RuleWatch {
  /** Those with a change that is to be stored, by uid. */
  readonly #waiting = new Map<string, WatchedRule>();
  /** Those whose messages are in the database and not settled, by uid. */
  readonly #sending = new Map<string, WatchedRule>();
  /** Messages that are being sent, by uid and version of their rules. */
  readonly #underway = new Map<string, Promise<boolean>>();

  constructor(private readonly o: RuleWatchOptions) {}

  /** The rules of a device as they are stored now, with what is known here of those before. */
  adopt(
    { rules, joinedSeq }: Pick<Place, "rules" | "joinedSeq">,
    before: readonly WatchedRule[] = [],
  ): WatchedRule[] {
    const same = before.filter((one) => one.joinedSeq === joinedSeq);
    return rules.map((one) => {
      const known = same.find(({ uid }) => uid === one.uid);
      if (known !== undefined && (known.change !== undefined || known.version > one.version)) {
        return known;
      }
      const rule = watched(one, joinedSeq, same);
      if (rule.busy) {
        this.#sending.set(rule.uid, rule);
        return rule;
      }
      this.#sending.delete(rule.uid); // another bridge has sent it
      this.#resume(rule);
      return rule;
    });
  }

  /** Judges a reading of the rule's metric. */
  offer(rule: WatchedRule, reading: PublishedReading): void {
    if (!rule.busy && this.#waiting.size >= MAX_WAITING) return;
    if (!moves(rule, reading)) return;
    enqueue(rule, reading);
    if (!rule.busy) this.#resume(rule);
  }

  /** Stores what has changed, looks at the rules whose time has come, and sends messages. */
  async round(): Promise<void> {
    await this.save();
    for (let page = 0; page < MAX_PAGES; page++) {
      const due = await this.o.lane.dueRules(PAGE);
      if (due.length === 0) break;
      const [pending, timed] = [
        due.filter((one) => one.pending !== null),
        due.filter((one) => one.pending === null && one.due),
      ];
      const all = await this.#send(pending);
      await this.#saveTimed(timed);
      if (!all) break; // the next round tries again
    }
  }

  /** Stores what has changed: who looks at the rules next sends the messages. */
  async save(): Promise<void> {
    const rules = [...this.#waiting.values()];
    if (rules.length === 0) return;
    const saved = new Set(await this.o.lane.saveRules(rules.map(({ change }) => change!)));
    for (const rule of rules) {
      const { fired, value, pending } = rule.change!;
      if (this.#waiting.get(rule.uid) === rule) this.#waiting.delete(rule.uid);
      rule.change = undefined;
      if (!saved.has(rule.uid)) {
        // They met an outdated state: they are judged again
        rule.queue.unshift(...rule.judged);
        this.o.onChanged(rule);
        continue;
      }
      rule.untold -= rule.telling;
      Object.assign(rule, { fired, value, pending, version: rule.version + 1 });
      if (pending === null) this.#release(rule);
      else this.#sending.set(rule.uid, rule);
    }
  }

  async #saveTimed(due: DueRule[]): Promise<void> {
    if (due.length === 0) return;
    const heardFor = this.o.heardFor();
    await this.o.lane.saveRules(due.map((one) => {
      const { fired, seen, dueIn, message } = judgeTime(one, heardFor);
      const { uid, version, joinedSeq, value } = one;
      return { uid, version, joinedSeq, fired, value, seen, dueIn, pending: message };
    }));
  }

  /** False when one could not be sent yet, in a way that may pass. */
  async #send(pending: DueRule[]): Promise<boolean> {
    const done = new Set<DueRule>();
    await within(
      SEND_MS,
      Promise.all(pending.map(async (one) => {
        if (await this.#sendOnce(one)) done.add(one);
      })),
    );
    const settled = [...done].map((one) => ({
      uid: one.uid,
      version: one.version,
      told: !isOver(one),
    }));
    if (settled.length > 0) await this.o.lane.settleRules(settled);
    for (const { uid, told } of settled) {
      const rule = this.#sending.get(uid);
      this.#sending.delete(uid);
      if (rule === undefined) continue;
      if (!told) Object.assign(rule, { fired: false, value: null });
      this.#release(rule);
    }
    return settled.length === pending.length;
  }

  /** What is under way is not begun again: a later round asks for what became of it. */
  #sendOnce(one: DueRule): Promise<boolean> {
    const key = `${one.uid}:${one.version}`;
    let sending = this.#underway.get(key);
    if (sending === undefined) {
      sending = this.#sendOne(one).finally(() => this.#underway.delete(key));
      this.#underway.set(key, sending);
    }
    return sending;
  }

  /** True when nothing more is to be done about it. */
  async #sendOne(due: DueRule): Promise<boolean> {
    if (isOver(due)) return true;
    const { uid, version, room, device, rule, pending } = due;
    try {
      const sender = await this.o.principal(device);
      if (sender === undefined) return true;
      const clientId = `rule:${uid}:${version}`;
      const [sent] = await this.o.actions.send(sender, room, [{ clientId, body: pending! }]);
      if (sent?.status === "rejected") throw sent.reason;
      if (sent !== undefined) this.o.onStored(room, sent.value.seq);
      return true;
    } catch (error) {
      if (mayPass(error, 1, 3)) return false;
      this.o.log.warn("A rule's message was refused", { room, device, rule: rule.id, error });
      return true;
    }
  }

  #release(rule: WatchedRule): void {
    rule.busy = false;
    rule.pending = null;
    this.#resume(rule);
  }

  #resume(rule: WatchedRule): void {
    if (this.#waiting.size >= MAX_WAITING || !judgeQueue(rule)) return;
    this.#waiting.set(rule.uid, rule);
  }
}
