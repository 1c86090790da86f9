import { z } from "zod";
import { deviceRequest } from "../lib/device_schemas.ts";
import { ConfabError } from "../lib/errors.ts";
import type { Log } from "../lib/log.ts";
import type { LogEntry } from "../lib/protocol.ts";
import { utf8Length } from "../lib/schemas.ts";
import type { Delivery } from "./delivery.ts";
import type { KnownDevices } from "./known_devices.ts";
import { decodeText, echoOf, refusalOf } from "./payload.ts";
import type { BridgeActions, Publisher } from "./ports.ts";
import type { Topics } from "./topics.ts";

interface RequestContext {
  topics: Topics;
  actions: Pick<BridgeActions, "log">;
  devices: KnownDevices;
  publisher: Publisher;
  log: Log;
}

/** Entries in one response may be this large together, so that small devices can read it. */
const MAX_ENTRIES_BYTES = 64 * 1024;

/**
 * Answers a device's request on its responses topic, or on the MQTT 5 response topic that it
 * named: `{requestId, room, epoch, head, entries, hasMore}`, or `{requestId, error}`. A request
 * reads only, so it is not tried again: the device asks again.
 */
export async function answerRequest(
  context: RequestContext,
  device: string,
  delivery: Delivery,
): Promise<void> {
  const { requestId, answer } = await answerOf(context, device, delivery.payload);
  const { responseTopic } = delivery.properties;
  const { topics, publisher } = context;
  const topic = responseTopic !== undefined && topics.mayRespondOn(device, responseTopic)
    ? responseTopic
    : topics.responses(device);
  const options = echoOf(delivery.properties);
  const payload = JSON.stringify(requestId === undefined ? answer : { requestId, ...answer });
  await publisher.publish(requestId === undefined ? topics.errors(device) : topic, payload, options)
    .catch((error) => {
      if (!(error instanceof ConfabError) || error.code !== "forbidden") throw error;
      // For good: unacknowledged, it would hold a place in the bridge's window.
      context.log.error("The broker refuses an answer to a device", { device, error });
    });
  delivery.acknowledge();
}

interface Answer {
  /** Undefined when the request did not show one: then the answer is an entry of `errors`. */
  requestId: string | undefined;
  answer: Record<string, unknown>;
}

async function answerOf(
  context: RequestContext,
  device: string,
  payload: Uint8Array,
): Promise<Answer> {
  let requestId: string | undefined;
  try {
    const value = parse(payload);
    requestId = requestIdOf(value);
    const parsed = deviceRequest.safeParse(value);
    if (!parsed.success) throw refusalOf(parsed.error);
    const { room, epoch, after, limit } = parsed.data;
    const principal = await context.devices.principal(device);
    if (principal === undefined) throw new ConfabError("unauthenticated");
    const cursor = epoch === undefined ? { after } : { epoch, after };
    const page = await context.actions.log(principal, room, cursor, limit);
    const entries = fitting(page.entries);
    const hasMore = page.hasMore || entries.length < page.entries.length;
    const { head } = page;
    return { requestId, answer: { room, epoch: page.epoch, head, entries, hasMore } };
  } catch (cause) {
    const error = cause instanceof ConfabError ? cause : new ConfabError("internal");
    if (error.code === "internal") {
      context.log.error("A device's request failed", { device, error: cause });
    }
    const told = {
      code: error.code,
      message: error.message,
      ...(error.retryAfter === undefined ? {} : { retryAfter: error.retryAfter }),
    };
    const entry = { ...told, topic: context.topics.requests(device) };
    return { requestId, answer: requestId === undefined ? entry : { error: told } };
  }
}

function parse(payload: Uint8Array): unknown {
  try {
    return JSON.parse(decodeText(payload));
  } catch (error) {
    if (error instanceof ConfabError) throw error;
    throw new ConfabError("invalid_json", undefined, { cause: error });
  }
}

function requestIdOf(value: unknown): string | undefined {
  const parsed = z.object({ requestId: deviceRequest.shape.requestId }).safeParse(value);
  return parsed.success ? parsed.data.requestId : undefined;
}

/** The first entries that fit together, at least one. */
function fitting(entries: LogEntry[]): LogEntry[] {
  let bytes = 0;
  const end = entries.findIndex((entry) => {
    bytes += utf8Length(JSON.stringify(entry));
    return bytes > MAX_ENTRIES_BYTES;
  });
  return end === -1 ? entries : entries.slice(0, Math.max(1, end));
}
