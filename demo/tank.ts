import type { Equipment } from "./equipment.ts";
import { rounded } from "./equipment.ts";
import type { Plant, Tank } from "./plant.ts";
import { levelOf } from "./plant.ts";

/** The firmware of a tank's gauge. */
export function tankDevice(name: string, tank: Tank, plant: Plant): Equipment {
  let display = "litres";
  return {
    name,
    readings: () => ({
      level: rounded(100 * levelOf(tank) + plant.noisy(0, 0.15)),
      litres: Math.round(tank.litres),
    }),
    reported: () => ({ capacity: tank.capacity, display }),
    desire(desired) {
      if (desired.display === "litres" || desired.display === "percent") display = desired.display;
    },
    actions: [{
      name: "measure",
      description: "Say how full it is",
      run: () => `${Math.round(tank.litres)} of ${tank.capacity} litres`,
    }],
    rules: [
      { id: "low", metric: "level", kind: "below", threshold: 30, hysteresis: 8, unit: "%" },
      { id: "high", metric: "level", kind: "above", threshold: 88, hysteresis: 8, unit: "%" },
    ],
  };
}
