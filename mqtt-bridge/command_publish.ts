import type { PublishOptions, QueuedCommand } from "./ports.ts";
import type { Topics } from "./topics.ts";

/** A publish to one device. */
export interface CommandPublish {
  topic: string;
  payload: string;
  options: PublishOptions;
}

const encoder = new TextEncoder();

/**
 * The publish of a command: `{commandId, room, seq, name, args, from, expiresAt}`, in MQTT 5 with
 * where and under which correlation data it is answered, and for how long a broker keeps it.
 * Undefined when its time is over at `now`, by the clock that has set it, which is the database's.
 */
export function commandPublish(
  command: QueuedCommand,
  topics: Topics,
  now: number,
): CommandPublish | undefined {
  const { id: commandId, device, room, seq, name, args, from, expiresAt } = command;
  const leftMs = Date.parse(expiresAt) - now;
  if (leftMs <= 0) return undefined;
  return {
    topic: topics.commands(device),
    payload: JSON.stringify({ commandId, room, seq, name, args, from, expiresAt }),
    options: {
      responseTopic: topics.replies(device),
      correlationData: encoder.encode(commandId),
      messageExpirySeconds: Math.ceil(leftMs / 1000),
    },
  };
}
