import type { DeviceCredential, Provisioner } from "./ports.ts";

/** The provisioning of the embedded broker, which asks for each sign-in: old sessions are ended. */
export class EmbeddedProvisioner implements Provisioner {
  readonly #generations = new Map<string, number>();

  constructor(private readonly kick: (device: string) => void) {}

  reconcile(devices: DeviceCredential[]): Promise<void> {
    const gone = new Set(this.#generations.keys());
    for (const device of devices) {
      if (!device.disabled) gone.delete(device.id);
      this.#apply(device);
    }
    for (const id of gone) this.#apply({ id, generation: 0, disabled: true });
    return Promise.resolve();
  }

  ensure(device: DeviceCredential): Promise<void> {
    this.#apply(device);
    return Promise.resolve();
  }

  #apply({ id, generation, disabled }: DeviceCredential): void {
    const before = this.#generations.get(id);
    if (disabled) this.#generations.delete(id);
    else this.#generations.set(id, generation);
    if (disabled || (before !== undefined && before !== generation)) this.kick(id);
  }
}
