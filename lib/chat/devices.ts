import { type DeviceSecrets, deviceUsername } from "../auth/devices.ts";
import type { Principal } from "../auth/principal.ts";
import { ConfabError } from "../errors.ts";
import { newId } from "../ids.ts";
import type { PrincipalId } from "../protocol.ts";
import { deleteMember } from "../store/changes.ts";
import * as store from "../store/devices.ts";
import { announceChange } from "./announce.ts";
import type { ChatContext } from "./context.ts";
import { decodeCursor, type List, listOf } from "../lists.ts";

/** A device as its owner sees it. */
export interface Device {
  id: PrincipalId;
  name: string;
  createdAt: string;
  /** It has no access until it is enabled again. */
  disabledAt?: string;
  /** The secret before the last rotation is good until then. */
  formerSecretUntil?: string;
  /** A person's own credentials: it speaks as its owner. */
  kind: DeviceKind;
}

/** A device is a member of rooms itself; a person's credentials speak as their owner. */
export type DeviceKind = "device" | "person";

/** A device with its newest login, for those who make its credentials. */
export interface DeviceWithGeneration {
  device: Device;
  generation: number;
  username: string;
}

/** Devices that one person may have. */
export const MAX_DEVICES = 1000;

function shown(device: store.StoredDevice): Device {
  const { id, name, createdAt, disabledAt, former } = device;
  return {
    id,
    name,
    kind: device.personal ? "person" : "device",
    createdAt: createdAt.toISOString(),
    ...(disabledAt === undefined ? {} : { disabledAt: disabledAt.toISOString() }),
    ...(former === undefined ? {} : { formerSecretUntil: former.until.toISOString() }),
  };
}

/** What is said of a device together with its newest secret. */
export function withGeneration(device: store.StoredDevice): DeviceWithGeneration {
  const { id, generation } = device;
  return { device: shown(device), generation, username: deviceUsername(id, device) };
}

function found(device: store.StoredDevice | undefined): store.StoredDevice {
  if (device === undefined) throw new ConfabError("not_found");
  return device;
}

/**
 * Makes a device that belongs to `owner`, or (`person`) MQTT credentials with which the owner speaks;
 * `forbidden` for guests, devices and beyond 1,000.
 */
export async function createDevice(
  context: ChatContext,
  owner: Principal,
  name: string,
  kind: DeviceKind = "device",
): Promise<DeviceWithGeneration> {
  if (owner.kind !== "user") throw new ConfabError("forbidden");
  const made = await store.createDevice(
    context.db,
    newId(),
    owner.id,
    name,
    MAX_DEVICES,
    kind === "person",
  );
  if (made === undefined) {
    throw new ConfabError("forbidden", `One person may have at most ${MAX_DEVICES} devices`);
  }
  context.bus.revoke({ device: made.id });
  return withGeneration(made);
}

/** The devices of `owner`. */
export async function listDevices(
  context: ChatContext,
  owner: Principal,
  page: { cursor?: string; limit: number },
): Promise<List<Device>> {
  const after = page.cursor === undefined ? null : decodeCursor(page.cursor, 1)[0]!;
  const devices = await store.listDevices(context.db, owner.id, after, page.limit + 1);
  return listOf(devices.map(shown), page.limit, (device) => [device.id]);
}

/** One device of `owner`. Throws `not_found`. */
export async function getDevice(
  context: ChatContext,
  owner: Principal,
  id: PrincipalId,
): Promise<Device> {
  return shown(found(await store.readDevice(context.db, id, owner.id)));
}

/** Gives a device another name. Throws `not_found`. */
export async function renameDevice(
  context: ChatContext,
  owner: Principal,
  id: PrincipalId,
  name: string,
): Promise<Device> {
  return shown(found(await store.renameDevice(context.db, id, owner.id, name)));
}

/**
 * Replaces a device's secret. The former one is good for `graceSeconds` more; with 0 it ends at
 * once, and so do the live sessions. With a grace it may be repeated: while the former secret is
 * good, the answer is the same new one. Throws `not_found`.
 */
export async function rotateDevice(
  context: ChatContext,
  owner: Principal,
  id: PrincipalId,
  graceSeconds = 0,
): Promise<DeviceWithGeneration> {
  const rotated = found(await store.rotateDevice(context.db, id, owner.id, graceSeconds));
  context.bus.revoke(graceSeconds === 0 ? { principal: id } : { device: id });
  return withGeneration(rotated);
}

/**
 * Ends the former secret and its live session before its grace is over; the present secret stays.
 * Once more changes nothing. Throws `not_found`.
 */
export async function endFormerSecret(
  context: ChatContext,
  owner: Principal,
  id: PrincipalId,
): Promise<Device> {
  const device = found(await store.endFormerSecret(context.db, id, owner.id));
  context.bus.revoke({ device: id });
  return shown(device);
}

/**
 * Ends a device's access until it is enabled again: its sessions end, its sends are refused, its
 * feed stops. It stays a member of its rooms. Throws `not_found`.
 */
export async function disableDevice(
  context: ChatContext,
  owner: Principal,
  id: PrincipalId,
): Promise<Device> {
  const device = found(await store.disableDevice(context.db, id, owner.id));
  context.bus.revoke({ principal: id });
  return shown(device);
}

/** Gives a disabled device its access back, with the same secret. Throws `not_found`. */
export async function enableDevice(
  context: ChatContext,
  owner: Principal,
  id: PrincipalId,
): Promise<Device> {
  const device = found(await store.enableDevice(context.db, id, owner.id));
  context.bus.revoke({ device: id });
  return shown(device);
}

/** Ends a device for good: its sessions, its memberships, its credentials. Throws `not_found`. */
export async function deleteDevice(
  context: ChatContext,
  owner: Principal,
  id: PrincipalId,
): Promise<void> {
  found(await store.readDevice(context.db, id, owner.id));
  for (const room of await store.roomsOf(context.db, id)) {
    // It leaves; one that is disabled acts no more and is removed.
    for (const actor of [id, owner.id]) {
      const { outcome, seq, first } = await deleteMember(context.db, room, actor, id);
      if (outcome === "ok") await announceChange(context, room, seq!, first);
      if (outcome === "ok" || outcome === "duplicate") break;
    }
  }
  if (!await store.endDevice(context.db, id, owner.id)) throw new ConfabError("not_found");
  context.bus.revoke({ principal: id });
}

/** As who a device acts, and which of its secrets are good; undefined when it is disabled. */
export async function liveDevice(
  context: ChatContext,
  id: PrincipalId,
): Promise<{ principal: Principal } & DeviceSecrets | undefined> {
  const live = await store.readLiveDevice(context.db, id);
  if (live === undefined) return undefined;
  const { device: { generation, plainGeneration, former }, principal } = live;
  return { principal, generation, plainGeneration, ...(former === undefined ? {} : { former }) };
}
