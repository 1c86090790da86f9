import type { Context } from "hono";
import { z } from "zod";
import { ConfabError } from "../lib/errors.ts";
import { addressKey } from "../lib/limits/address_key.ts";
import { epochSchema, idSchema } from "../lib/schemas.ts";
import type { Api } from "./api.ts";
import { upgradeSocket } from "./socket.ts";
import type { SocketContext } from "./socket_context.ts";
import { openStream, streamCursor } from "./stream.ts";

/** The connections that stay open: the WebSocket of everything, the event stream of one room. */
export function liveRoutes(api: Api, live: SocketContext): void {
  api.addRaw(
    {
      method: "GET",
      path: "/v1/socket",
      name: "openSocket",
      tag: "Messages",
      summary: "Open the WebSocket",
      description:
        "Subprotocol confab.v1. Programs send `Authorization: Bearer`; browsers take a " +
        "ticket first. `/asyncapi.json` describes the frames.",
      access: "anyone",
      query: z.strictObject({
        ticket: z.string().max(8192).optional().meta({ description: "From POST /v1/auth/ticket" }),
        peer: idSchema.optional().meta({ description: "Opens and joins the direct room" }),
      }),
      responses: { 101: { description: "The connection is a WebSocket now" } },
      errors: [
        "upgrade_required",
        "unauthenticated",
        "ticket_invalid",
        "origin_not_allowed",
        "overloaded",
      ],
    },
    (c) => {
      refuseHead(c);
      return upgradeSocket(live, c.req.raw, addressKey(c.var.address));
    },
  );
  api.addRaw(
    {
      method: "GET",
      path: "/v1/rooms/{room}/stream",
      name: "streamRoom",
      tag: "Messages",
      summary: "Follow the log of a room as Server-Sent Events",
      description: "Entries are messages with the id `epoch:seq`; `Last-Event-ID` or `after` " +
        "resumes. Other events: ready, reset, signal, evicted, closing.",
      access: "signed-in",
      params: z.object({ room: idSchema }),
      query: z.strictObject({
        after: z.coerce.number().int().min(0).max(Number.MAX_SAFE_INTEGER).exactOptional(),
        epoch: epochSchema.exactOptional(),
      }),
      responses: { 200: { description: "The stream", mediaType: "text/event-stream" } },
      errors: ["not_found", "invalid_cursor", "overloaded"],
    },
    async (c) => {
      refuseHead(c);
      const { principal, refusal, address } = c.var;
      if (refusal !== undefined) throw refusal;
      if (principal === undefined) throw new ConfabError("unauthenticated");
      const query = c.req.valid("query" as never) as { after?: number; epoch?: string };
      const { room } = c.req.valid("param" as never) as { room: string };
      const cursor = streamCursor(c.req.header("last-event-id"), query);
      return await openStream(live, principal, addressKey(address), room, cursor);
    },
  );
}

/** Hono answers HEAD like GET and drops the body: a stream would stay open without a reader. */
function refuseHead({ req }: Context): void {
  if (req.raw.method === "HEAD") throw new ConfabError("method_not_allowed");
}
