import type { LogEntry, PrincipalId, RoomId } from "../lib/protocol.ts";
import { concealBefore } from "../lib/store/entry_rows.ts";
import type { DeviceMember } from "./ports.ts";

/** A message for one device. */
export interface Outgoing {
  device: PrincipalId;
  payload: string;
}

/**
 * Where the bridge stands in one room: the cursor (everything up to it is with the broker), how
 * far the log is known to reach, and which devices are members at the cursor.
 */
export class OutboundRoom {
  cursor = 0;
  /** The log has entries up to here, as far as it has been told. */
  target = 0;
  saved: number | undefined;
  epoch = "";
  /** Undefined until read: the devices at the cursor. */
  devices: Map<PrincipalId, DeviceMember> | undefined;
  /** Somebody may be missing in `devices`, or too much, whose access has changed. */
  stale = false;
  /** The same, somewhat later: an entry with which a device comes does not say what it may see. */
  joiners: readonly DeviceMember[] = [];
  /** Its entries are being delivered. */
  busy = false;
  /** It is not looked after any more. */
  dropped = false;
  unwatch: (() => void) | undefined;

  constructor(readonly id: RoomId) {}

  /**
   * Applies one entry to the membership and says who gets it: a device from its own joining on,
   * up to and with its own going; one with which a person speaks goes by the person. `gone` are
   * the devices that this entry took out.
   */
  apply(entry: LogEntry): { outgoing: Outgoing[]; gone: PrincipalId[] } {
    const devices = this.devices!;
    const { event } = entry;
    for (const device of this.#joined(entry)) devices.set(device.id, device);
    const message = "message" in event ? event.message : undefined;
    const forAll = devices.size > 0 ? encode(withoutClientId(entry)) : "";
    const outgoing = [...devices.values()].map(({ id: device, member, visibleFrom }) => {
      if (message !== undefined && message.seq < visibleFrom) {
        return { device, payload: encode(withoutClientId(concealBefore(entry, visibleFrom))) };
      }
      return { device, payload: member === message?.sender.id ? encode(entry) : forAll };
    });
    if (event.type !== "member.left" && event.type !== "member.removed") {
      return { outgoing, gone: [] };
    }
    const { id, kind } = event.principal;
    const gone = kind === "device"
      ? [id]
      : [...devices.values()].filter(({ member }) => member === id).map(({ id }) => id);
    for (const device of gone) devices.delete(device);
    return { outgoing, gone };
  }

  #joined({ event }: LogEntry): DeviceMember[] {
    if (event.type !== "member.joined") return [];
    const { id, kind } = event.member.principal;
    const joined = this.joiners.filter(({ member }) => member === id);
    if (joined.length > 0 || kind !== "device") return joined;
    // One that has gone since has no membership to look at: it counts as seeing all. One that is
    // disabled would look the same: who is there is read anew after this page.
    this.stale = true;
    return [{ id, member: id, visibleFrom: 1 }];
  }
}

function encode({ room, epoch, seq, event }: LogEntry): string {
  return JSON.stringify({ room, epoch, seq, event });
}

/** A clientId is its sender's own business. */
function withoutClientId(entry: LogEntry): LogEntry {
  const { event } = entry;
  if (!("message" in event) || event.message.clientId === undefined) return entry;
  const { clientId: _, ...message } = event.message;
  return { ...entry, event: { ...event, message } };
}
