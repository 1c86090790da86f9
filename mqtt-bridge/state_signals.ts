import type { PrincipalId, RoomId } from "../lib/protocol.ts";
import type { BridgeActions, StateKey } from "./ports.ts";

const BATCH = 100;

/**
 * Tells those who look at a room what its devices report: the last of everything since the tick
 * before, however much a device says.
 */
export class StateSignals {
  readonly #changed = new Map<string, StateKey>();

  constructor(private readonly actions: Pick<BridgeActions, "signalStates">) {}

  changed(room: RoomId, device: PrincipalId): void {
    this.#changed.set(`${room}/${device}`, { room, device });
  }

  /** Signals may be lost: what fails is not tried again. */
  async tick(): Promise<void> {
    const keys = [...this.#changed.values()];
    this.#changed.clear();
    for (let i = 0; i < keys.length; i += BATCH) {
      await this.actions.signalStates(keys.slice(i, i + BATCH));
    }
  }
}
