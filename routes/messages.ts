import { z } from "zod";
import {
  deleteMessage,
  editMessage,
  getMessage,
  listMessages,
  readLog,
} from "../lib/chat/messages.ts";
import { postMessage } from "../lib/chat/post_message.ts";
import { message } from "../lib/entry_schemas.ts";
import {
  bodyFields,
  clientIdSchema,
  editFields,
  epochSchema,
  hasContent,
  NO_BODY,
  NO_CONTENT,
  seqSchema,
} from "../lib/schemas.ts";
import type { Api } from "./api.ts";
import { decimal, limit, messageParams, roomParams } from "./params.ts";
import { logPage, messagePage } from "./responses.ts";

const seq = decimal(seqSchema);
const changed = z.object({
  message,
  duplicate: z.boolean().meta({ description: "It was so before, nothing new was stored" }),
});

/** What is said, and the log of everything that happens. */
export function messageRoutes(api: Api): void {
  sendRoute(api);
  readRoutes(api);
  changeRoutes(api);
}

function sendRoute(api: Api): void {
  api.add({
    method: "POST",
    path: "/v1/rooms/{room}/messages",
    name: "sendMessage",
    tag: "Messages",
    summary: "Send a message",
    description: "Answered after the commit. The same `clientId` with the same body never stores " +
      "twice, however late: after `outcome_unknown`, or no answer, repeat it. A text that reads " +
      "like a command, `/cmd …`, is a text: `sendCommand` sends commands.",
    access: "signed-in",
    params: roomParams,
    body: z.strictObject({ clientId: clientIdSchema, ...bodyFields })
      .refine(hasContent, NO_BODY),
    example: { clientId: "7f1c-1", text: "The tomatoes are dry" },
    responses: {
      201: { description: "Stored", schema: changed },
      200: { description: "Stored before", schema: changed },
    },
    errors: ["not_a_member", "read_only", "invalid_reply", "client_id_reused", "overloaded"],
  }, async ({ context, principal, params, body: { clientId, ...content } }) => {
    const body = await postMessage(context.chat, principal, params.room, clientId, content);
    return { status: body.duplicate ? 200 : 201, body };
  });
}

function readRoutes(api: Api): void {
  api.add({
    method: "GET",
    path: "/v1/rooms/{room}/messages",
    name: "listMessages",
    tag: "Messages",
    summary: "Messages, oldest first",
    description: "The newest, those just before `before`, or those just after `after`, from one " +
      "snapshot. `hasMore` looks in the same direction; a page of large messages may be shorter " +
      "than `limit`.",
    access: "signed-in",
    params: roomParams,
    query: z.strictObject({ before: seq.exactOptional(), after: seq.exactOptional(), limit })
      .refine((query) => query.before === undefined || query.after === undefined, {
        path: ["after"],
        message: "excludes before",
      }),
    responses: { 200: { description: "A page", schema: messagePage } },
  }, async ({ context, principal, params, query: { limit, ...range } }) => ({
    status: 200,
    body: await listMessages(context.chat, principal, params.room, range, limit),
  }));
  api.add({
    method: "GET",
    path: "/v1/rooms/{room}/messages/{seq}",
    name: "getMessage",
    tag: "Messages",
    summary: "One message",
    access: "signed-in",
    params: messageParams,
    responses: { 200: { description: "The message", schema: z.object({ message }) } },
  }, async ({ context, principal, params }) => ({
    status: 200,
    body: { message: await getMessage(context.chat, principal, params.room, params.seq) },
  }));
  api.add({
    method: "GET",
    path: "/v1/rooms/{room}/log",
    name: "readLog",
    tag: "Messages",
    summary: "Every change after a cursor, oldest first",
    description: "Applied to any page of messages, the entries after it make it equal to a fresh " +
      "read. `epoch_changed`: the cursor is of another epoch, ahead of the log or older than what is " +
      "kept, as `detail` says; load the room again. A page of large entries " +
      "may be shorter than `limit`: go on while `hasMore`.",
    access: "signed-in",
    params: roomParams,
    query: z.strictObject({
      epoch: epochSchema.exactOptional(),
      after: seq.default(0),
      limit,
    }),
    responses: { 200: { description: "A page", schema: logPage } },
    errors: ["epoch_changed"],
  }, async ({ context, principal, params, query: { limit, ...cursor } }) => ({
    status: 200,
    body: await readLog(context.chat, principal, params.room, cursor, limit),
  }));
}

function changeRoutes(api: Api): void {
  const path = "/v1/rooms/{room}/messages/{seq}";
  api.add({
    method: "PATCH",
    path,
    name: "editMessage",
    tag: "Messages",
    summary: "Replace the content of one's own message",
    description: "Attachments stay. A `clientId` makes a late repeat harmless.",
    access: "signed-in",
    params: messageParams,
    body: z.strictObject(editFields).refine(hasContent, NO_CONTENT),
    example: { text: "The tomatoes are very dry" },
    responses: { 200: { description: "The message as it is now", schema: changed } },
    errors: [
      "not_a_member",
      "read_only",
      "forbidden",
      "message_deleted",
      "not_editable",
      "client_id_reused",
    ],
  }, async ({ context, principal, params, body: { clientId, ...content } }) => {
    const { room, seq } = params;
    const edit = await editMessage(context.chat, principal, room, seq, content, clientId);
    return { status: 200, body: { message: edit.message, duplicate: edit.duplicate } };
  });
  api.add({
    method: "DELETE",
    path,
    name: "deleteMessage",
    tag: "Messages",
    summary: "Delete a message",
    description: "One's own, or any for owners and admins. Its content is gone, its seq stays.",
    access: "signed-in",
    params: messageParams,
    query: z.strictObject({ clientId: clientIdSchema.exactOptional() }),
    responses: { 200: { description: "What is left of the message", schema: changed } },
    errors: ["not_a_member", "read_only", "forbidden", "client_id_reused"],
  }, async ({ context, principal, params, query }) => {
    const { room, seq } = params;
    const deletion = await deleteMessage(context.chat, principal, room, seq, query.clientId);
    return { status: 200, body: { message: deletion.message, duplicate: deletion.duplicate } };
  });
}
