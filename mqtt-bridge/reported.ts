import { deviceReported } from "../lib/device_schemas.ts";
import { ConfabError } from "../lib/errors.ts";
import { type Metadata, type PrincipalId, type RoomId, SIZES } from "../lib/protocol.ts";
import { utf8Length } from "../lib/schemas.ts";
import type { RoomWork } from "./device_work.ts";
import { decodeText, refusalOf } from "./payload.ts";
import type { BridgeActions } from "./ports.ts";

/** A device has reported something new; `deltaChanged`: it has more, less or else to do. */
export type OnReported = (
  room: RoomId,
  device: PrincipalId,
  change: { deltaChanged: boolean },
) => void;

/**
 * Takes what devices report: each publish is the whole state, an empty one says nothing any more.
 * What is so already changes nothing, so a retained one may be shown again and again.
 */
export function reportedHandler(
  { actions, onReported }: {
    actions: Pick<BridgeActions, "report">;
    onReported: OnReported;
  },
): (work: RoomWork) => Promise<void> {
  return async ({ device, room, delivery }) => {
    try {
      const reported = readReported(delivery.payload);
      const { changed, deltaChanged } = await actions.report(device.id, room, reported);
      if (changed) onReported(room, device.id, { deltaChanged });
    } catch (error) {
      if (error instanceof ConfabError && error.code === "outcome_unknown") {
        // It may be stored: then the repeat finds nothing new.
        onReported(room, device.id, { deltaChanged: true });
      }
      throw error;
    }
  };
}

/**
 * The state of a payload; undefined: none.
 *
 * @throws {ConfabError} `invalid_utf8`, `invalid_json`, `invalid_request`, `payload_too_large`
 */
export function readReported(payload: Uint8Array): Metadata | undefined {
  if (payload.length === 0) return undefined;
  const text = decodeText(payload);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new ConfabError("invalid_json", undefined, { cause });
  }
  if (utf8Length(JSON.stringify(value)) > SIZES.stateBytes) {
    throw new ConfabError("payload_too_large");
  }
  const parsed = deviceReported.safeParse(value);
  if (!parsed.success) throw refusalOf(parsed.error);
  return parsed.data;
}
