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
}

/** A device with the number of its secret, for those who make its credentials. */
export interface DeviceWithGeneration {
  device: Device;
  generation: number;
}

const MAX_DEVICES = 1000;

function shown({ id, name, createdAt }: store.StoredDevice): Device {
  return { id, name, createdAt: createdAt.toISOString() };
}

function found(device: store.StoredDevice | undefined): store.StoredDevice {
  if (device === undefined) throw new ConfabError("not_found");
  return device;
}

/** Makes a device that belongs to `owner`; `forbidden` for guests, devices and beyond 1,000. */
export async function createDevice(
  context: ChatContext,
  owner: Principal,
  name: string,
): Promise<DeviceWithGeneration> {
  if (owner.kind !== "user") throw new ConfabError("forbidden");
  const made = await store.createDevice(context.db, newId(), owner.id, name, MAX_DEVICES);
  if (made === undefined) {
    throw new ConfabError("forbidden", `One person may have at most ${MAX_DEVICES} devices`);
  }
  context.bus.revoke({ device: made.id });
  return { device: shown(made), generation: made.generation };
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

/** Replaces a device's secret and ends its live sessions. Throws `not_found`. */
export async function rotateDevice(
  context: ChatContext,
  owner: Principal,
  id: PrincipalId,
): Promise<DeviceWithGeneration> {
  const rotated = found(await store.rotateDevice(context.db, id, owner.id));
  context.bus.revoke({ principal: id });
  return { device: shown(rotated), generation: rotated.generation };
}

/** Ends a device: its sessions, its memberships, its credentials. Throws `not_found`. */
export async function deleteDevice(
  context: ChatContext,
  owner: Principal,
  id: PrincipalId,
): Promise<void> {
  found(await store.readDevice(context.db, id, owner.id));
  for (const room of await store.roomsOf(context.db, id)) {
    const { outcome, seq } = await deleteMember(context.db, room, id, id);
    if (outcome === "ok") await announceChange(context, room, seq!);
  }
  if (!await store.disableDevice(context.db, id, owner.id)) throw new ConfabError("not_found");
  context.bus.revoke({ principal: id });
}

/** A device's principal and secret number, for brokers and bridges; undefined when disabled. */
export async function liveDevice(
  context: ChatContext,
  id: PrincipalId,
): Promise<{ principal: Principal; generation: number } | undefined> {
  const device = await store.readLiveDevice(context.db, id);
  return device && {
    principal: { id, kind: "device", name: device.name, role: "device" },
    generation: device.generation,
  };
}
