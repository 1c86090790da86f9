import type { Log } from "../log.ts";
import { LocalDelivery } from "./local.ts";
import type { Bus } from "./mod.ts";

/**
 * The bus of a single process: delivers before the call returns and is never down. Tests may give
 * one bus to several hubs, which then are each other's nodes.
 */
export function createMemoryBus({ log }: { log?: Log } = {}): Bus {
  const local = new LocalDelivery(log);
  return {
    publish: (entries) => local.entries(entries),
    announce: (room, head) => local.head(room, head),
    signal: (room, signal) => local.signal(room, signal),
    serve: (room, sink) => Promise.resolve(local.add(room, sink)),
    revoke: (revocation) => local.revoked(revocation),
    listen(listener) {
      local.listen(listener);
      queueMicrotask(() => listener.connected(true));
    },
    [Symbol.asyncDispose]() {
      local.clear();
      return Promise.resolve();
    },
  };
}
