import { z } from "zod";
import { cancelCommand, listCommands, sendCommand } from "../lib/chat/commands.ts";
import { commandArgs, commandName, timeoutSeconds } from "../lib/command_schemas.ts";
import {
  id,
  message,
  messageCommand,
  metadata,
  publicPrincipal,
  seq,
  timestamp,
} from "../lib/entry_schemas.ts";
import { clientIdSchema, idSchema } from "../lib/schemas.ts";
import type { Api } from "./api.ts";
import { definitionRoutes } from "./command_definitions.ts";
import { limit, next, pageOf, roomParams } from "./params.ts";
import { listOf } from "./responses.ts";

const status = messageCommand.shape.status;
const params = z.object({ room: idSchema, id: idSchema });
const sent = z.object({
  message,
  duplicate: z.boolean().meta({ description: "It was so before, nothing new was stored" }),
});
const record = z.object({
  id,
  seq: seq.meta({ description: "The message that holds it" }),
  device: publicPrincipal,
  sender: publicPrincipal,
  name: z.string(),
  args: metadata.exactOptional().meta({ description: "Gone with a deleted message" }),
  status,
  createdAt: timestamp,
  expiresAt: timestamp,
  settledAt: timestamp.exactOptional(),
  answer: seq.exactOptional().meta({ description: "The message with which the device answered" }),
}).meta({ id: "CommandRecord", description: "A command, and what became of it" });
const access = "signed-in";
const tag = "Devices";

/** What devices are asked to do. */
export function commandRoutes(api: Api): void {
  sendRoute(api);
  definitionRoutes(api);
  api.add({
    method: "GET",
    path: "/v1/rooms/{room}/commands",
    name: "listCommands",
    tag,
    summary: "What the devices of a room were asked to do",
    description: "Who asked which device for what, when, and what became of it.",
    access,
    params: roomParams,
    query: z.strictObject({
      status: status.exactOptional(),
      device: idSchema.exactOptional(),
      limit,
      next: next.exactOptional(),
    }),
    responses: { 200: { description: "The newest first", schema: listOf(record) } },
    errors: ["invalid_cursor"],
  }, async ({ context, principal, params, query }) => {
    const { limit: _, next: __, ...filter } = query;
    const page = await listCommands(context.chat, principal, params.room, filter, pageOf(query));
    return { status: 200, body: page };
  });
  api.add({
    method: "POST",
    path: "/v1/rooms/{room}/commands/{id}/cancel",
    name: "cancelCommand",
    tag,
    summary: "Take back a command that was not answered",
    description: "For its sender, and for owners and admins. The device may be at work already: " +
      "what it answers from now on is refused.",
    access,
    params,
    responses: { 200: { description: "The command's message as it is now", schema: sent } },
    errors: ["not_a_member", "read_only", "forbidden", "command_settled"],
  }, async ({ context, principal, params }) => ({
    status: 200,
    body: await cancelCommand(context.chat, principal, params.room, params.id),
  }));
}

function sendRoute(api: Api): void {
  api.add({
    method: "POST",
    path: "/v1/rooms/{room}/devices/{id}/commands",
    name: "sendCommand",
    tag,
    summary: "Ask a device to do something",
    description: "The command is a message in the room, with what one would type as its text: " +
      "`/cmd pump1 start speed=3`. It cannot be edited, and deleting it takes the command back. " +
      "The device's answer will be a reply to it, and the entry `command.updated` tells what " +
      "became of it. A device that is away gets it when it comes, until its time is over or it " +
      "leaves the room. The same `clientId` with the same request never stores twice.",
    access,
    params,
    body: z.strictObject({
      clientId: clientIdSchema,
      name: commandName,
      args: commandArgs.default({}),
      timeoutSeconds: timeoutSeconds.exactOptional()
        .meta({ description: "Default: as the command's definition says, or else 30" }),
      confirm: z.literal(true).exactOptional()
        .meta({ description: "Needed for what is dangerous" }),
    }),
    example: { clientId: "7f1c-2", name: "start", args: { speed: 3 } },
    responses: {
      201: { description: "Stored", schema: sent },
      200: { description: "Stored before", schema: sent },
    },
    errors: [
      "not_a_member",
      "read_only",
      "device_disabled",
      "device_read_only",
      "forbidden",
      "unknown_command",
      "confirmation_required",
      "too_many_commands",
      "client_id_reused",
    ],
  }, async ({ context, principal, params: { room, id: device }, body }) => {
    const answer = await sendCommand(context.chat, principal, room, device, body);
    return { status: answer.duplicate ? 200 : 201, body: answer };
  });
}
