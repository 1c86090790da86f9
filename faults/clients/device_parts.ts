import type { DevicePartMaker } from "./device_part.ts";

/** What every device of a run does beside sending messages and following rooms. */
export const DEVICE_PARTS: readonly DevicePartMaker[] = [];
