import { z } from "zod";
import { epoch, id, logEntry, seq } from "../lib/entry_schemas.ts";
import { errorCode } from "../lib/error_schemas.ts";
import { CLOSE } from "../lib/errors.ts";
import { joinFields, signalFrame } from "./server_frames.ts";

const closeCodes = Object.values(CLOSE).map(({ code }) => code);

/** The data of every event of a room's stream, by the event's name; `message` is the nameless one. */
export const STREAM_EVENTS = {
  ready: z.object(joinFields),
  reset: z.object({ room: id, epoch, head: seq }),
  message: logEntry,
  signal: signalFrame,
  evicted: z.object({ room: id, code: errorCode }),
  closing: z.object({
    code: z.number().refine((code) => (closeCodes as number[]).includes(code), "is no close code")
      .meta({ enum: closeCodes, description: "A close code, as on the WebSocket" }),
    reason: z.string(),
    retryAfter: z.number().min(0).exactOptional().meta({ description: "Seconds" }),
  }),
} as const;
