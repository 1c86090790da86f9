import type { Message, MessageCommand } from "../../lib/protocol.ts";
import type { History, WriteKind, WriteRecord } from "../history.ts";
import type { CommandGivenRecord, FinalCommand } from "../history_devices.ts";
import { isSame } from "../json_same.ts";
import type { Check, Violation } from "../violation.ts";
import type { RoomIndex } from "./room_index.ts";

/**
 * A command is in the log once, ends in exactly one way, and has one answer if its device was in
 * time and none otherwise: the first that the device said, which all its receipts name. It expires
 * only after its time, or when its sender has gone, and ends otherwise within its device's stay in
 * the room. Nobody is shown anything else.
 */
export const commands: Check = (history, rooms) => {
  const violations: Violation[] = [];
  const add = (message: string, evidence: unknown) =>
    violations.push({ check: "commands", message, evidence });
  const known = new Map<string, Command>();
  for (const room of rooms.values()) {
    for (const command of commandsOf(room, add)) known.set(command.shown.id, command);
  }
  for (const command of known.values()) {
    const message = wrongEnd(command) ?? wrongAnswer(command);
    if (message !== undefined) add(message, command);
  }
  for (const write of history.writes) {
    const message = wrongWrite(write, write.what, known);
    if (message !== undefined) add(message, write);
  }
  for (const given of history.devices.commands) {
    const message = wrongGiven(given, known);
    if (message !== undefined) add(message, given);
  }
  judgeDeliveries(history, rooms, known, add);
  return violations;
};

type Add = (message: string, evidence: unknown) => void;

/** A command of the log with everything that is about it. */
interface Command {
  room: string;
  seq: number;
  shown: MessageCommand;
  listed: FinalCommand | undefined;
  /** The entries that say how it ended. */
  ends: { seq: number; at: string }[];
  /** Its device's replies to its message. */
  replies: Message[];
  wish: WriteRecord | undefined;
  /** The wish behind the answer. */
  answer: WriteRecord | undefined;
  /** Its sender was a member from before it until then. */
  senderUntil: number;
  /** So its device. */
  deviceUntil: number;
}

function commandsOf(room: RoomIndex, add: Add): Command[] {
  const { final, wishOf } = room;
  const listed = new Map(final.commands.map((one) => [one.id, one]));
  const bySeq = new Map<number, Command>();
  for (const { seq, event } of final.log) {
    if (event.type === "command.updated") {
      const command = bySeq.get(event.target);
      if (command === undefined) add(`Entry ${seq} is about no command`, event);
      else command.ends.push({ seq, at: event.at });
    }
    if (event.type !== "message.created") continue;
    const { message } = event;
    const asked = message.replyTo === undefined ? undefined : bySeq.get(message.replyTo);
    if (asked !== undefined && message.sender.id === asked.shown.device) {
      asked.replies.push(message);
      asked.answer = wishOf.get(seq);
    }
    if (message.command === undefined) continue;
    const until = (member: string) =>
      room.memberships.get(member)?.find(({ from, to }) => from <= seq && seq <= to)?.to ?? 0;
    bySeq.set(seq, {
      ...{ room: final.room, seq, shown: message.command, ends: [], replies: [] },
      ...{ listed: listed.get(message.command.id), wish: wishOf.get(seq), answer: undefined },
      ...{ senderUntil: until(message.sender.id), deviceUntil: until(message.command.device) },
    });
    listed.delete(message.command.id);
  }
  for (const one of listed.values()) add("A command is in the list and not in the log", one);
  return [...bySeq.values()];
}

function wrongEnd(command: Command): string | undefined {
  const { shown, listed, ends, wish, senderUntil, deviceUntil, seq } = command;
  const { status, expiresAt, device, name, args } = shown;
  if (listed === undefined) return "A command is in the log and not in the list";
  if (listed.status !== status || listed.seq !== seq || listed.answer !== shown.answer) {
    return "A command is listed otherwise than its message shows it";
  }
  if (wish?.what.type !== "command") return "Nobody sent a command";
  const { what } = wish;
  if (what.device !== device || what.name !== name || !isSame(what.args, args)) {
    return "A command is not what was sent";
  }
  if (status === "queued") return "A command has not ended";
  if (ends.length !== 1) return `A command has ended ${ends.length} times`;
  const [end] = ends;
  const inTime = Date.parse(end!.at) <= Date.parse(expiresAt);
  if (status !== "expired" && !inTime) return `A command is ${status} after its time`;
  if (status !== "expired" && end!.seq > deviceUntil) {
    return `A command is ${status} after the stay of its device in the room`;
  }
  if (status === "expired" && inTime && senderUntil > end!.seq) {
    return "A command has expired before its time, and its sender has not gone";
  }
}

function wrongAnswer({ shown, replies, answer }: Command): string | undefined {
  const { status } = shown;
  if (status !== "done" && status !== "failed") {
    if (replies.length > 0) return `A command is ${status} and has an answer`;
    return shown.answer === undefined ? undefined : `A command is ${status} and names an answer`;
  }
  if (replies.length !== 1) return `A command has ${replies.length} answers`;
  const [reply] = replies;
  if (reply!.seq !== shown.answer) return "A command names another answer than it has";
  if (answer?.what.type !== "answer") return "Nobody gave the answer to a command";
  const { ok, says, command } = answer.what;
  if (command !== shown.id) return "An answer stands under another command";
  if (ok !== (status === "done")) return `A command is ${status}, its device says otherwise`;
  const text = reply!.text ?? "";
  const said = Number(text.slice(says.length));
  if (!text.startsWith(says) || !(said >= 1 && said <= answer.tries)) {
    return "An answer is not what its device said";
  }
}

/** What those who asked, took back and answered were told. */
function wrongWrite(
  { acks, refusal }: WriteRecord,
  what: WriteKind,
  known: ReadonlyMap<string, Command>,
): string | undefined {
  if (what.type === "command") {
    const wrong = acks.find(({ command, seq }) => known.get(command ?? "")?.seq !== seq);
    return wrong && `An acknowledged command is not in the log at seq ${wrong.seq}`;
  }
  if (what.type !== "cancel" && what.type !== "answer") return;
  const status = known.get(what.command)?.shown.status;
  if (what.type === "cancel") {
    if (acks.length > 0 && status !== "cancelled") return `A command taken back is ${status}`;
    if (refusal?.code === "command_settled" && status === "cancelled") {
      return "A command could not be taken back, and is cancelled";
    }
    return;
  }
  const answer = known.get(what.command)?.shown.answer;
  const wrong = acks.find(({ seq }) => seq !== answer);
  if (wrong !== undefined) return `A receipt names seq ${wrong.seq}, the answer is at ${answer}`;
  if (refusal?.code === "command_settled" && status !== "expired" && status !== "cancelled") {
    return `An answer came too late, and the command is ${status}`;
  }
}

function wrongGiven(
  { device, command }: CommandGivenRecord,
  known: ReadonlyMap<string, Command>,
): string | undefined {
  const { commandId, room, seq, name, args, expiresAt } = command;
  const logged = known.get(commandId);
  if (logged === undefined) return "A device was given a command that is not in the log";
  const { shown } = logged;
  if (shown.device !== device) return "A device was given the command of another one";
  const is = { room: logged.room, seq: logged.seq, name: shown.name, args: shown.args };
  if (isSame({ ...is, expiresAt: shown.expiresAt }, { room, seq, name, args, expiresAt })) return;
  return "A device was given a command otherwise than the log has it";
}

/** Until the entry of its end a command is open, from then on it shows how it ended. */
function judgeDeliveries(
  { deliveries }: History,
  rooms: ReadonlyMap<string, RoomIndex>,
  known: ReadonlyMap<string, Command>,
  add: Add,
): void {
  for (const { room, client, entries } of deliveries) {
    if (!rooms.has(room)) continue;
    for (const { entry } of entries) {
      const message = "message" in entry.event ? entry.event.message : undefined;
      if (message?.command === undefined) continue;
      const logged = known.get(message.command.id);
      const ended = logged?.ends[0] !== undefined && message.updatedSeq >= logged.ends[0].seq;
      const due = ended ? logged?.shown.status : "queued";
      if (message.command.status === due) continue;
      add(`A command was shown as ${message.command.status}, and is ${due}`, { client, entry });
    }
  }
}
