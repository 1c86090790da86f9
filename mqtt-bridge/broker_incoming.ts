import type { Aedes } from "aedes";

// The in-memory persistence of aedes 2.0.0-beta.1, as far as it is replaced here.
interface Persistence {
  incomingStorePacket(client: { id: string }, packet: { messageId: number }): Promise<void>;
  incomingGetPacket(client: { id: string }, packet: { messageId: number }): Promise<unknown>;
  incomingDelPacket(client: { id: string }, packet: { messageId: number }): Promise<void>;
}

/**
 * Bounds what aedes keeps of QoS 2 messages until their PUBREL: the message id alone, since the
 * message has been published by then, at most `max` of one client, and nothing after its session.
 * Its own persistence keeps each whole message, of clients that are gone too, and a PUBREL that
 * comes twice ends the process.
 */
export function boundIncoming(broker: Aedes, max = 1000): void {
  const waiting = new Map<string, Set<number>>();
  const { persistence } = broker as unknown as { persistence: Persistence };
  persistence.incomingStorePacket = ({ id }, { messageId }) => {
    const ids = waiting.get(id) ?? new Set();
    if (ids.size >= max) return Promise.reject(new Error("Too many messages wait for PUBREL"));
    waiting.set(id, ids.add(messageId));
    return Promise.resolve();
  };
  persistence.incomingGetPacket = ({ id }, { messageId }) =>
    waiting.get(id)?.has(messageId)
      ? Promise.resolve({ messageId })
      : Promise.reject(new Error("No such packet"));
  persistence.incomingDelPacket = ({ id }, { messageId }) => {
    const ids = waiting.get(id);
    ids?.delete(messageId);
    if (ids?.size === 0) waiting.delete(id);
    return Promise.resolve();
  };
  broker.on("clientDisconnect", ({ id, clean }) => {
    if (clean) waiting.delete(id);
  });
}
