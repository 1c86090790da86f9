import type { LogEntry, PrincipalId, RoomId } from "../lib/protocol.ts";
import { concealBefore } from "../lib/store/entry_rows.ts";

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
  /** Undefined until read: the devices at the cursor, and from which seq on each sees the room. */
  devices: Map<PrincipalId, number> | undefined;
  /** Somebody may be missing in `devices`, who was disabled when they were read. */
  stale = false;
  /** The same, somewhat later: an entry with which a device comes does not say what it may see. */
  joiners: ReadonlyMap<PrincipalId, number> = new Map();
  /** Its entries are being delivered. */
  busy = false;
  /** It is not looked after any more. */
  dropped = false;
  unwatch: (() => void) | undefined;

  constructor(readonly id: RoomId) {}

  /**
   * Applies one entry to the membership and says who gets it: a device from its own joining on,
   * up to and with its own going. `gone` is the device that this entry took out.
   */
  apply(entry: LogEntry): { outgoing: Outgoing[]; gone: PrincipalId | undefined } {
    const devices = this.devices!;
    const { event } = entry;
    const joined = joinedDevice(entry);
    // One that has gone since has no membership to look at: it counts as seeing all.
    if (joined !== undefined) devices.set(joined, this.joiners.get(joined) ?? 1);
    const message = "message" in event ? event.message : undefined;
    const forAll = devices.size > 0 ? encode(withoutClientId(entry)) : "";
    const outgoing = [...devices].map(([device, visibleFrom]) => {
      if (message !== undefined && message.seq < visibleFrom) {
        return { device, payload: encode(withoutClientId(concealBefore(entry, visibleFrom))) };
      }
      return { device, payload: device === message?.sender.id ? encode(entry) : forAll };
    });
    let gone: PrincipalId | undefined;
    if (event.type === "member.left" || event.type === "member.removed") {
      if (event.principal.kind === "device") gone = event.principal.id;
      devices.delete(event.principal.id);
    }
    return { outgoing, gone };
  }
}

/** The device that came with this entry. */
export function joinedDevice({ event }: LogEntry): PrincipalId | undefined {
  if (event.type !== "member.joined" || event.member.principal.kind !== "device") return undefined;
  return event.member.principal.id;
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
