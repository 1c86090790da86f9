import type { Plant } from "./plant.ts";
import { BRIDGING } from "./plants/bridging.ts";
import { COMMANDING } from "./plants/commanding.ts";
import { METERING } from "./plants/metering.ts";
import { SERVING } from "./plants/serving.ts";
import { STORING } from "./plants/storing.ts";

/** Every planted bug. */
export const PLANTS: readonly Plant[] = [
  ...STORING,
  ...SERVING,
  ...BRIDGING,
  ...COMMANDING,
  ...METERING,
];
