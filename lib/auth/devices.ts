import { base64url } from "jose";
import { equalBytes } from "./equal_bytes.ts";

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
