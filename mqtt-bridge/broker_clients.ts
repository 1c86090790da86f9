import { hash } from "node:crypto";
import { deviceLogins } from "../lib/auth/devices.ts";
import type { DeviceCredential } from "./ports.ts";

/** A client of a broker, as it should be: one for each secret of a device that is good. */
export interface BrokerClient {
  username: string;
  clientid: string;
  password: string;
  /** Says which generation of the secret this is, with a digest of it. */
  textname: string;
}

/** The password of a device. */
export type SecretOf = (device: { id: string; generation: number }) => Promise<string>;

/** The clients that a broker should have for a device; none when its access has ended. */
export async function brokerClients(
  device: DeviceCredential,
  secretOf: SecretOf,
): Promise<BrokerClient[]> {
  const { id, disabled } = device;
  const clients: BrokerClient[] = [];
  for (const { username, generation } of disabled ? [] : deviceLogins(id, device)) {
    const password = await secretOf({ id, generation });
    const digest = hash("sha256", `confab broker credential ${password}`).slice(0, 16);
    const textname = `confab device, generation ${generation}, ${digest}`;
    clients.push({ username, clientid: id, password, textname });
  }
  return clients;
}
