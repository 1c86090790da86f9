import { pause } from "../lib/backoff.ts";
import type { PrincipalId, RoomId } from "../lib/protocol.ts";
import { Desired, type DesiredOptions } from "./desired.ts";
import type { BridgeActions } from "./ports.ts";
import { StateSignals } from "./state_signals.ts";

/** What the states of devices need; one per term of the lease. */
export interface StatesOptions extends DesiredOptions {
  actions: Pick<BridgeActions, "signalStates">;
}

const DESIRED_MS = 1000;
const SIGNALS_MS = 250;

/** The states of devices, both ways: what is desired goes to them, what they report is shown. */
export class States {
  readonly desired: Desired;
  readonly #signals: StateSignals;

  constructor(private readonly o: StatesOptions) {
    this.desired = new Desired(o);
    this.#signals = new StateSignals(o.actions);
  }

  /** Runs until the signal. */
  async run(): Promise<void> {
    await Promise.all([
      this.#each(DESIRED_MS, "Desired states wait", () => this.desired.tick()),
      this.#each(SIGNALS_MS, "Reported states are not signalled", () => this.#signals.tick()),
    ]);
  }

  /** A device has reported something new. */
  reported(room: RoomId, device: PrincipalId, { deltaChanged }: { deltaChanged: boolean }): void {
    this.#signals.changed(room, device);
    // Or the retained one would go on saying what there was to do.
    if (deltaChanged) this.desired.changed(room, device);
  }

  async #each(ms: number, failed: string, work: () => Promise<void>): Promise<void> {
    const { signal, log } = this.o;
    while (!signal.aborted) {
      await pause(ms, signal);
      if (signal.aborted) return;
      await work().catch((error) => log.warn(failed, { error }));
    }
  }
}
