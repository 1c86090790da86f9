import type { Principal } from "../auth/principal.ts";
import { ConfabError } from "../errors.ts";
import type { DeviceStatus, PrincipalId } from "../protocol.ts";
import type { LeaseKey } from "../store/bridge_lease.ts";
import * as store from "../store/device_presence.ts";
import type { ChatContext } from "./context.ts";
import { publicError } from "./outcome.ts";
import { hintPresence } from "./presence.ts";

/**
 * Whether a device is there, as it said itself, for its owner and for those who are in a room with
 * it; `not_found` for others.
 */
export async function deviceStatus(
  { db }: Pick<ChatContext, "db">,
  viewer: Principal,
  device: PrincipalId,
): Promise<DeviceStatus> {
  const found = await store.readStatus(db, device, viewer.id);
  if (found === undefined) throw new ConfabError("not_found");
  return {
    ...found,
    since: found.since?.toISOString() ?? null,
    lastSeen: found.lastSeen?.toISOString() ?? null,
  };
}

/**
 * Says that a device of `owner` should be heard every so many seconds, or (null) that nothing is
 * expected of it any more. Throws `not_found`.
 */
export async function expectDevice(
  context: Pick<ChatContext, "db">,
  owner: Principal,
  device: PrincipalId,
  seconds: number | null,
): Promise<DeviceStatus> {
  if (!await store.expectDevice(context.db, device, owner.id, seconds)) {
    throw new ConfabError("not_found");
  }
  return await deviceStatus(context, owner, device);
}

/** No device is connected anywhere, whatever they said before: the only broker has just begun. */
export async function endAllStays({ db, log }: Pick<ChatContext, "db" | "log">): Promise<void> {
  const ended = await store.endAllStays(db);
  if (ended > 0) log.info("Devices are offline until they come back", { ended });
}

/** What the bridge keeps of whether devices are there; without presence (`shown` false) no leases. */
export function deviceStatuses({ db, bus, presence }: ChatContext, { shown }: { shown: boolean }) {
  return {
    presence: shown ? presence.another() : undefined,
    hint: (devices: PrincipalId[]) => hintPresence(bus, devices),
    say: (
      lease: LeaseKey,
      device: PrincipalId,
      said: { online: boolean; session?: number | string },
      heard: boolean,
    ): Promise<store.SaidStatus | undefined> =>
      // Said again, it changes nothing: whatever became of it, it may be tried once more.
      store.sayStatus(db, lease, device, said, heard).catch((error) => {
        throw publicError(error, true);
      }),
    online: (after: PrincipalId | null, limit: number) => store.readOnlineDevices(db, after, limit),
    saveHeard: (lease: LeaseKey, heard: store.HeardDevices) => store.saveHeard(db, lease, heard),
  };
}
