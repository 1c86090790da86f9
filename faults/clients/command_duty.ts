import type { WriteRecord } from "../history.ts";
import type { CommandGivenRecord } from "../history_devices.ts";
import { verdict } from "./api.ts";
import type { DevicePart, DeviceVoice } from "./device_part.ts";
import { againMs } from "./waiting.ts";

/** Without a receipt for so long, an answer is said again. */
const RECEIPT_MS = 3000;
const THINK_MS = 300;
/** How long after its end a command is answered that is answered late. */
const LATE_MS = { least: 200, most: 800 };
/** What has its receipt is said once more, so often. */
const AGAIN_SHARE = 0.3;
const KEY = /^command:(.+)$/;

/** What a device makes of a command, by its name. */
export const COMMAND_NAMES = ["work", "fail", "late", "ignore"] as const;

interface Duty {
  record: WriteRecord;
  dueAt: number;
  sentAt: number;
  /** It has a receipt or a refusal. */
  over: boolean;
}

type Reply = { clientId?: string; seq?: number; duplicate?: boolean; code?: string } & {
  retryAfter?: number;
};

/**
 * A device that obeys: each command once, however often it comes, and says what became of it until
 * the receipt, in other words each time (mqtt-bridge/README.md, "Commands"). A command's name says
 * how: `work` and `fail` are answered in time, `late` too late, `ignore` never.
 */
export class CommandDuty implements DevicePart {
  readonly filters: readonly string[];
  /** Undefined: it is not answered. */
  readonly #duties = new Map<string, Duty | undefined>();

  constructor(private readonly voice: DeviceVoice) {
    this.filters = [voice.topics.commands];
  }

  connected(): void {
    for (const duty of this.#duties.values()) if (duty !== undefined) duty.sentAt = -Infinity;
  }

  closed(): void {
    // What has no receipt waits for the next connection.
  }

  take(topic: string, payload: string): boolean {
    const { topics } = this.voice;
    if (topic === topics.commands) {
      this.#given(JSON.parse(payload));
      return true;
    }
    if (topic !== topics.receipts && topic !== topics.errors) return false;
    const reply: Reply = JSON.parse(payload);
    const command = KEY.exec(reply.clientId ?? "")?.[1];
    if (command === undefined) return false;
    const duty = this.#duties.get(command);
    if (duty === undefined) this.voice.recorder.problem(`A reply to no answer: ${payload}`);
    else if (topic === topics.receipts) this.#stored(duty, reply);
    else this.#refused(duty, reply);
    return true;
  }

  tick(): void {
    const now = this.voice.recorder.now();
    for (const duty of this.#duties.values()) {
      if (duty === undefined || duty.over || now < duty.dueAt) continue;
      if (now - duty.sentAt > RECEIPT_MS) this.#say(duty);
    }
  }

  #given(command: CommandGivenRecord["command"]): void {
    const { recorder, random, principal } = this.voice;
    const { commandId: id, name } = command;
    const at = recorder.now();
    recorder.devices.commands.push({ device: principal, at, command });
    if (this.#duties.has(id)) return recorder.count("mqtt command again");
    if (name === "ignore") return void this.#duties.set(id, undefined);
    const record = recorder.write(principal, command.room, "mqtt", {
      type: "answer",
      clientId: `command:${id}`,
      command: id,
      ok: name !== "fail",
      says: `${this.voice.name} answers ${id}, try `,
    });
    const lateMs = Date.parse(command.expiresAt) - Date.now() +
      random.between(LATE_MS.least, LATE_MS.most);
    const dueAt = at + (name === "late" ? lateMs : random.between(0, THINK_MS));
    this.#duties.set(id, { record, dueAt, sentAt: -Infinity, over: false });
  }

  #say(duty: Duty): void {
    const { recorder, topics } = this.voice;
    const { record } = duty;
    if (record.what.type !== "answer") return;
    const { command: commandId, ok, says } = record.what;
    duty.sentAt = recorder.now();
    if (record.tries++ === 0) record.startedAt = duty.sentAt;
    const text = `${says}${record.tries}`;
    this.voice.publish(topics.replies, JSON.stringify({ commandId, ok, text }));
  }

  #stored(duty: Duty, { seq, duplicate }: Reply): void {
    const { recorder, random } = this.voice;
    duty.record.acks.push({ at: recorder.now(), seq: seq!, duplicate: duplicate! });
    if (!duty.over && random.next() < AGAIN_SHARE) this.#say(duty);
    duty.over = true;
  }

  #refused(duty: Duty, { code = "", retryAfter }: Reply): void {
    const { recorder, random } = this.voice;
    recorder.count(`mqtt answer ${code}`);
    if (duty.over) return;
    const { record } = duty;
    const at = recorder.now();
    if (verdict(code) === "final") {
      record.refusal = { at, code };
      duty.over = true;
    } else {
      duty.dueAt = at +
        (retryAfter === undefined ? againMs(record.tries, random) : retryAfter * 1000);
      duty.sentAt = -Infinity;
    }
  }
}
