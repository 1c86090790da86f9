import type { DevicePresence } from "./device_presence.ts";
import type { Handlers } from "./device_work.ts";
import type { BridgeActions } from "./ports.ts";
import { type OnReported, reportedHandler } from "./reported.ts";

/** What the bridge does with publishes that are neither messages nor requests. */
export function handlersOf(o: {
  actions: BridgeActions;
  presence: Pick<DevicePresence, "say"> | undefined;
  onReported: OnReported;
}): Handlers {
  const { presence } = o;
  return {
    ...(presence && { status: ({ device, delivery }) => presence.say(device.id, delivery) }),
    reported: reportedHandler(o),
  };
}
