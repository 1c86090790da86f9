import { base64url } from "jose";
import { isId } from "../ids.ts";
import { equalBytes } from "./equal_bytes.ts";

/** Which secrets of a device are good. */
export interface DeviceSecrets {
  generation: number;
  /** The generation whose username is the plain id. */
  plainGeneration: number;
  /** The secret before, while it is good beside the new one. */
  former?: { generation: number };
}

/** One secret as a broker knows it. */
export interface DeviceLogin {
  username: string;
  generation: number;
}

/**
 * The MQTT password of a device: base64url of HMAC-SHA-256(device key, "device:<id>:<generation>"),
 * 43 characters, 256 bits.
 *
 * Secrets are derived, not stored, because brokers keep their own copy of credentials: whoever
 * reconciles a broker with the devices table must be able to say again what each secret is, also
 * after the broker lost everything. So a copy of the database gives nobody a secret, and raising
 * the device's `generation` replaces one secret without touching the others.
 */
export async function deviceSecret(
  deviceKey: CryptoKey,
  deviceId: string,
  generation: number,
): Promise<string> {
  const text = new TextEncoder().encode(`device:${deviceId}:${generation}`);
  return base64url.encode(new Uint8Array(await crypto.subtle.sign("HMAC", deviceKey, text)));
}

/** Whether `secret` is the device's secret of this generation, in a time that tells nothing about it. */
export async function checkDeviceSecret(
  deviceKey: CryptoKey,
  deviceId: string,
  generation: number,
  secret: string,
): Promise<boolean> {
  const encoder = new TextEncoder();
  const expected = encoder.encode(await deviceSecret(deviceKey, deviceId, generation));
  const given = encoder.encode(secret);
  return equalBytes(given, expected);
}

/**
 * The MQTT username that goes with a secret. A broker keeps one password per username, so two
 * secrets that are good at once have two: the plain id for one generation (the first; of devices
 * that are older than this rule, the one they had then), `<id>.<generation>` for every other.
 */
export function deviceUsername(
  deviceId: string,
  { generation, plainGeneration }: Pick<DeviceSecrets, "generation" | "plainGeneration">,
): string {
  return generation === plainGeneration ? deviceId : `${deviceId}.${generation}`;
}

/** The device that a username is one of; undefined when it is nobody's. */
export function deviceOfUsername(username: string): string | undefined {
  const [id = "", generation] = username.split(".", 2);
  if (!isId(id)) return undefined;
  if (username === id) return id;
  const known = generation !== undefined && /^[1-9]\d{0,9}$/.test(generation);
  return known && username === `${id}.${generation}` ? id : undefined;
}

/** All that a device may sign in with, the newest first. */
export function deviceLogins(deviceId: string, secrets: DeviceSecrets): DeviceLogin[] {
  const { generation, former, plainGeneration } = secrets;
  const good = former === undefined ? [generation] : [generation, former.generation];
  return good.map((generation) => ({
    username: deviceUsername(deviceId, { generation, plainGeneration }),
    generation,
  }));
}

/** Whether a device may sign in with this username and password. */
export async function checkDeviceLogin(
  deviceKey: CryptoKey,
  deviceId: string,
  secrets: DeviceSecrets,
  { username, password }: { username: string; password: string },
): Promise<boolean> {
  const login = deviceLogins(deviceId, secrets).find((one) => one.username === username);
  if (login === undefined) return false;
  return await checkDeviceSecret(deviceKey, deviceId, login.generation, password);
}
