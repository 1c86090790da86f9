import type { DevicePresence } from "./device_presence.ts";
import type { Handlers } from "./device_work.ts";
import type { BridgeActions, Publisher } from "./ports.ts";
import { replyHandler } from "./replies.ts";
import { type OnReported, reportedHandler } from "./reported.ts";
import type { Telemetry } from "./telemetry.ts";
import type { Topics } from "./topics.ts";

/** What the bridge does with publishes that are neither messages nor requests. */
export function handlersOf(o: {
  actions: BridgeActions;
  presence: Pick<DevicePresence, "say"> | undefined;
  telemetry: Pick<Telemetry, "accept"> | undefined;
  publisher: Publisher;
  topics: Topics;
  onReported: OnReported;
}): Handlers {
  const { presence, telemetry } = o;
  return {
    ...(presence &&
      { status: ({ delivery }) => presence.say(o.topics.ownerOf(delivery.topic)!, delivery) }),
    ...(telemetry && { telemetry: (work) => telemetry.accept(work) }),
    reported: reportedHandler(o),
    replies: replyHandler(o),
  };
}
