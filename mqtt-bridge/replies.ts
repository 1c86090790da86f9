import { ConfabError } from "../lib/errors.ts";
import type { OwnWork } from "./device_work.ts";
import type { BridgeActions, Publisher } from "./ports.ts";
import { keyOf, readReply } from "./reply_payload.ts";
import type { Topics } from "./topics.ts";

/** What taking replies works with. */
export interface ReplyOptions {
  actions: Pick<BridgeActions, "answerCommand">;
  publisher: Publisher;
  topics: Topics;
}

/**
 * Takes what devices say became of commands. The first reply to a command is stored as its answer;
 * every repeat is answered with the receipt of the first. Refused are replies to commands that are
 * not the device's own (`not_found`), or that have expired or been cancelled (`command_settled`).
 */
export function replyHandler({ actions, publisher, topics }: ReplyOptions) {
  return async ({ device, delivery }: OwnWork): Promise<void> => {
    const reply = readReply(delivery.payload, delivery.properties);
    const stored = await actions.answerCommand(device, reply);
    const receipt = JSON.stringify({ clientId: keyOf(reply.commandId), ...stored });
    const { correlationData } = delivery.properties;
    await publisher.publish(
      topics.receipts(device.id),
      receipt,
      correlationData === undefined ? {} : { correlationData },
    ).catch((error) => {
      // The answer is stored: a broker that does not want the receipt does not undo it.
      if (!(error instanceof ConfabError) || error.code !== "forbidden") throw error;
    });
  };
}
