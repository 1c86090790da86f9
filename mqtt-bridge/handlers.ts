import type { DevicePresence } from "./device_presence.ts";
import type { Handlers } from "./device_work.ts";
import type { BridgeActions } from "./ports.ts";

/** What the bridge does with publishes that are neither messages nor requests. */
export function handlersOf(
  { presence }: {
    actions: BridgeActions;
    presence: Pick<DevicePresence, "say"> | undefined;
  },
): Handlers {
  return {
    ...(presence && { status: ({ device, delivery }) => presence.say(device.id, delivery) }),
  };
}
