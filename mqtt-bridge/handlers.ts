import type { Handlers } from "./device_work.ts";
import type { BridgeActions } from "./ports.ts";

/** What the bridge does with publishes that are neither messages nor requests. */
export function handlersOf(_o: { actions: BridgeActions }): Handlers {
  return {};
}
