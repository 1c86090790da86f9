import type { Attachment } from "../attachments.ts";
import type { Principal } from "../auth/principal.ts";
import type { Json, RoomId, SendOk } from "../protocol.ts";
import * as store from "../store/commands.ts";
import { announceChange } from "./announce.ts";
import type { ChatContext } from "./context.ts";
import { refuseUnlessDone } from "./outcome.ts";

/** What became of a command, as its device says. */
export interface CommandReply {
  commandId: string;
  ok: boolean;
  text?: string;
  data?: Json;
  /** Files that lie elsewhere. */
  attachments?: Attachment[];
}

/** Commands of one room that one statement settles. */
const BATCH = 100;
/** Rooms that one round looks after. */
const ROOMS = 200;

/**
 * Stores a device's answer as its message that replies to the command. The first one counts: a
 * repeat, whatever it says, is answered with the first one. Throws ConfabError: `not_found`,
 * `command_settled`.
 */
export async function answerCommand(
  context: ChatContext,
  device: Principal,
  reply: CommandReply,
): Promise<SendOk & { room: RoomId }> {
  const { attachments = [] } = reply;
  const { outcome, room, seq, at, told } = await store.answerCommand(context.db, {
    command: reply.commandId,
    device: device.id,
    ok: reply.ok,
    text: reply.text ?? null,
    data: reply.data === undefined ? null : JSON.stringify(reply.data),
    attachments: attachments.length === 0 ? null : JSON.stringify(attachments),
  });
  refuseUnlessDone(outcome);
  if (told !== null) await announceChange(context, room!, told, seq!);
  return { room: room!, seq: seq!, at: at!.toISOString(), duplicate: outcome === "duplicate" };
}

/**
 * Settles the commands that nobody answered in time and says so in their rooms; returns how many.
 * Several nodes may do this at once. A room that fails does not keep the others back: the first
 * failure is thrown at the end. Ends early at the signal.
 */
export async function expireDueCommands(
  context: ChatContext,
  stopping?: AbortSignal,
): Promise<number> {
  let total = 0;
  const failures: unknown[] = [];
  for (const room of await store.roomsWithDueCommands(context.db, ROOMS)) {
    if (stopping?.aborted) break;
    try {
      total += await expireIn(context, room);
    } catch (error) {
      failures.push(error);
    }
  }
  if (failures.length > 0) throw failures[0];
  return total;
}

async function expireIn(context: ChatContext, room: RoomId): Promise<number> {
  let total = 0;
  for (;;) {
    const seqs = await store.expireCommands(context.db, room, BATCH);
    const [first, last] = [seqs[0], seqs.at(-1)];
    if (first === undefined || last === undefined) return total;
    total += seqs.length;
    await announceChange(context, room, last, first);
    if (seqs.length < BATCH) return total;
  }
}
