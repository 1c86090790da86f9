import type { LogEntry, Message } from "../protocol.ts";

/** The message as `viewer` may see it: the clientId is the sender's own. */
export function messageForViewer(message: Message, viewer: string): Message {
  if (message.sender.id === viewer || message.clientId === undefined) return message;
  const { clientId: _, ...shown } = message;
  return shown;
}

/** The entry as `viewer` may see it; pass no viewer for "somebody else than the sender". */
export function forViewer(entry: LogEntry, viewer = ""): LogEntry {
  const { event } = entry;
  if (!("message" in event) || event.message.clientId === undefined) return entry;
  if (event.message.sender.id === viewer) return entry;
  return { ...entry, event: { ...event, message: messageForViewer(event.message, viewer) } };
}
