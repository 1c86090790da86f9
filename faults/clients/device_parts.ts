import { CommandDuty } from "./command_duty.ts";
import type { DevicePartMaker } from "./device_part.ts";
import { StateDuty } from "./state_duty.ts";

/** What every device of a run does beside sending messages and following rooms. */
export const DEVICE_PARTS: readonly DevicePartMaker[] = [
  (voice) => new CommandDuty(voice),
  (voice) => new StateDuty(voice),
];
