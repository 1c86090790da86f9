import type { LogEntry, PrincipalId } from "../lib/protocol.ts";
import { type CommandPublish, commandPublish } from "./command_publish.ts";
import type { Topics } from "./topics.ts";

/** What an entry says to one device in particular, besides being an entry for all. */
export interface Addressed extends CommandPublish {
  device: PrincipalId;
}

/**
 * A command is published to the device that shall obey it, unless it is settled or its time is
 * over. It comes from the log, so a bridge that takes over goes on where the other stopped: at
 * least once, in order. (What is desired of a device comes from its table: `Desired`.)
 */
export function addressedBy(
  { room, seq, event }: LogEntry,
  topics: Topics,
  now: number,
): Addressed | undefined {
  const command = event.type === "message.created" ? event.message.command : undefined;
  if (command?.status !== "queued") return undefined;
  const from = { id: event.actor.id, name: event.actor.name };
  const publish = commandPublish({ ...command, room, seq, from }, topics, now);
  return publish && { device: command.device, ...publish };
}
