import { assert, assertEquals } from "@std/assert";
import type { z } from "zod";
import { DEVICE_HEARS } from "../lib/device_schemas.ts";
import { OK_FRAMES, SERVER_FRAMES } from "../routes/server_frames.ts";
import { STREAM_EVENTS } from "../routes/stream_events.ts";

type Deep = Record<string, unknown>;

/**
 * Fails when a frame of the server is not what the document says about its type: another form, or
 * a field more. `asked` are the types of the requests that an `ok` may answer; any when absent.
 */
export function checkFrame(frame: unknown, asked: Iterable<string> = Object.keys(OK_FRAMES)): void {
  const { type } = frame as { type: keyof typeof SERVER_FRAMES };
  const schemas: z.ZodType[] = type === "ok"
    ? [...asked].flatMap((name) => name in OK_FRAMES ? [OK_FRAMES[name as "join"]] : [])
    : [SERVER_FRAMES[type]].filter((schema) => schema !== undefined);
  checkOneOf(schemas, frame, `A frame of the type ${type}`);
}

/** The same for the data of a stream's event; the nameless one is called `message`. */
export function checkStreamEvent(name: string, data: unknown): void {
  const schema = name in STREAM_EVENTS ? [STREAM_EVENTS[name as "message"]] : [];
  checkOneOf(schema, data, `An event ${name}`);
}

/** The same for what a device receives; the empty payload is what clears a retained topic. */
export function checkDeviceMessage(topic: string, payload: string, retained = false): void {
  const name = /\/d\/[^/]+\/(?:rooms\/[^/]+\/)?(\w+)/.exec(topic)?.[1] ?? "";
  assert(name in DEVICE_HEARS, `${topic} is not documented`);
  if ((name === "head" || name === "desired") && payload === "" && !retained) return;
  checkOneOf([DEVICE_HEARS[name as "events"]], JSON.parse(payload), topic);
}

function checkOneOf(schemas: z.ZodType[], value: unknown, what: string): void {
  const shown = `${what} is not as documented: ${JSON.stringify(value).slice(0, 500)}`;
  const parsed = schemas.map((schema) => schema.safeParse(value));
  const fitting = parsed.flatMap((one) => one.success ? [one.data] : []);
  assert(fitting.length > 0, `${shown}\n${parsed.map(({ error }) => error?.message).join("\n")}`);
  // Schemas are open and leave out what they do not know
  const longest = fitting.sort((a, b) => size(b) - size(a))[0];
  assertEquals(longest, value, `${shown}\nhas a field that is not documented`);
}

function size(value: unknown): number {
  return Object.keys(value as Deep).length;
}
