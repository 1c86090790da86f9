import type { Aedes } from "aedes";

// The in-memory persistence of aedes 2.0.0-beta.1, as far as it is bounded here.
interface Persistence {
  outgoingEnqueueCombi(subscriptions: { clientId: string }[], packet: unknown): Promise<void>;
  outgoingUpdate(client: { id: string }, packet: unknown): Promise<void>;
  outgoingClearMessageId(client: { id: string }, packet: unknown): Promise<unknown>;
}

/**
 * Bounds what aedes keeps in memory for clients that are away or do not acknowledge: beyond
 * `limitOf(clientId)` messages nothing more is queued for that client (a present client is still
 * sent them). Its own persistence has no bound. `onShorter` is told when one was acknowledged.
 * Returns how many messages wait for a client.
 */
export function boundQueues(
  broker: Aedes,
  limitOf: (clientId: string) => number,
  onShorter: (clientId: string) => void,
): (clientId: string) => number {
  const waiting = new Map<string, number>();
  // Aedes does not declare the property, but documents the interface for custom persistences.
  const persistence = (broker as unknown as { persistence: Persistence }).persistence;
  const enqueue = persistence.outgoingEnqueueCombi.bind(persistence);
  const update = persistence.outgoingUpdate.bind(persistence);
  const clear = persistence.outgoingClearMessageId.bind(persistence);
  persistence.outgoingEnqueueCombi = (subscriptions, packet) => {
    const room = subscriptions.filter(({ clientId }) =>
      (waiting.get(clientId) ?? 0) < limitOf(clientId)
    );
    for (const { clientId } of room) waiting.set(clientId, (waiting.get(clientId) ?? 0) + 1);
    return enqueue(room, packet);
  };
  // Fails for a packet that was not queued; it is delivered all the same.
  persistence.outgoingUpdate = (client, packet) => update(client, packet).catch(() => {});
  persistence.outgoingClearMessageId = async (client, packet) => {
    const cleared = await clear(client, packet);
    if (cleared !== undefined) {
      const left = (waiting.get(client.id) ?? 1) - 1;
      if (left > 0) waiting.set(client.id, left);
      else waiting.delete(client.id);
      onShorter(client.id);
    }
    return cleared;
  };
  return (clientId) => waiting.get(clientId) ?? 0;
}
