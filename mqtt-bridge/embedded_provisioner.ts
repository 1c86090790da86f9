import { deviceLogins } from "../lib/auth/devices.ts";
import type { DeviceCredential, Provisioner } from "./ports.ts";

/**
 * The provisioning of the embedded broker, which asks for each sign-in: what signed in with a
 * secret that is not good any more is ended.
 */
export class EmbeddedProvisioner implements Provisioner {
  /** The usernames of each device that were good when it was looked at last. */
  readonly #usernames = new Map<string, string>();

  /** `kick` ends what a device is connected with, except under the usernames that are still good. */
  constructor(private readonly kick: (device: string, good: readonly string[]) => void) {}

  differing(devices: DeviceCredential[]): Promise<string[]> {
    const needless = new Set(this.#usernames.keys());
    const differing: string[] = [];
    for (const device of devices) {
      if (!device.disabled) needless.delete(device.id);
      if (this.#usernames.get(device.id) !== usernamesOf(device).join()) differing.push(device.id);
    }
    return Promise.resolve([...new Set([...needless, ...differing])]);
  }

  apply(devices: DeviceCredential[]): Promise<void> {
    for (const device of devices) {
      const good = usernamesOf(device);
      this.kick(device.id, good);
      if (good.length === 0) this.#usernames.delete(device.id);
      else this.#usernames.set(device.id, good.join());
    }
    return Promise.resolve();
  }
}

function usernamesOf(device: DeviceCredential): string[] {
  return device.disabled ? [] : deviceLogins(device.id, device).map(({ username }) => username);
}
