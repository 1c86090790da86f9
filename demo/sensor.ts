import type { Equipment } from "./equipment.ts";
import { rounded } from "./equipment.ts";
import type { Plant } from "./plant.ts";

/** What a sensor measures. */
export interface Measured {
  metric: string;
  /** The true value at this moment. */
  value(): number;
  /** How much it is off, up and down. */
  spread: number;
  decimals?: number;
}

/** The firmware of a sensor with one value; `expectedSeconds`: it should be heard so often. */
export function sensorDevice(
  name: string,
  { metric, value, spread, decimals = 1 }: Measured,
  plant: Plant,
  expectedSeconds?: number,
): Equipment {
  let offset = 0;
  return {
    name,
    readings: () => ({ [metric]: rounded(plant.noisy(value() + offset, spread), decimals) }),
    reported: () => ({ metric, offset }),
    desire(desired) {
      if (typeof desired.offset === "number") offset = desired.offset;
    },
    actions: [{
      name: "calibrate",
      description: "Forget the offset",
      run() {
        offset = 0;
        return "Calibrated";
      },
    }],
    rules: [],
    ...(expectedSeconds === undefined ? {} : { expectedSeconds }),
  };
}
