import type { Principal } from "../auth/principal.ts";
import { ConfabError } from "../errors.ts";
import type { LogEntry, Message, MessageBody, RoomId, SendOk } from "../protocol.ts";
import { changeMessage } from "../store/changes.ts";
import { inTurn } from "../store/history_turns.ts";
import { readEntries, readLogAs, readMessageAs, readMessagesAs } from "../store/log.ts";
import { announceChange } from "./announce.ts";
import { bodyHash } from "./body_hash.ts";
import type { ChatContext } from "./context.ts";
import { afterCommit, refuseUnlessDone } from "./outcome.ts";
import { forViewer, messageForViewer } from "./viewer.ts";

/**
 * Sends a message. Resolves after the commit; the same clientId with the same body again answers
 * with the first seq. Throws ConfabError: `not_found`, `not_a_member`, `read_only`,
 * `invalid_reply`, `client_id_reused`, `rate_limited`, `overloaded`, `unavailable`,
 * `outcome_unknown`. Sends made in order to one room are stored in that order.
 */
export async function sendMessage(
  context: ChatContext,
  sender: Principal,
  room: RoomId,
  clientId: string,
  body: MessageBody,
): Promise<SendOk> {
  context.sends.take(sender.id);
  return await context.appender.append({ room, sender, clientId, body });
}

/**
 * Replaces text, data and metadata of one's own message; attachments stay. `clientId` makes a late
 * repeat harmless.
 */
export function editMessage(
  context: ChatContext,
  actor: Principal,
  room: RoomId,
  target: number,
  body: Omit<MessageBody, "replyTo" | "attachments">,
  clientId?: string,
): Promise<ChangedMessage> {
  return change(context, actor, room, target, body, false, clientId);
}

/** Deletes a message (one's own, or any for room admins): its content goes, its seq stays. */
export function deleteMessage(
  context: ChatContext,
  actor: Principal,
  room: RoomId,
  target: number,
  clientId?: string,
): Promise<ChangedMessage> {
  return change(context, actor, room, target, {}, true, clientId);
}

/** A changed message as the actor sees it, and the seq of the entry that changed it. */
export interface ChangedMessage {
  message: Message;
  seq: number;
  duplicate: boolean;
}

async function change(
  context: ChatContext,
  actor: Principal,
  room: RoomId,
  target: number,
  body: Omit<MessageBody, "replyTo" | "attachments">,
  remove: boolean,
  clientId: string | undefined,
): Promise<ChangedMessage> {
  context.sends.take(actor.id);
  const { outcome, seq } = await changeMessage(context.db, {
    room,
    actor: actor.id,
    target,
    remove,
    text: body.text ?? null,
    data: body.data === undefined ? null : JSON.stringify(body.data),
    metadata: body.metadata === undefined ? null : JSON.stringify(body.metadata),
    clientId: clientId ?? null,
    hash: clientId === undefined ? null : bodyHash({ ...body, target, remove }),
  });
  refuseUnlessDone(outcome);
  const duplicate = outcome === "duplicate";
  if (!duplicate) await announceChange(context, room, seq!);
  const message = await storedMessage(context, actor, room, target);
  return { message, seq: seq!, duplicate };
}

/**
 * A message that the actor has just sent or changed. Not as the actor may see it now: what is done
 * is answered as done, also to somebody who has been removed since. Throws `outcome_unknown`.
 */
export async function storedMessage(
  context: ChatContext,
  actor: Principal,
  room: RoomId,
  seq: number,
): Promise<Message> {
  const [entry] = await afterCommit(readEntries(context.db, room, seq, seq));
  if (entry?.event.type !== "message.created") throw new ConfabError("not_found");
  return messageForViewer(entry.event.message, actor.id);
}

/** A page of messages, oldest first, from one snapshot. */
export interface MessagePage {
  messages: Message[];
  head: number;
  epoch: string;
  hasMore: boolean;
}

/** The newest messages, those before `before`, or those after `after`. Throws `not_found`. */
export async function listMessages(
  context: ChatContext,
  viewer: Principal,
  room: RoomId,
  range: { before?: number; after?: number },
  limit: number,
): Promise<MessagePage> {
  const read = () => readMessagesAs(context.db, room, viewer.id, range, limit);
  const page = await inTurn(context.db, viewer.id, read);
  if (page === undefined) throw new ConfabError("not_found");
  return {
    messages: page.messages.map((message) => messageForViewer(message, viewer.id)),
    head: page.view.head,
    epoch: page.view.epoch,
    hasMore: page.hasMore,
  };
}

/** One message. Throws `not_found`. */
export async function getMessage(
  context: ChatContext,
  viewer: Principal,
  room: RoomId,
  seq: number,
): Promise<Message> {
  const message = await readMessageAs(context.db, room, viewer.id, seq);
  if (message === undefined) throw new ConfabError("not_found");
  return messageForViewer(message, viewer.id);
}

/** Entries of the log, oldest first, from one snapshot. */
export interface LogPage {
  entries: LogEntry[];
  head: number;
  epoch: string;
  hasMore: boolean;
}

/**
 * Every change after a cursor. Throws `not_found`, and `epoch_changed` for a cursor of another
 * epoch, below the floor, or beyond the head: the caller must load the room again.
 */
export async function readLog(
  context: ChatContext,
  viewer: Principal,
  room: RoomId,
  cursor: { epoch?: string; after: number },
  limit: number,
): Promise<LogPage> {
  const read = () => readLogAs(context.db, room, viewer.id, cursor.after, limit);
  const page = await inTurn(context.db, viewer.id, read);
  if (page === undefined) throw new ConfabError("not_found");
  const { view, entries } = page;
  const { epoch, head, floor } = view;
  const lost = cursor.epoch !== undefined && cursor.epoch !== epoch
    ? "The history was reset"
    : cursor.after > head
    ? `The cursor is ahead of the log, which ends at ${head}`
    : cursor.after < floor
    ? `The log begins after ${floor} by now`
    : undefined;
  if (lost !== undefined) throw new ConfabError("epoch_changed", `${lost}; load the room again`);
  const last = entries.at(-1)?.seq ?? view.head;
  return {
    entries: entries.map((entry) => forViewer(entry, viewer.id)),
    head: view.head,
    epoch: view.epoch,
    hasMore: last < view.head,
  };
}
