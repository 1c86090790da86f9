import { createLog } from "../lib/log.ts";
import type { DeviceCredential } from "../mqtt-bridge/ports.ts";
import type { DynamicSecurity } from "../mqtt-bridge/provisioning.ts";
import { Roster } from "../mqtt-bridge/roster.ts";

/** A table of devices in memory, as the bridge reads them. */
export class CredentialTable {
  readonly #devices = new Map<string, DeviceCredential>();

  get all(): DeviceCredential[] {
    return [...this.#devices.values()];
  }

  put(id: string, generation: number): DeviceCredential {
    const credential = { id, generation, plainGeneration: 1, disabled: false };
    this.#devices.set(id, credential);
    return credential;
  }

  /** Has a broker follow the table; `made` is told the generation that it has of each device. */
  follow(dynsec: DynamicSecurity, made: Map<string, number>): RunningRoster {
    const end = new AbortController();
    const roster = new Roster({
      store: {
        devices: () => Promise.resolve(this.all),
        devicesOf: (ids) => Promise.resolve(ids.flatMap((id) => this.#devices.get(id) ?? [])),
      },
      provisioner: {
        differing: (devices) => dynsec.differing(devices),
        async apply(devices) {
          await dynsec.apply(devices);
          for (const { id, generation } of devices) made.set(id, generation);
        },
      },
      log: createLog("warn"),
      beaconSeconds: 3600,
      signal: end.signal,
      onChanged: () => {},
      onReturned: () => Promise.resolve(),
    });
    const running = roster.run();
    return {
      roster,
      async stop() {
        end.abort();
        await running;
      },
    };
  }
}

/** A roster at work. */
export interface RunningRoster {
  roster: Roster;
  stop(): Promise<void>;
}
