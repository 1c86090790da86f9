import type { Principal } from "../auth/principal.ts";
import type { Message, MessageBody, RoomId } from "../protocol.ts";
import type { ChatContext } from "./context.ts";
import { sendMessage, storedMessage } from "./messages.ts";

/**
 * Sends a message like sendMessage() and answers with all of it. What was just stored is not read
 * again; a duplicate is, because the message may have changed since it was first sent.
 */
export async function postMessage(
  context: ChatContext,
  sender: Principal,
  room: RoomId,
  clientId: string,
  body: MessageBody,
): Promise<{ message: Message; duplicate: boolean }> {
  const { seq, at, duplicate } = await sendMessage(context, sender, room, clientId, body);
  if (duplicate) return { message: await storedMessage(context, sender, room, seq), duplicate };
  const { id, kind, name } = sender;
  const fresh = { room, seq, sender: { id, kind, name }, at, clientId, ...body };
  return { message: { ...fresh, attachments: body.attachments ?? [], updatedSeq: seq }, duplicate };
}
